"""The tensor codec: what goes in comes out, and nothing damaged gets through."""

import zlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from level_rpc.errors import (
    ArrayTooLarge,
    LevelError,
    TensorChecksumMismatch,
    TensorNotFinite,
    TensorRowsMismatch,
    TensorSizeMismatch,
    TensorTypeMismatch,
)
from level_rpc.tensors import (
    MAX_BLOCK_BYTES,
    ArrayAssembler,
    checksum,
    pack_tensor,
    split_array,
    unpack_tensor,
)
from levelapi.tensor.v1 import tensor_pb2

DTYPES = ["float16", "float32", "float64", "int32", "int64", "uint8"]


def finite_arrays(min_rows: int = 0):
    def of_dtype(name: str):
        bits = 8 * np.dtype(name).itemsize
        finite = st.floats(width=bits, allow_nan=False, allow_infinity=False)
        shapes = hnp.array_shapes(min_dims=1, max_dims=3, min_side=min_rows, max_side=6)
        return hnp.arrays(name, shapes, elements=finite if name.startswith("float") else None)

    return st.sampled_from(DTYPES).flatmap(of_dtype)


def assemble(array, blocks):
    assembler = ArrayAssembler("vectors", array.dtype, len(array), array.shape[1:])
    for block in blocks:
        assembler.add(block)
    return assembler.finish()


def block_of(array, first_row_index=0):
    block = tensor_pb2.TensorBlock(first_row_index=first_row_index, tensor=pack_tensor(array))
    block.crc32 = checksum(block)
    return block


def vectors(row_count, first=0.0):
    return np.full((row_count, 2), first, dtype=np.float32)


@given(finite_arrays())
def test_blocks_reassemble_to_the_same_array(array):
    row_bytes = array.itemsize * int(np.prod(array.shape[1:]))
    wire = [b.SerializeToString() for b in split_array(array, max_bytes=max(row_bytes, 1))]
    result = assemble(array, map(tensor_pb2.TensorBlock.FromString, wire))
    assert result.dtype == array.dtype
    np.testing.assert_array_equal(result, array)


@given(finite_arrays())
def test_tensor_round_trips(array):
    result = unpack_tensor(pack_tensor(array))
    assert result.dtype == array.dtype
    np.testing.assert_array_equal(result, array)


@given(st.data(), finite_arrays(min_rows=1))
def test_a_changed_byte_anywhere_in_a_block_is_noticed(data, array):
    wire = bytearray(block_of(array).SerializeToString())
    position = data.draw(st.integers(0, len(wire) - 1))
    wire[position] ^= data.draw(st.integers(1, 255))
    try:
        block = tensor_pb2.TensorBlock.FromString(bytes(wire))
    except Exception:  # protobuf itself has noticed
        return
    if block == block_of(array):  # an equal message, written in another way
        return
    with pytest.raises(LevelError):
        assemble(array, [block])


@pytest.mark.parametrize("array", [np.float32(3.0), np.zeros((0, 4), np.int32), np.arange(3)[::-1]])
def test_scalars_empty_and_strided_arrays_round_trip(array):
    np.testing.assert_array_equal(unpack_tensor(pack_tensor(np.asarray(array))), array)


def test_bool_travels_as_uint8_and_big_endian_as_little():
    assert unpack_tensor(pack_tensor(np.array([True, False]))).tolist() == [1, 0]
    swapped = np.array([1, 2], dtype=">i4")
    assert pack_tensor(swapped).data == swapped.astype("<i4").tobytes()
    assert assemble(np.array([True]), split_array(np.array([True]))).dtype == np.uint8


def test_checksum_is_the_documented_one():
    block = tensor_pb2.TensorBlock(
        first_row_index=5,
        tensor=tensor_pb2.Tensor(
            element_type=tensor_pb2.ELEMENT_TYPE_UINT8, shape=[1, 3], data=b"abc"
        ),
    )
    written_out = (
        (5).to_bytes(8, "little")
        + (6).to_bytes(4, "little")
        + (1).to_bytes(8, "little")
        + (3).to_bytes(8, "little")
        + b"abc"
    )
    assert checksum(block) == zlib.crc32(written_out)


def test_blocks_fill_a_mebibyte_and_no_more():
    sizes = [len(b.tensor.data) for b in split_array(np.zeros((3000, 384), np.float32))]
    assert max(sizes) <= MAX_BLOCK_BYTES
    assert sizes[0] > MAX_BLOCK_BYTES - 384 * 4


def test_the_rows_of_a_part_are_numbered_as_those_of_the_whole():
    array = np.arange(10, dtype=np.int64)
    whole = list(split_array(array, max_bytes=8))
    assert list(split_array(array[4:], max_bytes=8, first_row_index=4)) == whole[4:]


