import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.agreement import adjusted_mutual_information, adjusted_rand_index
from benchmarks.clustering_quality import nearest_cluster

MEASURES = [adjusted_rand_index, adjusted_mutual_information]

labels = st.integers(2, 60).flatmap(
    lambda count: st.tuples(*[st.lists(st.integers(-1, 5), min_size=count, max_size=count)] * 2)
)


@pytest.mark.parametrize("measure", MEASURES)
@given(pair=labels, order=st.permutations(range(7)))
def test_names_of_clusters_and_sides_do_not_matter(measure, pair, order):
    one, other = map(np.array, pair)
    expected = measure(one, other)
    assert measure(other, one) == pytest.approx(expected, abs=1e-9)
    assert measure(np.array(order)[one + 1], other) == pytest.approx(expected, abs=1e-9)
    assert measure(one, one) == pytest.approx(1.0)
    assert expected <= 1 + 1e-9


# As scikit-learn 1.9 gives them.
@pytest.mark.parametrize(
    ("one", "other", "rand", "information"),
    [
        ([0, 0, 1, 1], [0, 0, 1, 2], 0.5714285714, 0.5714285714),
        ([0, 0, 0, 0], [0, 1, 2, 3], 0.0, 0.0),
        ([0, 0, 1, 1, 2, 2, 2], [0, 1, 1, 1, 2, 2, 0], 0.2125000000, 0.2581511415),
    ],
)
def test_values_are_the_known_ones(one, other, rand, information):
    one, other = np.array(one), np.array(other)
    assert adjusted_rand_index(one, other) == pytest.approx(rand, abs=1e-9)
    assert adjusted_mutual_information(one, other) == pytest.approx(information, abs=1e-9)


@pytest.mark.parametrize("measure", MEASURES)
def test_unrelated_partitions_agree_as_chance_does(measure):
    chance = np.random.default_rng(0)
    one, other = chance.integers(0, 10, (2, 20_000))
    assert measure(one, other) == pytest.approx(0, abs=0.01)


def test_noise_goes_to_the_nearest_centroid():
    vectors = np.array([[1, 0], [0.9, 0.1], [0, 1], [0.8, 0.3], [0.1, 0.9]], np.float32)
    found = nearest_cluster(vectors, np.array([4, 4, 7, -1, -1], np.int32))
    assert found.tolist() == [4, 4, 7, 4, 7]


@pytest.mark.parametrize("partition", [[-1, -1], [0, 1]])
def test_without_a_cluster_or_without_noise_labels_stay(partition):
    given_labels = np.array(partition, np.int32)
    assert nearest_cluster(np.eye(2, dtype=np.float32), given_labels).tolist() == partition
