"""The near-duplicates of a dataset: stored by its build, or looked for at another distance."""

import asyncio
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from gateway.artifacts import ArtifactStore
from gateway.dataset import Dataset
from gateway.layer_files import NEAR_DUPLICATES
from gateway.pipeline_types import NeighborGraph, OnProgress, Stages
from gateway.tables import read_texts
from gateway.worker.results import GRAPH_ARRAYS
from gateway.worker.transient import PATIENCE_SECONDS, with_retries
from levelling.duplicates.text_keys import text_keys
from levelling.request import NEAR_DUPLICATE_DISTANCE

_BLOCK_ROWS = 65_536


async def find_groups(
    dataset: Dataset,
    artifacts: ArtifactStore,
    stages: Stages,
    max_distance: float = NEAR_DUPLICATE_DISTANCE,
    on_progress: OnProgress = lambda fraction: None,
    patience_seconds: float = PATIENCE_SECONDS,
) -> NDArray[np.int32]:
    """Return the group of near-duplicates that each row is in, INT32 of shape [row_count].

    Those that are stored at the usual distance; a dataset that an earlier version made has none
    stored, and any other distance has its own.

    Parameters
    ----------
    dataset : Dataset
        Clustered.
    artifacts : ArtifactStore
    stages : Stages
        Whose `find_near_duplicates` is called.
    max_distance : float
        The cosine distance up to which rows are near-duplicates, 0 to 2. Rows whose normalised
        texts are equal are near-duplicates at any distance.
    on_progress : callable
    patience_seconds : float
        For how long a service that cannot be reached is called again.
    """
    stored = dataset.artifacts.get(NEAR_DUPLICATES)
    if stored is not None and max_distance == NEAR_DUPLICATE_DISTANCE:
        groups: NDArray[np.int32] = await asyncio.to_thread(
            artifacts.open_array, dataset.dataset_id, stored
        )
        return groups
    graph, keys = await asyncio.to_thread(_read, dataset, artifacts)
    find = partial(stages.find_near_duplicates, graph, max_distance, keys, on_progress)
    return await with_retries(find, patience_seconds)


def _read(dataset: Dataset, artifacts: ArtifactStore) -> tuple[NeighborGraph, NDArray[np.int64]]:
    """Return the stored graph, and what tells rows of equal texts; blocks."""
    files = dataset.artifacts
    arrays = {name: artifacts.open_array(dataset.dataset_id, files[name]) for name in GRAPH_ARRAYS}
    rows = artifacts.path(dataset.dataset_id, files["rows"])
    texts = _texts(rows, dataset.text_column, dataset.row_count)
    return NeighborGraph(**arrays), text_keys(texts)


def _texts(rows: Path, column: int, row_count: int) -> Iterator[str]:
    for start in range(0, row_count, _BLOCK_ROWS):
        yield from read_texts(rows, column, start, start + _BLOCK_ROWS)
