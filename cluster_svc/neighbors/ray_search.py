"""Exact search on an existing Ray cluster: its query blocks are independent tasks.

The vectors are put once into the cluster's object store, from which tasks of one node read them
without a copy. A block is computed by the code that computes it on this machine, so the result is
the same to the last bit where processors and installed versions are the same. Every node needs
Level's extras ``cluster`` and ``ray``, in the version of this process.

Ray ends the tasks of a driver that is gone: killing this process breaks the search off.
"""

from __future__ import annotations

import ctypes
import os
import signal
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import version
from urllib.parse import urlsplit

import numpy as np
import ray
from ray.exceptions import RayError

from cluster_svc.compiled import ReportFraction
from cluster_svc.errors import EngineUnavailable
from cluster_svc.neighbors.exact import QUERY_BLOCK_ROWS, search_block
from cluster_svc.vectors import FloatArray, IntArray

AUTO = "auto"
_CONNECT_SECONDS = 5.0
# Products of numbers that a core does in about a second, and rows below which it does fewer.
_BLOCK_PRODUCTS = 2**36
_LEAST_BLOCK_ROWS = 128

_Block = tuple[IntArray, FloatArray]


class RaySearch:
    """The search as tasks of one core each.

    Parameters
    ----------
    address : str
        ``host:port`` of the cluster that this machine is a node of, ``ray://host:port`` of the
        client server of any cluster, or ``auto`` or nothing for the cluster that runs on this
        machine.
    """

    def __init__(self, address: str = AUTO) -> None:
        self._address = address or AUTO

    def __call__(
        self, units: FloatArray, k: int, *, report: ReportFraction = lambda fraction: None
    ) -> tuple[IntArray, FloatArray]:
        """Return the neighbours of each row; see `NeighborSearch`.

        Raises
        ------
        EngineUnavailable
            No cluster answers, it was lost meanwhile, or its nodes lack Level.
        """
        self._connect()
        try:
            return _search(units, k, report)
        except (RayError, ConnectionError) as error:
            ray.shutdown()
            raise self._unavailable("broke the search off") from error

    def _connect(self) -> None:
        if ray.is_initialized():
            return
        self._check_port()
        # Level reports nothing to anyone.
        os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
        try:
            with _kept_signal_handlers():
                ray.init(
                    address=self._address,
                    namespace="level",
                    log_to_driver=False,
                    configure_logging=False,
                )
        except (RayError, ConnectionError, RuntimeError, ValueError) as error:
            raise self._unavailable("does not answer as Ray does") from error

    def _check_port(self) -> None:
        """Raise EngineUnavailable where nobody listens; Ray itself would try for minutes."""
        if self._address == AUTO:
            return
        parts = urlsplit(self._address if "://" in self._address else f"//{self._address}")
        try:
            host, port = parts.hostname or "", parts.port or 0
            socket.create_connection((host, port), timeout=_CONNECT_SECONDS).close()
        except (OSError, ValueError) as error:
            raise self._unavailable("does not answer") from error

    def _unavailable(self, what: str) -> EngineUnavailable:
        return EngineUnavailable(
            f"the Ray cluster at {self._address} {what}; check LEVEL_CLUSTER_RAY_ADDRESS, that the"
            " cluster runs, and that each of its nodes has the same version of level[cluster,ray],"
            " or set LEVEL_CLUSTER_ENGINE=local",
            address=self._address,
        )


def _search(units: FloatArray, k: int, report: ReportFraction) -> tuple[IntArray, FloatArray]:
    count = len(units)
    indices = np.empty((count, k), np.int32)
    distances = np.empty((count, k), np.float32)
    stored = ray.put(units)
    task = ray.remote(_search_block)
    height = _block_rows(units)
    ranges = ((start, min(start + height, count)) for start in range(0, count, height))
    range_of = {task.remote(stored, *rows, k, version("level")): rows for rows in ranges}
    done = 0
    for block in _as_finished(list(range_of)):
        start, stop = range_of.pop(block)
        indices[start:stop], distances[start:stop] = ray.get(block)
        done += stop - start
        report(done / count)
    return indices, distances


def _block_rows(units: FloatArray) -> int:
    """Return how many query rows a task has: few enough that one ends about every second."""
    return max(_LEAST_BLOCK_ROWS, min(QUERY_BLOCK_ROWS, _BLOCK_PRODUCTS // units.size))


def _search_block(units: FloatArray, start: int, stop: int, k: int, level_version: str) -> _Block:
    """Return the neighbours of the rows [start, stop); runs on a node of the cluster."""
    if version("level") != level_version:
        raise RuntimeError(f"this node has Level {version('level')}, the driver {level_version}")
    return search_block(_as_ordinary(units), start, stop, k)


def _as_ordinary(units: FloatArray) -> FloatArray:
    """Return the memory of an array that must not be written as one that could be.

    Nobody writes to it; but for arrays of the other kind all would be compiled a second time.
    """
    pointer = ctypes.cast(units.ctypes.data, ctypes.POINTER(ctypes.c_float))
    return np.ctypeslib.as_array(pointer, shape=units.shape)


def _as_finished(blocks: list[ray.ObjectRef]) -> Iterator[ray.ObjectRef]:
    while blocks:
        finished, blocks = ray.wait(blocks, num_returns=1, timeout=None)
        yield from finished


@contextmanager
def _kept_signal_handlers() -> Iterator[None]:
    """Undo what Ray does to this process's handling of being stopped."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
