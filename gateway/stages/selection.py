"""FindNearDuplicates and SelectRows: what is sent, and answers put together and checked."""

from collections.abc import AsyncIterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gateway.pipeline_types import NeighborGraph, OnProgress
from gateway.stages.messages import graph_messages, to_graph_shape
from level_rpc.errors import Unavailable
from level_rpc.tensors import ArrayAssembler, split_array
from levelapi.cluster.v1 import cluster_service_pb2 as cluster
from levelling.plans.picks import PickTask, Selection
from levelling.request import SamplingStrategy

STRATEGIES = {
    SamplingStrategy.DIVERSE: cluster.SELECTION_STRATEGY_DIVERSE,
    SamplingStrategy.CENTRAL: cluster.SELECTION_STRATEGY_CENTRAL,
    SamplingStrategy.RANDOM: cluster.SELECTION_STRATEGY_RANDOM,
}


async def near_duplicates_requests(
    config: Any, graph: NeighborGraph, text_keys: NDArray[np.int64] | None
) -> AsyncIterator[Any]:
    """Yield the config, then the graph, then text keys where there are some."""
    yield cluster.FindNearDuplicatesRequest(config=config)
    for part in graph_messages(graph):
        yield cluster.FindNearDuplicatesRequest(graph=part)
    for block in () if text_keys is None else split_array(text_keys):
        yield cluster.FindNearDuplicatesRequest(text_keys=block)


class NearDuplicatesAnswer:
    """Collects the messages of one FindNearDuplicates call."""

    def __init__(self, row_count: int, on_progress: OnProgress) -> None:
        self._on_progress = on_progress
        self._groups = ArrayAssembler("groups", np.int32, row_count)

    def add(self, message: Any) -> None:
        """Take the next message."""
        match message.WhichOneof("payload"):
            case "progress":
                self._on_progress(message.progress.fraction_done)
            case "groups":
                self._groups.add(message.groups)

    def finish(self) -> NDArray[np.int32]:
        """Return the group of each row; raise when some are missing."""
        return self._groups.finish()


async def selection_requests(
    vectors: NDArray[np.float32], graph: NeighborGraph, task: PickTask
) -> AsyncIterator[Any]:
    """Yield the config, then all arrays of a choice."""
    config = cluster.SelectRowsConfig(
        row_count=len(vectors),
        dimension_count=vectors.shape[1],
        slot_count=task.slot_count,
        budget=task.budget,
        strategy=STRATEGIES[task.strategy],
        random_seed=task.seed,
        has_counts=task.counts is not None,
        has_near_duplicate_groups=task.near_dup_groups is not None,
        graph_shape=to_graph_shape(graph),
    )
    yield cluster.SelectRowsRequest(config=config)
    arrays = {
        "labels": task.labels,
        "counts": task.counts,
        "candidates": task.candidates,
        "near_duplicate_groups": task.near_dup_groups,
        "keepers": task.keepers,
    }
    for name, array in arrays.items():
        for block in () if array is None else split_array(array):
            part: dict[str, Any] = {name: block}
            yield cluster.SelectRowsRequest(**part)
    for part in graph_messages(graph):
        yield cluster.SelectRowsRequest(graph=part)
    for block in split_array(vectors):
        yield cluster.SelectRowsRequest(vectors=block)


class SelectionAnswer:
    """Collects the messages of one SelectRows call."""

    def __init__(self, slot_count: int, on_progress: OnProgress) -> None:
        self._on_progress = on_progress
        self._distance = 0.0
        self._rows: ArrayAssembler | None = None
        self._coverage = ArrayAssembler("coverage", np.float64, slot_count)

    def add(self, message: Any) -> None:
        """Take the next message."""
        match message.WhichOneof("payload"):
            case "progress":
                self._on_progress(message.progress.fraction_done)
            case "summary":
                self._rows = ArrayAssembler("rows", np.int64, message.summary.row_count)
                self._distance = message.summary.coverage_distance
            case "rows" if self._rows is not None:
                self._rows.add(message.rows)
            case "coverage":
                self._coverage.add(message.coverage)

    def finish(self) -> Selection:
        """Return the whole answer; raise when a part of it is missing."""
        if self._rows is None:
            raise Unavailable("The cluster service ended its answer early; try again.")
        return Selection(self._rows.finish(), self._coverage.finish(), self._distance)
