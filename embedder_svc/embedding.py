"""Texts to unit vectors: each different text once, in batches of similar length."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from embedder_svc.batch_limit import BatchLimit
from embedder_svc.errors import EmbeddingCancelled, OutOfMemory, TextNotEmbeddable
from embedder_svc.model import EmbeddingModel, ModelInfo, TokenisedText
from embedder_svc.texts import prepare_text, text_digest

DEFAULT_BATCH_SIZE = 32

# A text's tokens before they are cut take some hundred times its bytes of memory.
_TOKENISED_AT_ONCE = 2**20
# At 1,024 dimensions, 32 MiB of vectors kept for texts that may come again in the same call.
_REMEMBERED_TEXTS = 8192
_UNIT_TOLERANCE = 1e-3


@dataclass(frozen=True)
class Embedding:
    """Vectors of texts.

    Parameters
    ----------
    vectors : ndarray of shape (n_texts, n_dimensions), float32
        Each row of unit length.
    truncated : ndarray of shape (n_texts,), bool
        True where the model has not read the whole text.
    model
        What the vectors came from.
    """

    vectors: NDArray[np.float32]
    truncated: NDArray[np.bool_]
    model: ModelInfo

    @property
    def truncated_count(self) -> int:
        """How many texts were cut."""
        return int(self.truncated.sum())


def embed_texts(
    model: EmbeddingModel,
    texts: Sequence[str],
    batch_size: int = DEFAULT_BATCH_SIZE,
    *,
    is_query: bool = False,
    cancelled: threading.Event | None = None,
) -> Embedding:
    """Return the unit vectors of ``texts``, in their order.

    Parameters
    ----------
    model
        From `load_model`.
    texts
        Any strings; each is read up to 256 KiB and the model's number of tokens.
    batch_size
        Most texts in a batch; halved down to 8 while the device runs out of memory.
    is_query
        True for texts to search with: the model's prefix for queries is put before them.
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
    embedder = CallEmbedder(model, batch_size, is_query=is_query, cancelled=cancelled)
    return embedder.embed(texts)


@dataclass(frozen=True)
class _Known:
    vector: NDArray[np.float32]
    truncated: bool


class CallEmbedder:
    """Embeds the texts of one call, one stretch of rows after the other.

    A text that comes again gets the vector that it got before. Memory is bounded however many come.

    Parameters
    ----------
    model, batch_size, is_query, cancelled
        As for `embed_texts`.
    limit
        What is known about the device's memory, shared by the calls on it; None to start afresh.
    """

    def __init__(
        self,
        model: EmbeddingModel,
        batch_size: int = DEFAULT_BATCH_SIZE,
        *,
        is_query: bool = False,
        cancelled: threading.Event | None = None,
        limit: BatchLimit | None = None,
    ) -> None:
        self._model = model
        self._batch_size = batch_size
        self._prefix = model.info.query_prefix if is_query else ""
        self._cancelled = cancelled or threading.Event()
        self._limit = limit or BatchLimit(model.info.safe_batch_size)
        self._known: dict[bytes, _Known] = {}

    def embed(self, texts: Sequence[str], first_row_index: int = 0) -> Embedding:
        """Return the unit vectors of ``texts``; errors count rows from ``first_row_index``.

        Raises
        ------
        DeviceOutOfMemory, TextNotEmbeddable, EmbeddingCancelled
            As for `embed_texts`.
        """
        prepared = [prepare_text(text) for text in texts]
        keys = [text_digest(text) for text, _ in prepared]
        if len(self._known) > _REMEMBERED_TEXTS:
            self._known.clear()
        first_rows: dict[bytes, int] = {}
        for row, key in enumerate(keys):
            if key not in self._known:
                first_rows.setdefault(key, row)
        self._learn({key: prepared[row][0] for key, row in first_rows.items()})
        self._check(first_rows, first_row_index)
        return self._assemble(keys, [was_cut for _, was_cut in prepared])

    def _learn(self, texts: dict[bytes, str]) -> None:
        """Embed the texts and keep their vectors under their keys."""
        tokens = self._tokenise([self._prefix + text for text in texts.values()])
        vectors = self._encode(tokens)
        for key, vector, text in zip(texts, vectors, tokens, strict=True):
            self._known[key] = _Known(vector, text.truncated)

    def _check(self, first_rows: dict[bytes, int], first_row_index: int) -> None:
        for key, row in first_rows.items():
            # Also refuses NaN, which is within no tolerance.
            if abs(np.linalg.norm(self._known[key].vector) - 1) <= _UNIT_TOLERANCE:
                continue
            row_index = first_row_index + row
            raise TextNotEmbeddable(
                f"the model gives no vector of unit length for the text of row {row_index}; "
                "leave that row out or change its text",
                row_index=row_index,
            )

    def _tokenise(self, texts: list[str]) -> list[TokenisedText]:
        tokens: list[TokenisedText] = []
        for some in _portions(texts, _TOKENISED_AT_ONCE):
            self._stop_if_cancelled()
            tokens.extend(self._model.tokenise(some))
        return tokens

    def _encode(self, tokens: list[TokenisedText]) -> NDArray[np.float32]:
        """Return a vector for each text, longest first: if memory is short, it shows at once."""
        vectors = np.empty((len(tokens), self._model.info.dimension_count), dtype=np.float32)
        counts = np.array([len(text.token_ids) for text in tokens], dtype=np.int64)
        order = np.argsort(-counts, kind="stable")
        start = 0
        while start < len(order):
            self._stop_if_cancelled()
            batch = order[start : start + self._rows_that_fit(int(counts[order[start]]))]
            try:
                vectors[batch] = self._model.encode([tokens[row].token_ids for row in batch])
            except OutOfMemory:
                self._limit.lower(len(batch))
                continue
            start += len(batch)
        return vectors

    def _rows_that_fit(self, token_count: int) -> int:
        rows = self._limit.apply(self._batch_size)
        if self._model.info.batch_token_count:
            rows = min(rows, max(1, self._model.info.batch_token_count // token_count))
        return rows

    def _assemble(self, keys: list[bytes], was_cut: list[bool]) -> Embedding:
        vectors = np.empty((len(keys), self._model.info.dimension_count), dtype=np.float32)
        truncated = np.array(was_cut, dtype=bool)
        for row, key in enumerate(keys):
            known = self._known[key]
            vectors[row] = known.vector
            truncated[row] |= known.truncated
        return Embedding(vectors, truncated, self._model.info)

    def _stop_if_cancelled(self) -> None:
        if self._cancelled.is_set():
            raise EmbeddingCancelled("the caller cancelled the embedding")


def _portions(texts: list[str], character_count: int) -> Iterator[list[str]]:
    """Yield the texts in order, in lists of at most so many characters or of one text."""
    portion: list[str] = []
    size = 0
    for text in texts:
        if portion and size + len(text) > character_count:
            yield portion
            portion, size = [], 0
        portion.append(text)
        size += len(text)
    if portion:
        yield portion