def test_a_row_larger_than_a_block_is_refused_before_anything_is_sent():
    with pytest.raises(ArrayTooLarge, match="one row"):
        split_array(np.zeros((1, MAX_BLOCK_BYTES + 1), np.uint8))


@pytest.mark.parametrize("dtype", [object, "U3", "complex64", "int8", "datetime64[s]"])
def test_dtypes_without_a_place_on_the_wire_are_refused(dtype):
    with pytest.raises(TensorTypeMismatch):
        pack_tensor(np.zeros(2, dtype))


@pytest.mark.parametrize(
    ("tensor", "error"),
    [
        (tensor_pb2.Tensor(), TensorTypeMismatch),
        (tensor_pb2.Tensor(element_type=99, shape=[0]), TensorTypeMismatch),
        (tensor_pb2.Tensor(element_type=2, shape=[2], data=b"1234567"), TensorSizeMismatch),
        (tensor_pb2.Tensor(element_type=6, shape=[-1, -2], data=b"ab"), TensorSizeMismatch),
        (tensor_pb2.Tensor(element_type=6, shape=[1] * 100, data=b"a"), TensorSizeMismatch),
        (tensor_pb2.Tensor(element_type=6, shape=[2**62, 2**62]), TensorSizeMismatch),
        (
            tensor_pb2.Tensor(
                element_type=6, shape=[MAX_BLOCK_BYTES + 1], data=bytes(MAX_BLOCK_BYTES + 1)
            ),
            TensorSizeMismatch,
        ),
    ],
)
def test_a_malformed_tensor_is_refused(tensor, error):
    with pytest.raises(error):
        unpack_tensor(tensor)


@pytest.mark.parametrize(
    ("blocks", "error"),
    [
        ([block_of(vectors(2)), block_of(vectors(2), 3)], TensorRowsMismatch),
        ([block_of(vectors(2)), block_of(vectors(2), 1)], TensorRowsMismatch),
        ([block_of(vectors(2), -2)], TensorRowsMismatch),
        ([block_of(vectors(5))], TensorRowsMismatch),
        ([block_of(vectors(3))], TensorRowsMismatch),
        ([], TensorRowsMismatch),
        ([block_of(np.zeros((4, 3), np.float32))], TensorTypeMismatch),
        ([block_of(np.zeros(4, np.float32))], TensorTypeMismatch),
        ([block_of(np.zeros((4, 2), np.float64))], TensorTypeMismatch),
        ([block_of(np.array(1.0, np.float32))], TensorTypeMismatch),
        ([block_of(vectors(4, np.nan))], TensorNotFinite),
        ([block_of(vectors(4, -np.inf))], TensorNotFinite),
        ([tensor_pb2.TensorBlock(tensor=pack_tensor(vectors(4)))], TensorChecksumMismatch),
        ([tensor_pb2.TensorBlock()], TensorChecksumMismatch),
    ],
)
def test_blocks_that_break_the_announcement_are_refused(blocks, error):
    with pytest.raises(error) as caught:
        assemble(vectors(4), blocks)
    assert caught.value.metadata.get("array", "vectors") == "vectors"


def test_the_error_names_the_row_that_is_not_finite():
    rows = vectors(3)
    rows[2, 1] = np.inf
    assembler = ArrayAssembler("vectors", np.float32, 4, (2,))
    assembler.add(block_of(vectors(1)))
    with pytest.raises(TensorNotFinite, match="row 3"):
        assembler.add(block_of(rows, first_row_index=1))
    assert assembler.received_row_count == 1


@pytest.mark.parametrize(
    ("row_count", "row_shape", "error"),
    [
        (2**62, (2**62,), ArrayTooLarge),
        (2**62, (0,), ArrayTooLarge),
        (1001, (), ArrayTooLarge),
        (-1, (), TensorRowsMismatch),
        (1, (-1, -1), TensorSizeMismatch),
    ],
)
def test_absurd_announcements_are_refused_before_memory_is_taken(row_count, row_shape, error):
    with pytest.raises(error):
        ArrayAssembler("rows", np.float32, row_count, row_shape, max_bytes=4000)


def test_memory_of_an_array_may_come_from_elsewhere():
    taken = []

    def allocate(shape, dtype):
        taken.append(np.empty(shape, dtype))
        return taken[0]

    array = np.arange(12, dtype=np.float32).reshape(6, 2)
    assembler = ArrayAssembler("array", np.float32, 6, (2,), allocate=allocate)
    for block in split_array(array):
        assembler.add(block)
    assert assembler.finish() is taken[0]
    np.testing.assert_array_equal(taken[0], array)
