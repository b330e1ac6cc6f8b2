"""NumPy arrays to and from messages; the one place where the two meet."""

from level_rpc.tensors.assembler import MAX_ARRAY_BYTES, ArrayAssembler
from level_rpc.tensors.codec import (
    MAX_BLOCK_BYTES,
    checksum,
    pack_tensor,
    split_array,
    unpack_tensor,
)

__all__ = [
    "MAX_ARRAY_BYTES",
    "MAX_BLOCK_BYTES",
    "ArrayAssembler",
    "checksum",
    "pack_tensor",
    "split_array",
    "unpack_tensor",
]
