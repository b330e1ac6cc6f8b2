"""Texts to unit vectors: each different text once, in batches of similar length."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from embedder_svc.call_embedder import CallEmbedder, PreparedTexts
from embedder_svc.device import Device
from embedder_svc.embedded_texts import Embedding
from embedder_svc.model import EmbeddingModel
from embedder_svc.pieces import LongTextMode
from embedder_svc.texts import portions
from embedder_svc.vector_cache import VectorCache

__all__ = ["Embedding", "LongTextMode", "embed_texts"]

DEFAULT_BATCH_SIZE = 32


def embed_texts(
    model: EmbeddingModel,
    texts: Sequence[str],
    batch_size: int = DEFAULT_BATCH_SIZE,
    *,
    is_query: bool = False,
    long_text_mode: LongTextMode = LongTextMode.TRUNCATE,
    cache: VectorCache | None = None,
    cancelled: threading.Event | None = None,
) -> Embedding:
    """Return the unit vectors of ``texts``, in their order.

    Parameters
    ----------
    model
        From `load_model`.
    texts
        Any strings; each is read up to 256 KiB and, as ``long_text_mode`` says, the model's tokens.
    batch_size
        Most texts in a batch, 0 for the model's own; halved down to 8 while the device runs out of
        memory.
    is_query
        True for texts to search with: the model's prefix for queries is put before them.
    long_text_mode
        What becomes of a text with more tokens than the model reads: cut, or embedded in pieces,
        its vector the mean of theirs, weighted by their tokens, at unit length.
    cache
        Vectors of earlier calls, None to do without.
    cancelled
        Once set, the work ends after the batch that runs.

    Raises
    ------
    DeviceOutOfMemory
        Eight texts do not fit.
    TextNotEmbeddable
        A text has no unit vector; the message names its row.
    EmbeddingCancelled
        ``cancelled`` was set.
    """
    with (
        Device(model) as device,
        CallEmbedder(
            device,
            batch_size,
            is_query=is_query,
            long_text_mode=long_text_mode,
            cache=cache,
            cancelled=cancelled,
        ) as embedder,
    ):
        return joined(list(embed_portions(embedder, portions(texts))) or [embedder.embed([])])


def embed_portions(embedder: CallEmbedder, some: Iterable[Sequence[str]]) -> Iterator[Embedding]:
    """Yield the vectors of each list of texts; while some are computed, the next are tokenised."""
    before: PreparedTexts | None = None
    row = 0
    for portion in some:
        prepared = embedder.prepare(portion, row)
        row += len(portion)
        if before is not None:
            yield embedder.finish(before)
        before = prepared
    if before is not None:
        yield embedder.finish(before)


def joined(parts: Sequence[Embedding]) -> Embedding:
    """Return the vectors of consecutive texts as one; at least one part."""

    def join(name: str) -> NDArray[Any]:
        return np.concatenate([getattr(part, name) for part in parts])

    arrays = ("vectors", "truncated", "chunked", "cached", "token_counts")
    return Embedding(**{name: join(name) for name in arrays}, model=parts[0].model)
