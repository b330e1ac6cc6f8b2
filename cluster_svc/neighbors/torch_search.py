"""Exact search by torch on a GPU: matrix products and the largest of each row, block by block.

The device only names candidates, more than are asked for; the local search's own code ranks them,
and searches a row anew where its candidates cannot be shown to hold the nearest. So the result is
the local one to the last bit. torch's own CPU device does the same, which is how it is tested where
there is no GPU.
"""

from __future__ import annotations

from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor

import numpy as np
import torch

from cluster_svc.compiled import ReportFraction
from cluster_svc.errors import DeviceMemoryTooSmall, EngineMissing
from cluster_svc.neighbors.bf16_search import Bf16Search, multiplies_bf16
from cluster_svc.neighbors.ranking import candidate_count, rank_candidates
from cluster_svc.neighbors.search import NeighborSearch
from cluster_svc.vectors import FloatArray, IntArray

_QUERY_ROWS = 4096
_LEAST_COLUMNS = 1024
# Similarities, the largest of them and their places, and what topk needs beside.
_BYTES_PER_SIMILARITY = 24
_MEMORY_SHARE = 0.5
_CPU_BLOCK_BYTES = 256 * 2**20


_Neighbors = tuple[IntArray, FloatArray]


def cuda_is_available() -> bool:
    """Return True where torch finds a CUDA device."""
    return bool(torch.cuda.is_available())


class TorchSearch:
    """The search on one device, whose products are in full float32 unless torch is told otherwise.

    Parameters
    ----------
    device : str
        ``cuda`` or ``cpu``.
    thread_count : int
        Threads that rank candidates, at least 1.
    block_columns : int, optional
        Vectors that a block of queries is compared with at once; by free memory when not given.
    """

    def __init__(
        self, device: str, *, thread_count: int = 1, block_columns: int | None = None
    ) -> None:
        self._device = torch.device(device)
        self._thread_count = thread_count
        self._block_columns = block_columns

    def __call__(
        self, units: FloatArray, k: int, *, report: ReportFraction = lambda fraction: None
    ) -> tuple[IntArray, FloatArray]:
        """Return the neighbours of each row; see `NeighborSearch`.

        Raises
        ------
        DeviceMemoryTooSmall
            The vectors do not fit into the device's memory.
        """
        # The row itself is among its candidates.
        count = min(candidate_count(k) + 1, len(units))
        with torch.inference_mode(), ThreadPoolExecutor(self._thread_count) as pool:
            points = self._upload(units)
            width = min(self._block_columns or self._columns_that_fit(), len(units))
            waiting: deque[Future[_Neighbors]] = deque()
            ranked: list[_Neighbors] = []

            def take() -> None:
                ranked.append(waiting.popleft().result())
                report(min(len(ranked) * _QUERY_ROWS / len(units), 1.0))

            for start in range(0, len(units), _QUERY_ROWS):
                queries = points[start : start + _QUERY_ROWS]
                found, width = self._candidates(queries, points, count, width)
                waiting.append(pool.submit(rank_candidates, units, start, *found, k))
                if len(waiting) > 2 * self._thread_count:
                    take()
            while waiting:
                take()
        indices, distances = zip(*ranked, strict=True)
        return np.concatenate(indices), np.concatenate(distances)

    def _upload(self, units: FloatArray) -> torch.Tensor:
        try:
            # A copy, so that torch needs no array that can be written.
            return torch.tensor(units, device=self._device)
        except (MemoryError, RuntimeError) as error:
            if not _is_out_of_memory(error):
                raise
        raise self._too_small()

    def _columns_that_fit(self) -> int:
        free = _CPU_BLOCK_BYTES
        if self._device.type == "cuda":
            free = int(_MEMORY_SHARE * torch.cuda.mem_get_info(self._device)[0])
        return max(_LEAST_COLUMNS, free // (_QUERY_ROWS * _BYTES_PER_SIMILARITY))

    def _candidates(
        self, queries: torch.Tensor, points: torch.Tensor, count: int, width: int
    ) -> tuple[tuple[IntArray, FloatArray], int]:
        """Return what `_largest` does, and the width that was possible.

        A block that does not fit is tried again at half the width.
        """
        while True:
            try:
                return _largest(queries, points, count, width), width
            except (MemoryError, RuntimeError) as error:
                if not _is_out_of_memory(error):
                    raise
            # Only past the handler are the failed block's tensors gone.
            if self._device.type == "cuda":
                torch.cuda.empty_cache()
            if width <= _LEAST_COLUMNS:
                raise self._too_small()
            width //= 2

    def _too_small(self) -> DeviceMemoryTooSmall:
        return DeviceMemoryTooSmall(
            f"the memory of {self._device} is too small for so many vectors; free some, or set"
            " LEVEL_CLUSTER_DEVICE=cpu",
            device=self._device,
        )


def choose_torch_search(
    *, must_be_cuda: bool, thread_count: int, seed: int = 0
) -> NeighborSearch | None:
    """Return the search on the GPU, else the one in bfloat16, None where torch can do neither well.

    Raises
    ------
    EngineMissing
        There must be a GPU, and torch finds none.
    """
    if cuda_is_available():
        return TorchSearch("cuda", thread_count=thread_count)
    if must_be_cuda:
        raise EngineMissing(
            "torch finds no CUDA device; check the driver and that this torch was built for CUDA,"
            " or set LEVEL_CLUSTER_DEVICE=auto",
            device="cuda",
        )
    return Bf16Search(thread_count=thread_count, seed=seed) if multiplies_bf16() else None


def _largest(
    queries: torch.Tensor, points: torch.Tensor, count: int, width: int
) -> tuple[IntArray, FloatArray]:
    """Return for each query the rows of the ``count`` points most similar to it, in no order.

    And a similarity that no other point's is above: the least of theirs, -inf without other points.
    """
    values = queries.new_empty((len(queries), 0))
    places = torch.empty((len(queries), 0), dtype=torch.int64, device=queries.device)
    for start in range(0, len(points), width):
        similarities = queries @ points[start : start + width].T
        best = torch.topk(similarities, min(count, similarities.shape[1]), dim=1, sorted=False)
        values = torch.cat([values, best.values], dim=1)
        places = torch.cat([places, best.indices + start], dim=1)
        if values.shape[1] > count:
            values, order = torch.topk(values, count, dim=1, sorted=False)
            places = places.gather(1, order)
    bounds = (
        values.min(dim=1).values
        if count < len(points)
        else values.new_full((len(values),), -torch.inf)
    )
    return places.to(torch.int32).cpu().numpy(), bounds.cpu().numpy()


def _is_out_of_memory(error: Exception) -> bool:
    if isinstance(error, (MemoryError, torch.OutOfMemoryError)):
        return True
    # torch has no error of its own for the memory of a CPU, only these words.
    return "can't allocate memory" in str(error)
