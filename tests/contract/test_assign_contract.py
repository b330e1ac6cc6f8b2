"""Assign as its protos describe it, to a client that knows nothing else."""

import numpy as np
import pytest

from tests.contract.cluster_client import ROWS, VECTORS
from tests.contract.stranger import Refusal

INVALID = "INVALID_ARGUMENT"


def stored_model(clusters, **arrays):
    """Return what Assign needs, and the clustering it is of."""
    answer = clusters.cluster(algorithm="hdbscan")
    rows = answer.landmarks
    assert rows.dtype == np.int64 and (np.diff(rows) > 0).all()
    assert answer.reaches.min() >= 0 and answer.reaches.max() <= 2
    model = {"vectors": VECTORS[rows], "labels": answer.labels[rows], "reaches": answer.reaches}
    return model | {name: array[rows] for name, array in arrays.items()}, answer


def test_new_rows_find_their_cluster_their_place_or_that_they_have_none(clusters):
    positions = clusters.lay_out(clusters.cluster().graph).positions
    model, answer = stored_model(clusters, positions=positions)
    near = VECTORS + np.float32(0.001)
    far = -VECTORS[:20]
    found = clusters.assign(model, np.concatenate([near, far]))
    assert found.said[-1] == "rows" and "progress" in found.said
    clustered = answer.labels >= 0
    assert (found.labels[:ROWS] == answer.labels)[clustered].mean() > 0.98
    assert (found.labels[ROWS:] == -1).all()
    assert (found.nearest >= 0).all()
    inside = found.labels >= 0
    assert np.array_equal(found.nearest[inside], found.labels[inside])
    assert found.strengths.min() >= 0 and found.strengths.max() <= 1
    assert found.positions.shape == (ROWS + 20, 2) and np.isfinite(found.positions).all()


def test_what_a_new_row_gets_does_not_depend_on_the_rows_beside_it(clusters):
    model, _ = stored_model(clusters)
    together = clusters.assign(model, VECTORS)
    for row in (0, 17, ROWS - 1):
        alone = clusters.assign(model, VECTORS[row : row + 1])
        assert alone.labels[0] == together.labels[row]
        assert alone.strengths[0] == together.strengths[row]


def test_a_model_of_other_dimensions_is_refused(clusters):
    model, _ = stored_model(clusters)
    with pytest.raises(Refusal) as caught:
        clusters.assign(model, VECTORS[:, 1:].copy())
    assert (caught.value.code, caught.value.reason) == (INVALID, "TENSOR_TYPE_MISMATCH")
