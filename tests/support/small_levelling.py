"""What the small cluster service does to level rows."""

import numpy as np

from level_rpc.tensors import split_array, unpack_tensor
from levelapi.cluster.v1 import cluster_service_pb2 as cluster
from levelling.plans.picks import PickTask
from levelling.request import SamplingStrategy
from tests.support.pickers import pick_at_random


class SmallLevelling:
    """Near-duplicates are rows of one text, and rows are picked at random; behind a gate."""

    async def FindNearDuplicates(self, requests, context):
        """Rows of one text key are a group, called by its first row."""
        _, arrays = await _received(requests)
        await self._gate.enter("FindNearDuplicates")
        _, first, of_row = np.unique(arrays["text_keys"], return_index=True, return_inverse=True)
        for block in split_array(first[of_row].astype(np.int32)):
            yield cluster.FindNearDuplicatesResponse(groups=block)

    async def SelectRows(self, requests, context):
        """Vectors and graph are not looked at."""
        config, arrays = await _received(requests)
        await self._gate.enter("SelectRows")
        task = PickTask(
            labels=arrays["labels"],
            slot_count=config.slot_count,
            counts=arrays.get("counts"),
            budget=config.budget,
            candidates=arrays["candidates"] != 0,
            near_dup_groups=arrays.get("near_duplicate_groups"),
            keepers=arrays["keepers"] != 0,
            strategy=SamplingStrategy.RANDOM,
            seed=config.random_seed,
        )
        picked = pick_at_random(task)
        yield cluster.SelectRowsResponse(progress=cluster.Progress(fraction_done=0.5))
        summary = cluster.SelectionSummary(
            row_count=len(picked.rows), coverage_distance=picked.coverage_distance
        )
        yield cluster.SelectRowsResponse(summary=summary)
        for block in split_array(picked.rows):
            yield cluster.SelectRowsResponse(rows=block)
        for block in split_array(picked.coverage):
            yield cluster.SelectRowsResponse(coverage=block)


async def _received(requests):
    """Return the config of a stream, and the arrays that lie in no group."""
    config, parts = None, {}
    async for request in requests:
        name = request.WhichOneof("payload")
        if name == "config":
            config = request.config
        elif name != "graph":
            parts.setdefault(name, []).append(unpack_tensor(getattr(request, name).tensor))
    return config, {name: np.concatenate(blocks) for name, blocks in parts.items()}
