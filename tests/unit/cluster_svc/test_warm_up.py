import sys

import numpy as np
from numba.core.dispatcher import Dispatcher

from cluster_svc.assign import assign_rows
from cluster_svc.assign_model import AssignModel
from cluster_svc.clusters import run_clustering
from cluster_svc.layout import lay_out
from cluster_svc.neighbors import approximate_neighbors, sample_recall
from cluster_svc.vectors import normalize_rows
from cluster_svc.warm_up import warm_up


def compiled_signatures():
    """Return for every kernel of the package how many types of arguments it is compiled for."""
    modules = [module for name, module in sys.modules.items() if name.startswith("cluster_svc.")]
    kernels = {
        value
        for module in modules
        for value in vars(module).values()
        if isinstance(value, Dispatcher)
    }
    assert kernels
    return {f"{one.__module__}.{one.__name__}": len(one.signatures) for one in kernels}


def test_a_warm_process_compiles_nothing_for_the_jobs_that_come():
    warm_up()
    before = compiled_signatures()
    random = np.random.default_rng(1)
    vectors = random.normal(size=(40, 32))[np.arange(1500) % 40] + random.normal(size=(1500, 32))
    vectors = vectors.astype(np.float32)
    vectors[:100] = vectors[100:200]
    graphs = []
    clustering = run_clustering(vectors, thread_count=2, on_graph=graphs.append)
    labels = clustering.terrain.labels
    positions = lay_out(graphs[0], labels=labels, thread_count=2)
    fixed = np.arange(1500) % 2 == 0
    lay_out(graphs[0], start=positions, fixed=fixed)
    rows = clustering.landmarks.row_ids
    reaches = clustering.landmarks.reaches
    assign_rows(AssignModel(vectors[rows], labels[rows], reaches, positions[rows]), vectors)
    units = normalize_rows(vectors)
    _, distances = approximate_neighbors(units, 10, seed=3, thread_count=2)
    sample_recall(units, np.arange(1500), np.arange(50), distances[:50], thread_count=2)
    assert compiled_signatures() == before
