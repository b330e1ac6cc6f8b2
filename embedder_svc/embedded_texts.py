"""What embedding gives."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from embedder_svc.model import ModelInfo


@dataclass(frozen=True)
class Embedding:
    """Vectors of texts.

    Parameters
    ----------
    vectors : ndarray of shape (n_texts, n_dimensions), float32
        Each row of unit length.
    truncated : ndarray of shape (n_texts,), bool
        True where the model has not read the whole text.
    chunked : ndarray of shape (n_texts,), bool
        True where the text was embedded in several pieces.
    cached : ndarray of shape (n_texts,), bool
        True where the vector came from the cache of earlier calls.
    token_counts : ndarray of shape (n_texts,), int64
        Tokens that were computed for a row; 0 where its vector was known already, from the cache or
        from an equal text.
    model
        What the vectors came from.
    """

    vectors: NDArray[np.float32]
    truncated: NDArray[np.bool_]
    chunked: NDArray[np.bool_]
    cached: NDArray[np.bool_]
    token_counts: NDArray[np.int64]
    model: ModelInfo

    @property
    def truncated_count(self) -> int:
        """How many texts were cut."""
        return int(self.truncated.sum())

    @property
    def chunked_count(self) -> int:
        """How many texts were embedded in several pieces."""
        return int(self.chunked.sum())

    @property
    def cached_count(self) -> int:
        """How many vectors came from the cache."""
        return int(self.cached.sum())

    @property
    def token_count(self) -> int:
        """How many tokens were computed."""
        return int(self.token_counts.sum())
