import numpy as np
import pytest

from benchmarks.clustering_quality import nearest_cluster


def test_noise_goes_to_the_nearest_centroid():
    vectors = np.array([[1, 0], [0.9, 0.1], [0, 1], [0.8, 0.3], [0.1, 0.9]], np.float32)
    found = nearest_cluster(vectors, np.array([4, 4, 7, -1, -1], np.int32))
    assert found.tolist() == [4, 4, 7, 4, 7]


@pytest.mark.parametrize("partition", [[-1, -1], [0, 1]])
def test_without_a_cluster_or_without_noise_labels_stay(partition):
    given_labels = np.array(partition, np.int32)
    assert nearest_cluster(np.eye(2, dtype=np.float32), given_labels).tolist() == partition
