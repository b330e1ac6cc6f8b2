"""Request streams to jobs that level rows: finding near-duplicates, choosing rows."""

from __future__ import annotations

import numpy as np

from cluster_svc.jobs import FindNearDuplicatesJob, SelectRowsJob
from cluster_svc.pick_checks import check_budget, check_task
from cluster_svc.progress import Progress, Stage
from cluster_svc.request_limits import MAX_COSINE_DISTANCE, check_range, check_shape
from cluster_svc.servicer.receiving import Received, Receiving, expect_graph
from cluster_svc.uploads import Upload
from level_rpc.errors import FieldInvalid
from levelapi.cluster.v1 import cluster_service_pb2 as messages
from levelling.plans.picks import PickTask
from levelling.request import SamplingStrategy

_STRATEGIES = {
    messages.SELECTION_STRATEGY_UNSPECIFIED: SamplingStrategy.DIVERSE,
    messages.SELECTION_STRATEGY_DIVERSE: SamplingStrategy.DIVERSE,
    messages.SELECTION_STRATEGY_CENTRAL: SamplingStrategy.CENTRAL,
    messages.SELECTION_STRATEGY_RANDOM: SamplingStrategy.RANDOM,
}

# Of a FindNearDuplicates and of a SelectRows call.
_DUPLICATES_RECEIVING_SHARE = 0.5
_SELECTION_RECEIVING_SHARE = 0.1


async def receive_near_duplicates(upload: Upload) -> Receiving:
    """Yield progress, then the job of a FindNearDuplicates call."""
    config: messages.FindNearDuplicatesConfig = await upload.read_config()
    check_range("max_distance", config.max_distance, 0, MAX_COSINE_DISTANCE)
    graph = expect_graph(upload, config.graph_shape)
    rows = config.graph_shape.row_count
    keys = upload.expect("text_keys", np.int64, rows) if config.has_text_keys else None
    share = _DUPLICATES_RECEIVING_SHARE
    async for fraction in upload.receive():
        yield Progress(Stage.RECEIVING, share * fraction, share)
    job = FindNearDuplicatesJob(
        graph=graph(),
        max_distance=config.max_distance,
        text_keys=None if keys is None else keys(),
    )
    yield Received(job, share)


async def receive_selection(upload: Upload) -> Receiving:
    """Yield progress, then the job of a SelectRows call."""
    config: messages.SelectRowsConfig = await upload.read_config()
    rows, slots = config.row_count, config.slot_count
    _check_selection_config(config)
    labels = upload.expect("labels", np.int32, rows)
    counts = upload.expect("counts", np.int64, slots) if config.has_counts else None
    candidates = upload.expect("candidates", np.uint8, rows)
    has_groups = config.has_near_duplicate_groups
    groups = upload.expect("near_duplicate_groups", np.int32, rows) if has_groups else None
    keepers = upload.expect("keepers", np.uint8, rows)
    graph = expect_graph(upload, config.graph_shape)
    vectors = upload.expect_shared("vectors", rows, config.dimension_count)
    share = _SELECTION_RECEIVING_SHARE
    async for fraction in upload.receive():
        yield Progress(Stage.RECEIVING, share * fraction, share)
    task = PickTask(
        labels=labels(),
        slot_count=slots,
        counts=None if counts is None else counts(),
        budget=config.budget,
        candidates=candidates() != 0,
        near_dup_groups=None if groups is None else groups(),
        keepers=keepers() != 0,
        strategy=_STRATEGIES[config.strategy],
        seed=config.random_seed,
    )
    check_task(task)
    yield Received(SelectRowsJob(task, graph(), vectors()), share)


def _check_selection_config(config: messages.SelectRowsConfig) -> None:
    check_shape(config.row_count, config.dimension_count)
    check_budget(config.slot_count, config.budget, config.random_seed, config.row_count)
    if config.strategy not in _STRATEGIES:
        raise FieldInvalid(
            f"config.strategy {config.strategy} is unknown; send one that SelectionStrategy names",
            field="config.strategy",
        )
    if config.graph_shape.row_count != config.row_count:
        raise FieldInvalid(
            f"the graph is of {config.graph_shape.row_count} rows, config.row_count is"
            f" {config.row_count}",
            field="config.graph_shape.row_count",
        )
