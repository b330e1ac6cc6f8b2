"""An array in memory that two processes share, without a name that could be left behind.

The memory belongs to an open file and goes when the last process closes it, however it ends.
"""

from __future__ import annotations

import math
import mmap
import os
import tempfile
from io import FileIO

import numpy as np

from cluster_svc.vectors import FloatArray


def share_array(array: FloatArray) -> FileIO:
    """Return an open file whose memory holds a copy of a float32 array of at least one element."""
    file = _anonymous_file()
    file.truncate(array.nbytes)
    map_array(file.fileno(), array.shape)[:] = array
    return file


def map_array(descriptor: int, shape: tuple[int, ...]) -> FloatArray:
    """Return the float32 array in the memory of a file; it outlives the descriptor.

    Parameters
    ----------
    descriptor : int
        Of the file that `share_array` returned, in this or another process.
    shape
        Of at least one element.
    """
    view = mmap.mmap(descriptor, math.prod(shape) * 4)
    return np.frombuffer(view, np.float32).reshape(shape)


def _anonymous_file() -> FileIO:
    if hasattr(os, "memfd_create"):
        return FileIO(os.memfd_create("level-vectors"), "r+")
    with tempfile.TemporaryFile() as file:
        return FileIO(os.dup(file.fileno()), "r+")
