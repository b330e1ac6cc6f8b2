"""Texts as the sequences of tokens that a model reads: one each, or several for a long one."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from embedder_svc.model import TokenisedText

# A mean this short is what rounding left of pieces that cancel out, so its direction says nothing.
_SHORTEST_MEAN = 1e-3


class LongTextMode(StrEnum):
    """What becomes of a text with more tokens than the model reads."""

    TRUNCATE = "truncate"
    MEAN = "mean"


@dataclass(frozen=True)
class Pieces:
    """The token sequences of some texts, those of one text beside each other.

    Parameters
    ----------
    sequences
        Token ids.
    starts : ndarray of shape (n_texts,), int64
        The first sequence of each text.
    truncated : ndarray of shape (n_texts,), bool
        True where the sequences are not the whole text.
    """

    sequences: list[Sequence[int]]
    starts: NDArray[np.int64]
    truncated: NDArray[np.bool_]

    @property
    def counts(self) -> NDArray[np.int64]:
        """How many sequences each text has, int64 of shape (n_texts,)."""
        return np.diff(self.starts, append=len(self.sequences))

    @property
    def token_counts(self) -> NDArray[np.int64]:
        """How many tokens each text has, special ones included, int64 of shape (n_texts,)."""
        if not self.sequences:
            return np.zeros(0, dtype=np.int64)
        return np.add.reduceat(self._lengths(), self.starts)

    def text_of(self, sequence_index: int) -> int:
        """Return which text a sequence belongs to."""
        return int(np.searchsorted(self.starts, sequence_index, side="right")) - 1

    def combine(self, vectors: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return one vector for each text: of several, their mean by tokens, at unit length.

        Parameters
        ----------
        vectors : ndarray of shape (n_sequences, n_dimensions), float32
            Of unit length.

        Returns
        -------
        ndarray of shape (n_texts, n_dimensions), float32
            A row of zeros where the vectors of a text cancel each other out.
        """
        if len(self.sequences) == len(self.starts):
            return vectors
        weights = self._lengths().astype(np.float32)[:, np.newaxis]
        sums = np.add.reduceat(vectors * weights, self.starts, axis=0)
        means = sums / self.token_counts[:, np.newaxis]
        lengths = np.linalg.norm(means, axis=1, keepdims=True)
        combined: NDArray[np.float32] = np.divide(
            means, lengths, out=np.zeros_like(sums), where=lengths > _SHORTEST_MEAN
        )
        # Exactly what the model gave, so that a short text has one vector in either mode.
        single = self.counts == 1
        combined[single] = vectors[self.starts[single]]
        return combined

    def _lengths(self) -> NDArray[np.int64]:
        return np.fromiter(map(len, self.sequences), dtype=np.int64, count=len(self.sequences))


def cut_pieces(portions: Iterable[Sequence[TokenisedText]], mode: LongTextMode) -> Pieces:
    """Return what the model is to read of tokenised texts, given in portions.

    Only what is read is kept: a portion may hold a hundred times that.
    """
    sequences: list[Sequence[int]] = []
    starts: list[int] = []
    truncated: list[bool] = []
    for portion in portions:
        if mode is LongTextMode.TRUNCATE:
            starts.extend(range(len(sequences), len(sequences) + len(portion)))
            sequences.extend([text.token_ids for text in portion])
            truncated.extend([text.truncated for text in portion])
            continue
        for text in portion:
            starts.append(len(sequences))
            sequences += (text.token_ids, *text.rest)
            truncated.append(False)
    return Pieces(sequences, np.array(starts, dtype=np.int64), np.array(truncated, dtype=bool))
