"""Vectors that the tests of clustering share."""

import numpy as np
import pytest

from cluster_svc.algorithms.specification import Problem
from cluster_svc.graph import build_graph
from cluster_svc.registry import choose_algorithm
from cluster_svc.vectors import normalize_rows


@pytest.fixture
def blobs():
    """Five tight directions of 80, 70, 60, 50 and 40 rows, and the direction of each row."""
    return make_blobs([80, 70, 60, 50, 40], noise=0.05)


@pytest.fixture
def solve():
    """A function from vectors and an algorithm to the problem and the partition found."""

    def find(vectors, name="", parameters=None, **settings):
        graph = build_graph(vectors)
        units = normalize_rows(vectors[graph.first_rows])
        problem = Problem(units, graph, **settings)
        algorithm, complete = choose_algorithm(name, parameters or {})
        return problem, algorithm.find(problem, complete)

    return find


def make_blobs(sizes, *, noise, dimensions=32, seed=0):
    random = np.random.default_rng(seed)
    centres = random.normal(size=(len(sizes), dimensions))
    centres /= np.linalg.norm(centres, axis=1, keepdims=True)
    truth = np.repeat(np.arange(len(sizes)), sizes)
    vectors = centres[truth] + noise * random.normal(size=(len(truth), dimensions))
    return vectors.astype(np.float32), truth
