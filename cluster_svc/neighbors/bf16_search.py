"""Exact search on a CPU that multiplies bfloat16 matrices, by torch.

bfloat16 keeps two to three digits, so the products only name candidates, more than are asked for,
and bound what is left out; the local search's own code ranks them, and searches a row anew where
they cannot be shown to hold the nearest. So the result is the local one to the last bit.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from cluster_svc.compiled import ReportFraction, for_each_block, kernel
from cluster_svc.neighbors.ranking import rank_candidates
from cluster_svc.neighbors.search import local_search
from cluster_svc.vectors import FloatArray, IntArray

# So many that hardly a row must be searched anew.
EXTRA_CANDIDATES = 17
# Both factors of every product are rounded by up to 2^-9 of their size, sums of products of unit
# vectors so by 2^-8; and then the sum by 2^-9. A little more, for the second orders.
_ERROR = 2.0**-8 + 2.0**-9 + 2.0**-14
# Above so many rows the local search, which is approximate there, is faster.
ROW_LIMIT = 40_000
_QUERY_ROWS = 1024
# oneDNN prepares itself for each shape of matrices; the last block is filled up to have this one.
_COLUMNS = 8192
_FLAGS = {"avx512_bf16", "amx_bf16"}
_LOWEST = np.int16(-(2**15))


def multiplies_bf16(cpu_info: Path = Path("/proc/cpuinfo")) -> bool:
    """Return True where the CPU has instructions for products of bfloat16 matrices."""
    try:
        lines = cpu_info.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return False
    flags = next((line for line in lines if line.startswith("flags")), "")
    return not _FLAGS.isdisjoint(flags.split())


class Bf16Search:
    """The search on this machine's cores.

    Parameters
    ----------
    thread_count : int
        At least 1; the result does not depend on it.
    seed : int
        Of the local search, which is taken above 40,000 rows.
    """

    def __init__(self, *, thread_count: int = 1, seed: int = 0) -> None:
        self._thread_count = thread_count
        self._seed = seed

    def __call__(
        self, units: FloatArray, k: int, *, report: ReportFraction = lambda fraction: None
    ) -> tuple[IntArray, FloatArray]:
        """Return the neighbours of each row; see `NeighborSearch`."""
        if len(units) > ROW_LIMIT:
            engine = local_search(seed=self._seed, thread_count=self._thread_count)
            return engine(units, k, report=report)
        # Blocks share the cores; a product on one of them is the same however many there are.
        torch.set_num_threads(1)
        points = torch.tensor(units).to(torch.bfloat16)
        indices = np.empty((len(units), k), np.int32)
        distances = np.empty((len(units), k), np.float32)

        def work(start: int, stop: int) -> None:
            with torch.inference_mode():
                candidates = _candidates(points, start, stop, k + EXTRA_CANDIDATES)
            found = rank_candidates(units, start, *candidates, k)
            indices[start:stop], distances[start:stop] = found

        for_each_block(
            work, len(units), _QUERY_ROWS, thread_count=self._thread_count, report=report
        )
        return indices, distances


def _candidates(
    points: torch.Tensor, start: int, stop: int, count: int
) -> tuple[IntArray, FloatArray]:
    """Return the rows of the most similar points of each query, and the bounds of all others."""
    queries = torch.zeros((_QUERY_ROWS, points.shape[1]), dtype=torch.bfloat16)
    queries[: stop - start] = points[start:stop]
    similarities = torch.empty((_QUERY_ROWS, _COLUMNS), dtype=torch.bfloat16)
    values = np.full((stop - start, count), _LOWEST, np.int16)
    rows: IntArray = np.full((stop - start, count), -1, np.int32)
    for column in range(0, len(points), _COLUMNS):
        others = points[column : column + _COLUMNS]
        if len(others) < _COLUMNS:
            others = torch.cat(
                [others, others.new_zeros((_COLUMNS - len(others), others.shape[1]))]
            )
        torch.mm(queries, others.T, out=similarities)
        width = min(_COLUMNS, len(points) - column)
        bits = similarities.view(torch.int16).numpy()
        keep_largest(bits, stop - start, width, column, values, rows)
    return rows, _bounds(values[:, 0])


def _bounds(least: NDArray[np.int16]) -> FloatArray:
    """Return similarities that nothing left out can exceed; -inf where nothing was."""
    bits = np.where(least < 0, least ^ 0x7FFF, least).astype(np.int16)
    similarities = (bits.view(np.uint16).astype(np.uint32) << 16).view(np.float32)
    bounds: FloatArray = np.where(least == _LOWEST, -np.inf, similarities + _ERROR)
    return bounds.astype(np.float32)


@kernel
def keep_largest(
    bits: NDArray[np.int16],
    row_count: int,
    width: int,
    first_column: int,
    values: NDArray[np.int16],
    columns: NDArray[np.int32],
) -> None:
    """Take the largest of more similarities into the heaps of the largest so far, smallest first.

    The bits of bfloat16 numbers order them as integers do, once those of negative ones are turned.
    """
    lanes = 64
    for row in range(row_count):
        similarities = bits[row]
        least = values[row, 0]
        for start in range(0, width, lanes):
            stop = min(start + lanes, width)
            largest = similarities[start]
            for column in range(start, stop):
                largest = max(largest, similarities[column])
            # Bits of negative numbers are negative, whatever their order.
            if least >= 0 and largest <= least:
                continue
            for column in range(start, stop):
                value = similarities[column]
                if value < 0:
                    value = np.int16(value ^ 0x7FFF)
                if value > least:
                    _replace_least(values[row], columns[row], value, first_column + column)
                    least = values[row, 0]


@kernel
def _replace_least(
    values: NDArray[np.int16], columns: NDArray[np.int32], value: int, column: int
) -> None:
    count = len(values)
    place = 0
    while True:
        child = 2 * place + 1
        if child >= count:
            break
        if child + 1 < count and values[child + 1] < values[child]:
            child += 1
        if values[child] >= value:
            break
        values[place] = values[child]
        columns[place] = columns[child]
        place = child
    values[place] = value
    columns[place] = column
