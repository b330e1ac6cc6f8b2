"""How each kind of job is done, in the compute process."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import singledispatch

from cluster_svc.assign import assign_rows
from cluster_svc.clusters import run_clustering
from cluster_svc.compute_options import ComputeOptions
from cluster_svc.jobs import (
    AssignJob,
    Clustered,
    ClusterJob,
    End,
    Event,
    FindNearDuplicatesJob,
    GraphBuilt,
    Job,
    LaidOut,
    LayoutDrafted,
    LayOutJob,
    NearDuplicatesFound,
    RowsAssigned,
    RowsSelected,
    SelectRowsJob,
    array_of,
)
from cluster_svc.layout import lay_out
from cluster_svc.layout.quality import neighbor_preservation, own_hill_fraction
from cluster_svc.neighbors import NeighborSearch
from cluster_svc.neighbors.engines import choose_search
from cluster_svc.progress import Stage, StageProgress, part_of
from cluster_svc.vectors import FloatArray
from levelling.duplicates.near_duplicates import find_near_duplicates
from levelling.selection import select_rows

Send = Callable[[Event], None]

# Drafts come no more often than anybody could look at them.
_DRAFT_SECONDS = 1.0

# Of a layout; the rest is measuring how good it is.
_PLACING_SHARE = 0.97


def find_search(options: ComputeOptions, seed: int = 0) -> NeighborSearch | None:
    """Return the search for neighbours that the options mean; the first call loads what it needs.

    Raises
    ------
    EngineMissing
        What it needs is not installed.
    """
    return choose_search(
        engine=options.engine,
        ray_address=options.ray_address,
        device=options.device,
        thread_count=options.thread_count,
        seed=seed,
    )


def do_job(job: Job, options: ComputeOptions, send: Send) -> End:
    """Return the end of a job; what there is to tell on the way is sent.

    Raises
    ------
    LevelError
        An error meant for callers.
    """
    return _do(job, options, send)


@singledispatch
def _do(job: Job, options: ComputeOptions, send: Send) -> End:
    raise TypeError(f"no such job: {type(job)}")


@_do.register
def _cluster(job: ClusterJob, options: ComputeOptions, send: Send) -> End:
    clustering = run_clustering(
        array_of(job.vectors),
        job.algorithm,
        job.parameters,
        job.seed,
        graph=job.graph,
        neighbor_count=job.neighbor_count,
        exemplar_count=job.exemplar_count,
        exemplar_kind=job.exemplar_kind,
        default_eps=job.default_eps,
        thread_count=options.thread_count,
        search=find_search(options, job.seed),
        report=send,
        on_graph=lambda graph: send(GraphBuilt(graph)),
    )
    return Clustered(clustering)


@_do.register
def _lay_out(job: LayOutJob, options: ComputeOptions, send: Send) -> End:
    report = StageProgress({Stage.LAYOUT: 1.0}, send).begin(Stage.LAYOUT)
    positions = lay_out(
        job.graph,
        seed=job.seed,
        start=job.start,
        labels=job.labels,
        fixed=job.fixed,
        thread_count=options.thread_count,
        report=part_of(report, 0, _PLACING_SHARE),
        on_draft=_send_drafts(send) if job.wants_drafts else None,
    )
    labels = job.labels
    own = own_hill_fraction(positions, labels) if labels is not None and labels.max() >= 0 else None
    return LaidOut(positions, neighbor_preservation(job.graph, positions, seed=job.seed), own)


def _send_drafts(send: Send) -> Callable[[FloatArray], None]:
    """Return what sends rough layouts: the first at once, others now and then."""
    sent_at = -_DRAFT_SECONDS

    def send_draft(positions: FloatArray) -> None:
        nonlocal sent_at
        if time.monotonic() >= sent_at + _DRAFT_SECONDS:
            sent_at = time.monotonic()
            send(LayoutDrafted(positions))

    return send_draft


@_do.register
def _assign(job: AssignJob, options: ComputeOptions, send: Send) -> End:
    report = StageProgress({Stage.ASSIGN: 1.0}, send).begin(Stage.ASSIGN)
    assigned = assign_rows(
        job.model, array_of(job.vectors), thread_count=options.thread_count, report=report
    )
    return RowsAssigned(assigned)


@_do.register
def _find_near_duplicates(job: FindNearDuplicatesJob, options: ComputeOptions, send: Send) -> End:
    StageProgress({Stage.NEAR_DUPLICATES: 1.0}, send).begin(Stage.NEAR_DUPLICATES)
    graph = job.graph
    found = find_near_duplicates(
        graph.node_of_row, graph.indices, graph.distances, job.max_distance, job.text_keys
    )
    return NearDuplicatesFound(found.groups)


@_do.register
def _select_rows(job: SelectRowsJob, options: ComputeOptions, send: Send) -> End:
    report = StageProgress({Stage.SELECTION: 1.0}, send).begin(Stage.SELECTION)
    graph = (job.graph.node_of_row, job.graph.indices, job.graph.distances)
    return RowsSelected(select_rows(array_of(job.vectors), graph, job.task, report))
