import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from cluster_svc import vectors as vectors_module
from cluster_svc.vectors import digest_rows, merge_identical_rows, normalize_rows

small_vectors = arrays(
    np.float32,
    st.tuples(st.integers(1, 40), st.integers(1, 6)),
    elements=st.sampled_from([-1.0, -0.0, 0.0, 1.0]),
)


def assert_merged(vectors, node_of_row, first_rows):
    """Two rows share a node just where they are equal; its first row is the first of them."""
    equal = (vectors[:, None] == vectors[None]).all(axis=2)
    assert ((node_of_row[:, None] == node_of_row[None]) == equal).all()
    assert (first_rows[node_of_row] == equal.argmax(axis=1)).all()


@settings(max_examples=40, deadline=None)
@given(small_vectors)
def test_rows_share_a_node_where_they_are_equal(vectors):
    assert_merged(vectors, *merge_identical_rows(vectors))


@settings(max_examples=40, deadline=None)
@given(small_vectors, st.integers(1, 3))
def test_equal_digests_of_different_vectors_do_no_harm(vectors, digest_count):
    def weak_digest(words, *, thread_count):
        return digest_rows(words) % np.uint64(digest_count)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(vectors_module, "digest_rows", weak_digest)
        node_of_row, first_rows = merge_identical_rows(vectors)
        turned, _ = merge_identical_rows(vectors[::-1])
    assert_merged(vectors, node_of_row, first_rows)
    assert (turned == node_of_row[::-1]).all()


def test_digests_differ():
    words = np.random.default_rng(0).integers(0, 2**31, (30_000, 3), np.uint32)
    assert len(np.unique(digest_rows(words))) == len(words)
    near = np.zeros((3_000, 40), np.float32)
    near[np.arange(3_000), np.arange(3_000) % 40] = np.arange(3_000) + 1
    assert len(np.unique(digest_rows(near.view(np.uint32), thread_count=2))) == 3_000


def test_lengths_are_one_or_zero():
    chance = np.random.default_rng(0)
    vectors = chance.normal(size=(60, 7)).astype(np.float32)
    vectors *= np.float32(10) ** chance.integers(-37, 37, (60, 1)).astype(np.float32)
    vectors[5] = 0
    units = normalize_rows(vectors)
    assert units.dtype == np.float32
    assert (units[5] == 0).all()
    lengths = np.linalg.norm(np.delete(units, 5, axis=0).astype(np.float64), axis=1)
    np.testing.assert_allclose(lengths, 1, atol=1e-6)
    rows = np.array([7, 3, 7])
    assert (normalize_rows(vectors, rows, thread_count=2) == units[rows]).all()
