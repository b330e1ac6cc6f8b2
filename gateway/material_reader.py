"""Reads what a levelling is made from; near-duplicates at another distance are looked for."""

import asyncio
from collections import OrderedDict
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gateway.artifacts import ArtifactStore
from gateway.dataset import Dataset
from gateway.errors import DatasetTooOld
from gateway.layers import Layers
from gateway.pipeline_types import Stages
from gateway.plan_material import make_material, needs_groups
from gateway.tables import read_texts
from gateway.worker.near_duplicates import find_groups
from gateway.worker.results import GRAPH_ARRAYS
from level_rpc.errors import DeadlineExceeded
from levelling.plans.material import Material
from levelling.request import LevelRequest

_REMEMBERED = 4  # of an int32 a row each


class MaterialReader:
    """Reads material for requests; the last few groups that were looked for are kept.

    Parameters
    ----------
    artifacts : ArtifactStore
    stages : Stages
        Look for near-duplicates at distances other than the one that datasets are built with.
    patience_seconds : float
        For how long a service that cannot be reached is called again.
    longest_seconds : float, optional
        After which the search is given up, where somebody waits for its answer.
    """

    def __init__(
        self,
        artifacts: ArtifactStore,
        stages: Stages,
        patience_seconds: float,
        longest_seconds: float | None = None,
    ) -> None:
        self._artifacts = artifacts
        self._stages = stages
        self._patience_seconds = patience_seconds
        self._longest_seconds = longest_seconds
        self._found: OrderedDict[tuple[str, float], NDArray[np.int32]] = OrderedDict()

    async def read(
        self, dataset: Dataset, layers: Layers, request: LevelRequest, *, picks: bool = False
    ) -> Material:
        """Return the material for a request.

        Parameters
        ----------
        dataset : Dataset
        layers : Layers
        request : LevelRequest
        picks : bool
            Whether rows will be picked, of which near-duplicates go first.

        Raises
        ------
        DatasetTooOld
            When an earlier version did not store what the request needs.
        DeadlineExceeded
            When near-duplicates were not found in time.
        """
        groups = None
        if picks or needs_groups(request):
            groups = await self._groups(dataset, request.duplicates.max_distance)

        def open_array(name: str) -> NDArray[Any] | None:
            file = dataset.artifacts.get(name)
            return None if file is None else self._artifacts.open_array(dataset.dataset_id, file)

        def texts() -> list[str]:
            rows = self._artifacts.path(dataset.dataset_id, dataset.artifacts["rows"])
            return read_texts(rows, dataset.text_column)

        return await asyncio.to_thread(make_material, open_array, layers, request, groups, texts)

    async def _groups(self, dataset: Dataset, max_distance: float) -> NDArray[np.int32]:
        key = (dataset.dataset_id, max_distance)
        if key in self._found:
            return self._found[key]
        if any(name not in dataset.artifacts for name in GRAPH_ARRAYS):
            raise DatasetTooOld("storing its neighbour graph")
        find = partial(find_groups, patience_seconds=self._patience_seconds)
        try:
            async with asyncio.timeout(self._longest_seconds):
                found = await find(dataset, self._artifacts, self._stages, max_distance)
        except TimeoutError:
            message = "Near-duplicates were not found in time; try again in a minute."
            raise DeadlineExceeded(message) from None
        self._found[key] = found
        while len(self._found) > _REMEMBERED:
            self._found.popitem(last=False)
        return found
