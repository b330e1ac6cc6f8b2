"""The arrays of a request stream: announced by its config, taken block by block."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cluster_svc.graph import NeighborGraph
from cluster_svc.request_limits import MAX_ROW_COUNT, check_range
from cluster_svc.shared_array import SharedArray
from level_rpc.errors import ConfigNotFirst, FieldInvalid
from level_rpc.limits import IDLE_SECONDS
from level_rpc.streams import received
from level_rpc.tensors import ArrayAssembler

# Progress is told at every tenth.
_STEP = 0.1

# Fields whose message holds a block of one of several arrays, which go by dotted names.
_GROUPS = ("graph", "model")


@dataclass(frozen=True)
class Limits:
    """What the service takes.

    Attributes
    ----------
    max_array_bytes : int
        The largest array of a request.
    idle_seconds : float
        How long a client may be silent while it sends.
    default_eps : float
        The eps of ``dbscan`` where automatic eps is off and none is given.
    """

    max_array_bytes: int = 2**33
    idle_seconds: float = IDLE_SECONDS
    default_eps: float = 0.5


class Upload:
    """One request stream.

    Parameters
    ----------
    requests
        Messages with one field set: first ``config``, then blocks by the names of their arrays;
        ``graph`` and ``model`` hold such a message in turn, their arrays go by dotted names.
    limits
        What is refused.
    """

    def __init__(self, requests: AsyncIterator[Any], limits: Limits) -> None:
        self._requests = received(requests, limits.idle_seconds)
        self._limits = limits
        self._arrays: dict[str, ArrayAssembler] = {}
        self._announced_rows = 0

    async def read_config(self) -> Any:
        """Return the config of the first message.

        Raises
        ------
        ConfigNotFirst
            It carries something else, or nothing came.
        StreamIdle
            The client was silent for too long.
        """
        request = await anext(self._requests, None)
        payload = "nothing" if request is None else request.WhichOneof("payload") or "nothing"
        if request is None or payload != "config":
            raise ConfigNotFirst(
                f"the first message must carry config; it carried {payload}", received=payload
            )
        return request.config

    def expect(
        self, name: str, dtype: type, row_count: int, *row_shape: int
    ) -> Callable[[], NDArray[Any]]:
        """Return what gives an announced array once all has come; refuses a too large one."""
        return self._expect(name, dtype, row_count, row_shape).finish

    def expect_shared(
        self, name: str, row_count: int, *row_shape: int
    ) -> Callable[[], SharedArray]:
        """Return the same for a float32 array that lies in shared memory from the beginning."""
        taken: list[SharedArray] = []

        def allocate(shape: tuple[int, ...], dtype: np.dtype[Any]) -> NDArray[Any]:
            taken.append(SharedArray(shape, dtype))
            return taken[0].array

        assembler = self._expect(name, np.float32, row_count, row_shape, allocate)

        def finish() -> SharedArray:
            assembler.finish()
            return taken[0]

        return finish

    def _expect(
        self,
        name: str,
        dtype: type,
        row_count: int,
        row_shape: tuple[int, ...],
        allocate: Callable[[tuple[int, ...], np.dtype[Any]], NDArray[Any]] = np.empty,
    ) -> ArrayAssembler:
        assembler = ArrayAssembler(
            name,
            dtype,
            row_count,
            row_shape,
            max_bytes=self._limits.max_array_bytes,
            allocate=allocate,
        )
        self._arrays[name] = assembler
        self._announced_rows += row_count
        return assembler

    def expect_graph(
        self, row_count: int, node_count: int, neighbor_count: int
    ) -> Callable[[], NeighborGraph]:
        """Return what gives the announced graph, checked, once all has come."""
        check_range("graph_shape.row_count", row_count, 1, MAX_ROW_COUNT)
        check_range("graph_shape.node_count", node_count, 1, row_count)
        check_range("graph_shape.neighbor_count", neighbor_count, 0, node_count - 1)
        nodes = self.expect("graph.row_nodes", np.int32, row_count)
        indices = self.expect("graph.indices", np.int32, node_count, neighbor_count)
        distances = self.expect("graph.distances", np.float32, node_count, neighbor_count)

        def finish() -> NeighborGraph:
            graph = NeighborGraph(nodes(), indices(), distances())
            graph.check()
            return graph

        return finish

    async def receive(self) -> AsyncGenerator[float, None]:
        """Take all blocks up to the end of the stream, yielding now and then the fraction taken.

        Raises
        ------
        StreamIdle
            The client was silent for too long.
        LevelError
            A block is not the one that is due, or damaged; see `ArrayAssembler.add`.
        """
        told = 0.0
        async for request in self._requests:
            name, block = _open(request)
            if name not in self._arrays:
                raise _unexpected(name)
            await asyncio.to_thread(self._arrays[name].add, block)
            fraction = self._fraction()
            if fraction >= told + _STEP:
                told = fraction
                yield fraction

    def _fraction(self) -> float:
        row_count = sum(array.received_row_count for array in self._arrays.values())
        return row_count / self._announced_rows


def _open(request: Any) -> tuple[str, Any]:
    """Return the name and the block that a message carries."""
    name = request.WhichOneof("payload")
    if name in _GROUPS:
        group, request = name, getattr(request, name)
        array = request.WhichOneof("array")
        return (f"{group}.{array}", getattr(request, array)) if array else ("nothing", None)
    return (name, getattr(request, name)) if name else ("nothing", None)


def _unexpected(name: str) -> ConfigNotFirst | FieldInvalid:
    if name == "config":
        return ConfigNotFirst("a second config came", received=name)
    return FieldInvalid(f"{name} came, which config does not announce", field=name)
