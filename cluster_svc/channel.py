"""Objects between the service and its compute process, large arrays in memory that both share."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields, is_dataclass, replace
from multiprocessing.connection import Connection
from multiprocessing.reduction import recv_handle, send_handle
from typing import Any

import numpy as np

from cluster_svc.shared_array import SharedArray

# A smaller array costs less as a part of the message than as a file.
_LEAST_BYTES = 2**16


@dataclass(frozen=True)
class _Aside:
    """Stands in a message for an array that goes beside it."""

    shape: tuple[int, ...]
    dtype: str
    is_shared: bool


def send(connection: Connection, message: object, process_id: int) -> None:
    """Send a message to the process at the other end; its shared arrays go without a copy.

    Parameters
    ----------
    message
        Dataclasses and tuples of them are searched for arrays, nothing else is.

    Raises
    ------
    OSError
        The other end is gone.
    """
    arrays: list[SharedArray] = []
    connection.send(_take_out(message, arrays))
    for shared in arrays:
        send_handle(connection, shared.descriptor, process_id)


def receive(connection: Connection) -> Any:
    """Return the next message.

    Raises
    ------
    EOFError, OSError
        The other end is gone.
    """
    return _put_back(connection.recv(), lambda: recv_handle(connection))


def _take_out(value: Any, arrays: list[SharedArray]) -> Any:
    """Return the value with its large arrays replaced; they are appended to ``arrays``."""
    if isinstance(value, np.ndarray) and value.nbytes >= _LEAST_BYTES:
        arrays.append(SharedArray.copy_of(value))
        return _Aside(value.shape, value.dtype.str, is_shared=False)
    if isinstance(value, SharedArray):
        arrays.append(value)
        return _Aside(value.array.shape, value.array.dtype.str, is_shared=True)
    return _rebuild(value, lambda part: _take_out(part, arrays))


def _put_back(value: Any, next_descriptor: Callable[[], int]) -> Any:
    """Return the value with its arrays in their places, which are taken in the order of sending."""
    if isinstance(value, _Aside):
        shared = SharedArray.of_descriptor(next_descriptor(), value.shape, value.dtype)
        return shared if value.is_shared else shared.array
    return _rebuild(value, lambda part: _put_back(part, next_descriptor))


def _rebuild(value: Any, change: Callable[[Any], Any]) -> Any:
    """Return a tuple or a dataclass with all its parts changed; anything else as it is."""
    if type(value) is tuple:
        return tuple(change(part) for part in value)
    if is_dataclass(value) and not isinstance(value, type):
        parts = {field.name: getattr(value, field.name) for field in fields(value)}
        return replace(value, **{name: change(part) for name, part in parts.items()})
    return value
