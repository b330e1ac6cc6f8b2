"""What the embedding stage takes and gives; pure."""

from collections.abc import Callable
from dataclasses import astuple, dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

# Texts in one call: enough to batch by length, within what a call takes.
FEWEST_BLOCK_TEXTS, MOST_BLOCK_TEXTS = 512, 4_096
# Enough that several embedders end at about the same time.
BLOCKS = 12


def block_size(text_count: int) -> int:
    """Return how many of the distinct texts of a dataset go into one call.

    It depends on nothing but how many there are, so that the same file always makes the same calls,
    and the same vectors, to the last bit.
    """
    return min(max(-(-text_count // BLOCKS), FEWEST_BLOCK_TEXTS), MOST_BLOCK_TEXTS)


class LongTexts(StrEnum):
    """What counts of a text with more tokens than the model reads: its beginning, or all pieces."""

    TRUNCATE = "truncate"
    MEAN = "mean"


@dataclass(frozen=True)
class ModelInfo:
    """The embedding model that made the vectors of a dataset."""

    model_id: str
    revision: str
    fingerprint: str
    dimension_count: int
    max_token_count: int
    device: str
    backend: str
    runtime: str
    instruction_set: str
    precision: str = ""
    choice_reason: str = ""


@dataclass(frozen=True)
class TextCounts:
    """How many texts have their vectors, and how those came to be; sums are of such counts.

    Attributes
    ----------
    row_count : int
        Texts.
    token_count : int
        Tokens that the model computed; texts whose vectors were known add none.
    truncated_count, chunked_count : int
        Texts longer than the model reads: only their beginning counts; all of their pieces do.
    cached_count : int
        Texts whose vectors came from the cache.
    """

    row_count: int = 0
    token_count: int = 0
    truncated_count: int = 0
    chunked_count: int = 0
    cached_count: int = 0

    def __add__(self, other: "TextCounts") -> "TextCounts":
        """Return the counts of both sets of texts."""
        pairs = zip(astuple(self), astuple(other), strict=True)
        return TextCounts(*(one + more for one, more in pairs))


OnRows = Callable[[TextCounts], None]


def ignore_rows(_: TextCounts) -> None:
    """Take counts and do nothing with them."""


@dataclass(frozen=True)
class EmbeddedTexts:
    """Vectors of some texts: FLOAT32 of shape [texts, dimension_count], of unit length."""

    vectors: NDArray[np.float32]
    counts: TextCounts
    model: ModelInfo
