"""One vector as it lies on disk: its key, a checksum of everything, its flags, its numbers.

A record is a row of 64-bit words: two of key, one of checksum, one of flags, then the vector as
32-bit floats, with a float of zero after an odd number of them.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from embedder_svc.unit_length import are_unit

KEY_BYTES = 16
WORD_BYTES = 8

Words = NDArray[np.uint64]

_KEY = slice(0, 2)
_CHECKSUM = 2
_FLAGS = 3
_VECTOR = 4
_TRUNCATED, _CHUNKED = np.uint64(1), np.uint64(2)
_SALT = np.uint64(0x9E3779B97F4A7C15)


def word_count(dimension_count: int) -> int:
    """Return how many words a record of so many dimensions has."""
    return _VECTOR + (dimension_count + 1) // 2


def keys_as_words(keys: Sequence[bytes]) -> Words:
    """Return the keys as an array of shape (n_keys, 2).

    Raises
    ------
    ValueError
        A key has not 16 bytes.
    """
    if not {KEY_BYTES}.issuperset(map(len, keys)):
        raise ValueError(f"a key of the vector cache has {KEY_BYTES} bytes")
    return np.frombuffer(b"".join(keys), dtype=np.uint64).reshape(-1, 2)


def pack(
    keys: Words,
    vectors: NDArray[np.float32],
    truncated: NDArray[np.bool_],
    chunked: NDArray[np.bool_],
) -> Words:
    """Return the records of vectors, an array of shape (n_keys, n_words)."""
    records = np.zeros((len(keys), word_count(vectors.shape[1])), dtype=np.uint64)
    records[:, _KEY] = keys
    records[:, _FLAGS] = truncated * _TRUNCATED + chunked * _CHUNKED
    records[:, _VECTOR:].view(np.float32)[:, : vectors.shape[1]] = vectors
    records[:, _CHECKSUM] = _checksums(records)
    return records


def are_whole(records: Words, keys: Words, dimension_count: int) -> NDArray[np.bool_]:
    """Return for each record whether it is its key's, undamaged, and of a unit vector."""
    whole: NDArray[np.bool_] = (records[:, _KEY] == keys).all(axis=1)
    whole &= _checksums(records) == records[:, _CHECKSUM]
    whole &= are_unit(vectors_of(records, dimension_count))
    return whole


def vectors_of(records: Words, dimension_count: int) -> NDArray[np.float32]:
    """Return the vectors within the records."""
    return records[:, _VECTOR:].view(np.float32)[:, :dimension_count]


def flags_of(records: Words) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Return for each record whether its text was truncated, and whether it was chunked."""
    flags = records[:, _FLAGS]
    return (flags & _TRUNCATED) != 0, (flags & _CHUNKED) != 0


def _checksums(records: Words) -> Words:
    """Return the sum of each record's words but the checksum; not 0 for a record of zeros.

    A disk's fault blanks or replaces whole blocks, which a sum tells as surely as a dearer code.
    """
    sums: Words = records.sum(axis=1) - records[:, _CHECKSUM] + _SALT
    return sums
