"""Clusters, layouts and near-duplicates in this process: the cluster service's work, no server."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from gateway.pipeline_types import (
    AssignedRows,
    AssignModel,
    Clustering,
    ExemplarKind,
    Layout,
    NeighborGraph,
    OnDraft,
    OnProgress,
    ParameterValue,
)
from level.local.answers import to_clustering, to_graph
from level.local.errors import needs_extra
from level.local.jobs import (
    assign_job,
    cluster_job,
    layout_job,
    near_duplicates_job,
    selection_job,
)
from level.local.work import Send, WorkThreads
from levelling.plans.picks import PickTask, Selection

if TYPE_CHECKING:
    from cluster_svc.jobs import End, Event, Job
    from cluster_svc.progress import Progress
    from cluster_svc.settings import Settings


class LocalClusters:
    """What `Stages` asks of the cluster service.

    One thing is computed at a time, as in the service, and with the same result. Cancelling a call
    lets its thread go on up to the next progress it reports; calls after it wait for that.

    Parameters
    ----------
    settings : cluster_svc.settings.Settings, optional
        Threads, engine and device; from the environment when not given.
    """

    def __init__(self, settings: Settings | None = None) -> None:
        self._cluster_settings = settings
        self._clustering = WorkThreads("cluster")

    async def check_parameters(self, algorithm: str, parameters: dict[str, ParameterValue]) -> None:
        """Raise InvalidArgument unless there is such an algorithm and it takes these parameters."""
        await asyncio.to_thread(_check_parameters, algorithm, parameters)

    async def cluster(
        self,
        vectors: NDArray[np.float32],
        algorithm: str,
        parameters: dict[str, ParameterValue],
        random_seed: int,
        neighbor_count: int,
        exemplar_count: int,
        exemplar_kind: ExemplarKind,
        on_progress: OnProgress,
    ) -> Clustering:
        """Return the layers of clusters, their exemplars and the neighbour graph of all rows."""
        graphs: list[NeighborGraph] = []
        make_job = partial(
            cluster_job,
            vectors,
            algorithm,
            parameters,
            random_seed,
            neighbor_count,
            exemplar_count,
            exemplar_kind,
        )
        hear = _Listener(on_progress, GraphBuilt=lambda one: graphs.append(to_graph(one.graph)))
        end = await self._do(make_job, hear)
        return to_clustering(end.clustering, graphs[0])

    async def lay_out(
        self,
        graph: NeighborGraph,
        labels: NDArray[np.int32] | None,
        random_seed: int,
        on_progress: OnProgress,
        on_draft: OnDraft | None = None,
    ) -> Layout:
        """Return the position of every row; rough ones on the way go to `on_draft`."""
        tell = on_draft or (lambda positions: None)
        hear = _Listener(on_progress, LayoutDrafted=lambda one: tell(one.positions))
        wants_drafts = on_draft is not None
        end = await self._do(partial(layout_job, graph, labels, random_seed, wants_drafts), hear)
        return Layout(end.positions, end.neighbor_preservation, end.own_hill_fraction)

    async def assign(
        self, model: AssignModel, vectors: NDArray[np.float32], on_progress: OnProgress
    ) -> AssignedRows:
        """Return cluster and position of each of the rows of `vectors`."""
        end = await self._do(partial(assign_job, model, vectors), _Listener(on_progress))
        found = end.assigned
        return AssignedRows(found.labels, found.nearest, found.strengths, found.positions)

    async def find_near_duplicates(
        self,
        graph: NeighborGraph,
        max_distance: float,
        text_keys: NDArray[np.int64] | None,
        on_progress: OnProgress,
    ) -> NDArray[np.int32]:
        """Return the group of near-duplicates that each row is in, called by its central row."""
        make_job = partial(near_duplicates_job, graph, max_distance, text_keys)
        groups: NDArray[np.int32] = (await self._do(make_job, _Listener(on_progress))).groups
        return groups

    async def select_rows(
        self,
        vectors: NDArray[np.float32],
        graph: NeighborGraph,
        task: PickTask,
        on_progress: OnProgress,
    ) -> Selection:
        """Return the rows that a task asks for, and how well they stand for the others."""
        end = await self._do(partial(selection_job, vectors, graph, task), _Listener(on_progress))
        selection: Selection = end.selection
        return selection

    async def open_clusters(self) -> None:
        """Import what computing needs."""
        await asyncio.to_thread(_import)

    async def close_clusters(self) -> None:
        """End the thread; a call under way is broken off."""
        await self._clustering.close()

    async def _do(self, make_job: Callable[[Settings], Job], hear: Callable[[Event], None]) -> Any:
        return await self._clustering.run(partial(_do_job, self._cluster_settings, make_job), hear)


class _Listener:
    """Hears the events of a job: progress that never falls, others by the names of classes."""

    def __init__(self, on_progress: OnProgress, **others: Callable[[Any], None]) -> None:
        self._on_progress = on_progress
        self._fraction = 0.0
        self._takers: dict[str, Callable[[Any], None]] = {"Progress": self._advance, **others}

    def __call__(self, event: Event) -> None:
        self._takers[type(event).__name__](event)

    def _advance(self, news: Progress) -> None:
        self._fraction = max(self._fraction, news.fraction)
        self._on_progress(self._fraction)


def _do_job(
    settings: Settings | None, make_job: Callable[[Settings], Job], send: Send[Event]
) -> End:
    _import()
    from cluster_svc.neighbors.blas import one_blas_thread
    from cluster_svc.settings import Settings
    from cluster_svc.work import do_job

    settings = settings or Settings()
    job = make_job(settings)
    # As the service's process: what is computed does not depend on how many threads BLAS takes.
    with one_blas_thread():
        return do_job(job, settings.compute_options(), send)


def _import() -> None:
    with needs_extra("cluster"):
        import cluster_svc.work  # noqa: F401


def _check_parameters(algorithm: str, parameters: dict[str, ParameterValue]) -> None:
    _import()
    from cluster_svc.registry import choose_algorithm

    choose_algorithm(algorithm, parameters)
