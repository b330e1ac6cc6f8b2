"""Arrays in memory that two processes share, without a name that could be left behind.

The memory belongs to an open file and goes when the last process closes it, however it ends.
"""

from __future__ import annotations

import math
import mmap
import os
import tempfile
import weakref
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray


class SharedArray:
    """An array whose memory another process can map; freed with the last reference to it.

    Parameters
    ----------
    shape, dtype
        Of the array. Memory is taken as it is written.

    Raises
    ------
    MemoryError
        There is not enough of it.
    """

    def __init__(self, shape: tuple[int, ...], dtype: DTypeLike) -> None:
        descriptor = _anonymous_file()
        weakref.finalize(self, os.close, descriptor)
        self.descriptor = descriptor
        try:
            os.ftruncate(descriptor, _byte_count(shape, dtype))
            self.array = map_array(descriptor, shape, dtype)
        except (OSError, OverflowError) as error:
            raise MemoryError(str(error)) from error

    @classmethod
    def copy_of(cls, array: NDArray[Any]) -> SharedArray:
        """Return a copy of an array."""
        copy = cls(array.shape, array.dtype)
        copy.array[...] = array
        return copy

    @classmethod
    def of_descriptor(
        cls, descriptor: int, shape: tuple[int, ...], dtype: DTypeLike
    ) -> SharedArray:
        """Return the array of another process; the descriptor is closed with it."""
        received = cls.__new__(cls)
        weakref.finalize(received, os.close, descriptor)
        received.descriptor = descriptor
        received.array = map_array(descriptor, shape, dtype)
        return received


def map_array(descriptor: int, shape: tuple[int, ...], dtype: DTypeLike) -> NDArray[Any]:
    """Return the array in the memory of a file; it outlives the descriptor."""
    view = mmap.mmap(descriptor, _byte_count(shape, dtype))
    return np.frombuffer(view, dtype, math.prod(shape)).reshape(shape)


def _byte_count(shape: tuple[int, ...], dtype: DTypeLike) -> int:
    """Return the bytes of the file; at least one, since an empty file cannot be mapped."""
    return max(1, math.prod(shape) * np.dtype(dtype).itemsize)


def _anonymous_file() -> int:
    if hasattr(os, "memfd_create"):
        return os.memfd_create("level-array")
    with tempfile.TemporaryFile() as file:
        return os.dup(file.fileno())
