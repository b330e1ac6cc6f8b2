"""Token ids of many texts as two small arrays, to go between processes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from embedder_svc.model import TokenisedText


@dataclass(frozen=True)
class TokenBlock:
    """Sequences of token ids, one after the other.

    Parameters
    ----------
    token_ids : ndarray of shape (n_tokens,), int32
        All ids.
    lengths : ndarray of shape (n_sequences,), int32
        How many of them each sequence has; they add up to ``n_tokens``.
    """

    token_ids: NDArray[np.int32]
    lengths: NDArray[np.int32]


@dataclass(frozen=True)
class TextBlock:
    """Tokenised texts.

    Parameters
    ----------
    pieces
        The pieces of all texts, in order.
    piece_counts : ndarray of shape (n_texts,), int32
        How many pieces each text has, at least one.
    """

    pieces: TokenBlock
    piece_counts: NDArray[np.int32]


def pack_tokens(sequences: Sequence[Sequence[int]]) -> TokenBlock:
    """Return the sequences as one block."""
    lengths = np.fromiter(map(len, sequences), np.int32, len(sequences))
    parts = [np.asarray(sequence, np.int32) for sequence in sequences]
    return TokenBlock(np.concatenate([np.empty(0, np.int32), *parts]), lengths)


def unpack_tokens(block: TokenBlock) -> list[list[int]]:
    """Return the sequences of a block."""
    token_ids = block.token_ids.tolist()
    return [token_ids[start:end] for start, end in _ranges(block.lengths)]


def pack_texts(texts: Iterable[TokenisedText]) -> TextBlock:
    """Return tokenised texts as one block."""
    pieces = [(text.token_ids, *text.rest) for text in texts]
    counts = np.fromiter(map(len, pieces), np.int32, len(pieces))
    return TextBlock(pack_tokens([piece for some in pieces for piece in some]), counts)


def unpack_texts(block: TextBlock) -> list[TokenisedText]:
    """Return the texts of a block."""
    pieces = unpack_tokens(block.pieces)
    return [
        TokenisedText(pieces[start], tuple(pieces[start + 1 : end]))
        for start, end in _ranges(block.piece_counts)
    ]


def _ranges(lengths: NDArray[np.int32]) -> Iterator[tuple[int, int]]:
    """Yield start and end of consecutive stretches of these lengths."""
    return pairwise([0, *np.cumsum(lengths).tolist()])
