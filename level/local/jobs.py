"""Arguments of stages as jobs of the cluster service, checked as it checks them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from gateway.pipeline_types import AssignModel, ExemplarKind, NeighborGraph, ParameterValue
from level_rpc.errors import TensorNotFinite, TensorRowsMismatch
from levelling.plans.picks import PickTask

if TYPE_CHECKING:
    from cluster_svc import graph as service_graph
    from cluster_svc.jobs import (
        AssignJob,
        ClusterJob,
        FindNearDuplicatesJob,
        LayOutJob,
        SelectRowsJob,
    )
    from cluster_svc.settings import Settings


def cluster_job(
    vectors: NDArray[np.float32],
    algorithm: str,
    parameters: dict[str, ParameterValue],
    random_seed: int,
    neighbor_count: int,
    exemplar_count: int,
    exemplar_kind: ExemplarKind,
    settings: Settings,
) -> ClusterJob:
    """Return the job that clusters vectors; 0 neighbours or exemplars are as many as usual."""
    from cluster_svc import exemplars
    from cluster_svc.graph import DEFAULT_NEIGHBOR_COUNT
    from cluster_svc.jobs import ClusterJob
    from cluster_svc.request_limits import check_clustering, check_shape

    neighbors = neighbor_count or DEFAULT_NEIGHBOR_COUNT
    chosen = exemplar_count or exemplars.DEFAULT_EXEMPLAR_COUNT
    check_shape(*vectors.shape)
    check_clustering(random_seed, neighbors, chosen)
    _check_finite("vectors", vectors)
    return ClusterJob(
        vectors=vectors,
        algorithm=algorithm,
        parameters=parameters,
        seed=random_seed,
        neighbor_count=neighbors,
        exemplar_count=chosen,
        exemplar_kind=exemplars.ExemplarKind(exemplar_kind),
        default_eps=settings.default_eps,
        graph=None,
    )


def layout_job(
    graph: NeighborGraph,
    labels: NDArray[np.int32] | None,
    random_seed: int,
    wants_drafts: bool,
    settings: Settings,
) -> LayOutJob:
    """Return the job that lays rows out."""
    from cluster_svc.jobs import LayOutJob
    from cluster_svc.request_limits import MAX_SEED, check_range

    check_range("random_seed", random_seed, 0, MAX_SEED)
    return LayOutJob(_graph(graph), random_seed, None, labels, None, wants_drafts)


def assign_job(model: AssignModel, vectors: NDArray[np.float32], settings: Settings) -> AssignJob:
    """Return the job that finds the clusters of new rows."""
    from cluster_svc import assign_model
    from cluster_svc.jobs import AssignJob
    from cluster_svc.request_limits import check_shape

    check_shape(*vectors.shape)
    _check_finite("vectors", vectors)
    landmarks = assign_model.AssignModel(
        vectors=model.vectors,
        labels=model.labels,
        reaches=model.reaches,
        positions=model.positions,
    )
    return AssignJob(landmarks, vectors)


def near_duplicates_job(
    graph: NeighborGraph,
    max_distance: float,
    text_keys: NDArray[np.int64] | None,
    settings: Settings,
) -> FindNearDuplicatesJob:
    """Return the job that finds near-duplicates."""
    from cluster_svc.jobs import FindNearDuplicatesJob
    from cluster_svc.request_limits import MAX_COSINE_DISTANCE, check_range

    check_range("max_distance", max_distance, 0, MAX_COSINE_DISTANCE)
    return FindNearDuplicatesJob(_graph(graph), max_distance, text_keys)


def selection_job(
    vectors: NDArray[np.float32], graph: NeighborGraph, task: PickTask, settings: Settings
) -> SelectRowsJob:
    """Return the job that chooses rows."""
    from cluster_svc.jobs import SelectRowsJob
    from cluster_svc.pick_checks import check_budget, check_task
    from cluster_svc.request_limits import check_shape

    check_shape(*vectors.shape)
    check_budget(task.slot_count, task.budget, task.seed, len(vectors))
    if not len(graph.row_nodes) == task.labels.size == len(vectors):
        message = f"graph and labels are not of {len(vectors)} rows, as the vectors are"
        raise TensorRowsMismatch(message, array="labels", expected_rows=len(vectors))
    check_task(task)
    _check_finite("vectors", vectors)
    return SelectRowsJob(task, _graph(graph), vectors)


def _graph(graph: NeighborGraph) -> service_graph.NeighborGraph:
    from cluster_svc import graph as service_graph

    _check_finite("graph.distances", graph.distances)
    checked = service_graph.NeighborGraph(graph.row_nodes, graph.indices, graph.distances)
    checked.check()
    return checked


def _check_finite(name: str, array: NDArray[Any]) -> None:
    good_rows = np.isfinite(array).all(axis=1)
    if not good_rows.all():
        row_index = int(good_rows.argmin())
        message = f"{name}: row {row_index} holds NaN or an infinity"
        raise TensorNotFinite(message, array=name, row_index=row_index)
