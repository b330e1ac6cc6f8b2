"""Blocks of an announced array back into the array."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from level_rpc.errors import (
    ArrayTooLarge,
    TensorChecksumMismatch,
    TensorNotFinite,
    TensorRowsMismatch,
    TensorSizeMismatch,
    TensorTypeMismatch,
)
from level_rpc.tensors.codec import MAX_AXIS_COUNT, checksum, unpack_tensor, wire_dtype
from levelapi.tensor.v1 import tensor_pb2

MAX_ARRAY_BYTES = 2**34
"""Default limit of an announced array: four million vectors of 1,024 float32."""


class ArrayAssembler:
    """Puts the blocks of one announced array together, and trusts none of them.

    Parameters
    ----------
    name
        What the array is called in error messages.
    dtype
        The announced element type; bool arrives as uint8.
    row_count
        Announced number of rows.
    row_shape
        Announced shape of one row, ``()`` for one number per row.
    max_bytes
        Largest array accepted; memory is taken once, at the announcement.
    allocate
        Gives that memory for a shape and an element type; ``numpy.empty`` unless told otherwise.

    Raises
    ------
    ArrayTooLarge
        The announced array is over ``max_bytes``, or memory does not suffice.
    TensorRowsMismatch, TensorSizeMismatch
        A negative length was announced.
    """

    def __init__(
        self,
        name: str,
        dtype: DTypeLike,
        row_count: int,
        row_shape: Sequence[int] = (),
        *,
        max_bytes: int = MAX_ARRAY_BYTES,
        allocate: Callable[[tuple[int, ...], np.dtype[Any]], NDArray[Any]] = np.empty,
    ) -> None:
        self._name = name
        self._dtype = wire_dtype(np.dtype(dtype))
        self._row_shape = tuple(row_shape)
        self._received = 0
        self._array = self._allocate(row_count, max_bytes, allocate)

    @property
    def received_row_count(self) -> int:
        """Number of rows that have arrived."""
        return self._received

    def add(self, block: tensor_pb2.TensorBlock) -> None:
        """Take the next block.

        Raises
        ------
        TensorChecksumMismatch
            The block was damaged on the way.
        TensorTypeMismatch
            The element type or the shape of a row is not the announced one.
        TensorSizeMismatch
            The data is not as long as its shape and element type say.
        TensorRowsMismatch
            The block leaves a gap, overlaps rows that came before, or goes past the announced rows.
        TensorNotFinite
            NaN or an infinity among the values.
        """
        self._check_checksum(block)
        rows = unpack_tensor(block.tensor)
        self._check_rows(rows, block.first_row_index)
        end = self._received + len(rows)
        self._array[self._received : end] = rows
        self._received = end

    def finish(self) -> NDArray[Any]:
        """Return the whole array, of shape (row_count, *row_shape).

        Raises
        ------
        TensorRowsMismatch
            The stream ended before the last announced row.
        """
        if self._received != len(self._array):
            raise self._rows_mismatch(f"ended after {self._received} rows")
        return self._array

    def _allocate(
        self,
        row_count: int,
        max_bytes: int,
        allocate: Callable[[tuple[int, ...], np.dtype[Any]], NDArray[Any]],
    ) -> NDArray[Any]:
        if row_count < 0:
            raise TensorRowsMismatch(f"{self._name}: row_count is negative", array=self._name)
        if len(self._row_shape) >= MAX_AXIS_COUNT or any(length < 0 for length in self._row_shape):
            raise TensorSizeMismatch(f"{self._name}: impossible row shape", array=self._name)
        # A row of no values still counts one byte, so that its row count is bounded too.
        announced_bytes = row_count * max(math.prod(self._row_shape) * self._dtype.itemsize, 1)
        if announced_bytes > max_bytes:
            raise self._too_large(announced_bytes, max_bytes)
        try:
            return allocate((row_count, *self._row_shape), self._dtype)
        except (MemoryError, ValueError) as error:
            raise self._too_large(announced_bytes, max_bytes) from error

    def _check_checksum(self, block: tensor_pb2.TensorBlock) -> None:
        if checksum(block) != block.crc32:
            raise TensorChecksumMismatch(
                f"{self._name}: the block of row {block.first_row_index} has a wrong checksum; "
                "it was damaged on the way, send the stream again",
                array=self._name,
                first_row_index=block.first_row_index,
            )

    def _check_rows(self, rows: NDArray[Any], first_row_index: int) -> None:
        if rows.dtype != self._dtype:
            raise TensorTypeMismatch(
                f"{self._name}: {self._dtype.name} was announced, {rows.dtype.name} came",
                array=self._name,
                expected=self._dtype.name,
                received=rows.dtype.name,
            )
        if rows.ndim == 0 or rows.shape[1:] != self._row_shape:
            raise TensorTypeMismatch(
                f"{self._name}: rows of shape {list(self._row_shape)} were announced, "
                f"a tensor of shape {list(rows.shape)} came",
                array=self._name,
                expected=list(self._row_shape),
                received=list(rows.shape[1:]),
            )
        if first_row_index != self._received:
            raise self._rows_mismatch(f"row {self._received} is next, row {first_row_index} came")
        if self._received + len(rows) > len(self._array):
            raise self._rows_mismatch("more rows came")
        if rows.dtype.kind == "f" and not np.isfinite(rows).all():
            raise self._not_finite(rows)

    def _rows_mismatch(self, what: str) -> TensorRowsMismatch:
        return TensorRowsMismatch(
            f"{self._name}: {len(self._array)} rows were announced, {what}",
            array=self._name,
            expected_rows=len(self._array),
            received_rows=self._received,
        )

    def _not_finite(self, rows: NDArray[Any]) -> TensorNotFinite:
        bad_rows = np.flatnonzero(~np.isfinite(rows).reshape(len(rows), -1).all(axis=1))
        row_index = self._received + int(bad_rows[0])
        return TensorNotFinite(
            f"{self._name}: row {row_index} holds NaN or an infinity",
            array=self._name,
            row_index=row_index,
        )

    def _too_large(self, announced_bytes: int, max_bytes: int) -> ArrayTooLarge:
        return ArrayTooLarge(
            f"{self._name}: {announced_bytes} bytes were announced, at most {max_bytes} are "
            "accepted and must fit in memory; send fewer rows",
            array=self._name,
            announced_bytes=announced_bytes,
            maximum_bytes=max_bytes,
        )
