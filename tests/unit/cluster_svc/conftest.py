"""Vectors that the tests of clustering share."""

import numpy as np
import pytest


@pytest.fixture
def blobs():
    """Five tight directions of 80, 70, 60, 50 and 40 rows, and the direction of each row."""
    return make_blobs([80, 70, 60, 50, 40], noise=0.05)


def make_blobs(sizes, *, noise, dimensions=32, seed=0):
    random = np.random.default_rng(seed)
    centres = random.normal(size=(len(sizes), dimensions))
    centres /= np.linalg.norm(centres, axis=1, keepdims=True)
    truth = np.repeat(np.arange(len(sizes)), sizes)
    vectors = centres[truth] + noise * random.normal(size=(len(truth), dimensions))
    return vectors.astype(np.float32), truth
