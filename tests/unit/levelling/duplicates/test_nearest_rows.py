"""The nearest rows by all pairs, whatever the blocks."""

import numpy as np
import pytest

# The module, whose function has its name.
from levelling.duplicates import nearest_rows as searching


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch):
    monkeypatch.setattr(searching, "_BLOCK_ROWS", 7)
    monkeypatch.setattr(searching, "_OTHER_BLOCK_ROWS", 13)


def unit_rows(count, seed):
    vectors = np.random.default_rng(seed).normal(size=(count, 12)).astype(np.float32)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


@pytest.mark.parametrize(("rows", "asked"), [(1, 1), (13, 7), (40, 30), (14, 8), (5, 0)])
def test_they_are_those_of_all_pairs(rows, asked):
    vectors, others = unit_rows(rows, 1), unit_rows(asked, 2)
    cosines = others @ vectors.T
    nearest, distances = searching.nearest_rows(vectors, others)
    assert nearest.tolist() == cosines.argmax(axis=1).tolist()
    assert np.allclose(distances, 1 - cosines.max(axis=1), atol=1e-6)
