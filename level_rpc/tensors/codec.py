"""Arrays to messages and single messages back.

A large array travels as blocks of complete small tensors, each with a checksum of its own: neither
TCP nor HTTP/2 notices a byte that a proxy or a memory chip flipped, and a receiver can use a block
before the next one comes.
"""

from __future__ import annotations

import math
import struct
import zlib
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from level_rpc.errors import (
    ArrayTooLarge,
    TensorSizeMismatch,
    TensorTypeMismatch,
)
from levelapi.tensor.v1 import tensor_pb2

MAX_BLOCK_BYTES = 2**20
"""Data of the largest block: bigger messages starve the event loop, and health checks with it."""

MAX_AXIS_COUNT = 32

_DTYPES: dict[tensor_pb2.ElementType, np.dtype[Any]] = {
    tensor_pb2.ELEMENT_TYPE_FLOAT16: np.dtype("<f2"),
    tensor_pb2.ELEMENT_TYPE_FLOAT32: np.dtype("<f4"),
    tensor_pb2.ELEMENT_TYPE_FLOAT64: np.dtype("<f8"),
    tensor_pb2.ELEMENT_TYPE_INT32: np.dtype("<i4"),
    tensor_pb2.ELEMENT_TYPE_INT64: np.dtype("<i8"),
    tensor_pb2.ELEMENT_TYPE_UINT8: np.dtype("|u1"),
}
_ELEMENT_TYPES = {dtype: element_type for element_type, dtype in _DTYPES.items()}
_ELEMENT_TYPES[np.dtype(np.bool_)] = tensor_pb2.ELEMENT_TYPE_UINT8


def pack_tensor(array: NDArray[Any]) -> tensor_pb2.Tensor:
    """Return the message that holds ``array``.

    Parameters
    ----------
    array : ndarray of any shape
        float16, float32, float64, int32, int64, uint8 or bool; bool travels as uint8.

    Raises
    ------
    TensorTypeMismatch
        The dtype has no place on the wire.
    ArrayTooLarge
        More than 1 MiB of data; send `split_array`'s blocks.
    """
    element_type = _element_type(array.dtype)
    little_endian = np.asarray(array, dtype=_DTYPES[element_type])
    if little_endian.nbytes > MAX_BLOCK_BYTES:
        raise _over_block_limit("a tensor", little_endian.nbytes, MAX_BLOCK_BYTES)
    return tensor_pb2.Tensor(
        element_type=element_type, shape=array.shape, data=little_endian.tobytes(order="C")
    )


def unpack_tensor(tensor: tensor_pb2.Tensor) -> NDArray[Any]:
    """Return the array that ``tensor`` holds, as a read-only view of the message's bytes.

    Raises
    ------
    TensorTypeMismatch
        The element type is unknown to this version.
    TensorSizeMismatch
        The shape is impossible, or the data is not as long as shape and element type say.
    """
    dtype = _DTYPES.get(tensor.element_type)
    if dtype is None:
        raise TensorTypeMismatch(
            f"element type {tensor.element_type} is unknown; send one that ElementType names",
            received=tensor.element_type,
        )
    shape = tuple(tensor.shape)
    if len(shape) > MAX_AXIS_COUNT or any(length < 0 for length in shape):
        raise TensorSizeMismatch(
            f"a tensor has at most {MAX_AXIS_COUNT} axes, each of length 0 or more",
            axis_count=len(shape),
        )
    expected_bytes = math.prod(shape) * dtype.itemsize
    if len(tensor.data) != expected_bytes or expected_bytes > MAX_BLOCK_BYTES:
        raise TensorSizeMismatch(
            f"a tensor of shape {list(shape)} and type {dtype.name} has {expected_bytes} bytes of "
            f"data, at most {MAX_BLOCK_BYTES}; {len(tensor.data)} came",
            expected_bytes=expected_bytes,
            received_bytes=len(tensor.data),
        )
    return np.frombuffer(tensor.data, dtype=dtype).reshape(shape)


def checksum(block: tensor_pb2.TensorBlock) -> int:
    """Return the CRC-32 of a block's row index, element type, shape and data, 0 to 2**32 - 1."""
    tensor = block.tensor
    header = struct.pack(
        f"<qi{len(tensor.shape)}q", block.first_row_index, tensor.element_type, *tensor.shape
    )
    return zlib.crc32(tensor.data, zlib.crc32(header))


def split_array(
    array: NDArray[Any], max_bytes: int = MAX_BLOCK_BYTES, *, first_row_index: int = 0
) -> Iterator[tensor_pb2.TensorBlock]:
    """Return the blocks of ``array`` in row order, each of at most ``max_bytes`` of data.

    Parameters
    ----------
    array : ndarray of shape (n_rows, ...)
        Read while the blocks are taken; an array of no rows has no blocks.
    max_bytes
        1 to 1 MiB.
    first_row_index
        The number of the first row, where the array is a part of a longer one.

    Raises
    ------
    ArrayTooLarge
        One row alone is larger than ``max_bytes``.
    TensorSizeMismatch
        A scalar has no rows to split.
    TensorTypeMismatch
        The dtype has no place on the wire.
    """
    if array.ndim == 0:
        raise TensorSizeMismatch("a scalar has no rows; send it as one tensor")
    row_bytes = math.prod(array.shape[1:]) * wire_dtype(array.dtype).itemsize
    max_bytes = min(max_bytes, MAX_BLOCK_BYTES)
    if row_bytes > max_bytes:
        raise _over_block_limit("one row", row_bytes, max_bytes)
    return _blocks(array, max_bytes // max(row_bytes, 1), first_row_index)


def _blocks(
    array: NDArray[Any], rows_per_block: int, first_row_index: int
) -> Iterator[tensor_pb2.TensorBlock]:
    for first in range(0, len(array), rows_per_block):
        rows = array[first : first + rows_per_block]
        block = tensor_pb2.TensorBlock(
            first_row_index=first_row_index + first, tensor=pack_tensor(rows)
        )
        block.crc32 = checksum(block)
        yield block


def _over_block_limit(what: str, byte_count: int, max_bytes: int) -> ArrayTooLarge:
    return ArrayTooLarge(
        f"{what} of {byte_count} bytes is over the {max_bytes} bytes that one message holds",
        array=what,
        announced_bytes=byte_count,
        maximum_bytes=max_bytes,
    )


def wire_dtype(dtype: np.dtype[Any]) -> np.dtype[Any]:
    """Return the dtype that values of ``dtype`` arrive as.

    Raises
    ------
    TensorTypeMismatch
        It has no place on the wire.
    """
    return _DTYPES[_element_type(dtype)]


def _element_type(dtype: np.dtype[Any]) -> tensor_pb2.ElementType:
    element_type = _ELEMENT_TYPES.get(dtype.newbyteorder("<"))
    if element_type is None:
        allowed = ", ".join(known.name for known in _ELEMENT_TYPES)
        raise TensorTypeMismatch(f"dtype {dtype} cannot be sent; convert to one of {allowed}")
    return element_type
