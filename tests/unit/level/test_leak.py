"""Rows that two tables share."""

import numpy as np
import pytest

from level.leak import find_leaks


def unit_rows(count, seed):
    vectors = np.random.default_rng(seed).normal(size=(count, 12)).astype(np.float32)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def test_copies_and_equal_texts_leak_and_nothing_else():
    vectors, others = unit_rows(40, 1), unit_rows(9, 2)
    texts, other_texts = [f"train {i}" for i in range(40)], [f"test {i}" for i in range(9)]
    others[3] = vectors[17]
    other_texts[5] = "  TRAIN 31! "
    leaks = find_leaks(texts, vectors, other_texts, others, 0.01)
    assert [(one.test_row, one.row, one.is_same_text) for one in leaks] == [
        (3, 17, False),
        (5, 31, True),
    ]
    assert leaks[0].distance == pytest.approx(0, abs=1e-6)
    assert leaks[1].distance == pytest.approx(1 - float(others[5] @ vectors[31]), abs=1e-5)


def test_no_rows_leak_from_strangers():
    assert find_leaks(["a"] * 3, unit_rows(3, 1), ["b"], unit_rows(1, 2), 0.0) == []
