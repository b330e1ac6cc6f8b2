"""Embeds the texts of one call: each different text once, and none that the cache knows."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from embedder_svc.device import CallQueue, Device
from embedder_svc.device.jobs import Job
from embedder_svc.embedded_texts import Embedding
from embedder_svc.errors import TextNotEmbeddable
from embedder_svc.known_texts import KnownTexts
from embedder_svc.model import TokenisedText
from embedder_svc.pieces import LongTextMode, Pieces, cut_pieces
from embedder_svc.texts import portions, text_digester
from embedder_svc.unit_length import are_unit
from embedder_svc.vector_cache import VectorCache
from level_rpc.texts import prepare_text

# At 1,024 dimensions, 32 MiB of vectors kept for texts that may come again in the same call.
_REMEMBERED_TEXTS = 8192


@dataclass(frozen=True)
class PreparedTexts:
    """Texts whose vectors are known, or on their way.

    Parameters
    ----------
    first_row_index
        What the first text's row is called in errors.
    job
        Gives the vectors of ``pieces``.
    pieces
        The tokens of the texts that the model has to read.
    computed_rows : ndarray, int64
        The rows of those.
    computed_keys
        Their keys in the cache.
    known
        Where all of the call's vectors are, or will be.
    slots : ndarray of shape (n_texts,), int64
        The place of each text in there.
    was_cut : ndarray of shape (n_texts,), bool
        True for texts over 256 KiB.
    """

    first_row_index: int
    job: Job
    pieces: Pieces
    computed_rows: NDArray[np.int64]
    computed_keys: list[bytes]
    known: KnownTexts
    slots: NDArray[np.int64]
    was_cut: NDArray[np.bool_]


class CallEmbedder:
    """Embeds the texts of one call, one stretch of rows after the other.

    A text that comes again gets the vector that it got before. Memory is bounded however many come.
    `prepare` of later rows may run while those before are computed, and while `finish` runs for
    them; `finish` is to be called in the order of the rows. After an error, the call is over. Used
    as a context, it is closed at the end.

    Parameters
    ----------
    device
        Shared with other calls.
    batch_size, is_query, long_text_mode, cache, cancelled
        As for `embed_texts`.
    """

    def __init__(
        self,
        device: Device,
        batch_size: int = 0,
        *,
        is_query: bool = False,
        long_text_mode: LongTextMode = LongTextMode.TRUNCATE,
        cache: VectorCache | None = None,
        cancelled: threading.Event | None = None,
    ) -> None:
        self._model = device.model
        self._batch_size = batch_size
        info = device.model.info
        self._prefix = info.query_prefix if is_query else info.document_prefix
        self._long_text_mode = long_text_mode
        self._cache = cache
        self._queue = CallQueue(device, cancelled)
        # Another version or processor may round otherwise: what is stored tells which it was.
        self._digest = text_digester(
            info.fingerprint, info.runtime, info.instruction_set, self._prefix
        )
        self._known = KnownTexts(_REMEMBERED_TEXTS, info.dimension_count)

    def embed(self, texts: Sequence[str], first_row_index: int = 0) -> Embedding:
        """Return the unit vectors of ``texts``; errors count rows from ``first_row_index``.

        Raises
        ------
        DeviceOutOfMemory, TextNotEmbeddable, EmbeddingCancelled
            As for `embed_texts`.
        """
        return self.finish(self.prepare(texts, first_row_index))

    def prepare(self, texts: Sequence[str], first_row_index: int = 0) -> PreparedTexts:
        """Return the texts once those with a vector are told from the others, and these queued.

        Raises
        ------
        EmbeddingCancelled
            As for `embed_texts`.
        """
        prepared = [prepare_text(text) for text in texts]
        keys = [self._digest(encoded) for _, encoded, _ in prepared]
        if not self._known.has_room(len(keys)):
            capacity = max(_REMEMBERED_TEXTS, len(keys))
            self._known = KnownTexts(capacity, self._model.info.dimension_count)
        known = self._known
        slots, new_rows = known.add(keys)
        rows = self._without_cached(known, keys, slots, new_rows)
        pieces = self._tokenise([prepared[row][0] for row in rows.tolist()])
        known.truncated[slots[rows]] = pieces.truncated
        known.chunked[slots[rows]] = pieces.counts > 1
        return PreparedTexts(
            first_row_index=first_row_index,
            job=self._queue.submit(pieces.sequences, self._batch_size),
            pieces=pieces,
            computed_rows=rows,
            computed_keys=[keys[row] for row in rows.tolist()],
            known=known,
            slots=slots,
            was_cut=np.array([was_cut for _, _, was_cut in prepared], dtype=bool),
        )

    def finish(self, prepared: PreparedTexts) -> Embedding:
        """Return the unit vectors of prepared texts, once they are there.

        Raises
        ------
        DeviceOutOfMemory, TextNotEmbeddable, EmbeddingCancelled
            As for `embed_texts`.
        """
        self._learn(prepared)
        known, slots = prepared.known, prepared.slots
        token_counts = np.zeros(len(slots), dtype=np.int64)
        token_counts[prepared.computed_rows] = prepared.pieces.token_counts
        return Embedding(
            vectors=known.vectors[slots],
            truncated=known.truncated[slots] | prepared.was_cut,
            chunked=known.chunked[slots],
            cached=known.cached[slots],
            token_counts=token_counts,
            model=self._model.info,
        )

    def close(self) -> None:
        """Drop what waits for the device."""
        self._queue.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def _without_cached(
        self,
        known: KnownTexts,
        keys: list[bytes],
        slots: NDArray[np.int64],
        rows: NDArray[np.int64],
    ) -> NDArray[np.int64]:
        """Return the rows that the cache has no vector for; the others' vectors are then known."""
        if self._cache is None or not len(rows):
            return rows
        cached = self._cache.get_many([keys[row] for row in rows.tolist()])
        # A text that the model reads whole has one vector, whatever becomes of longer ones.
        in_pieces = self._long_text_mode is LongTextMode.MEAN
        usable = ~(cached.truncated if in_pieces else cached.chunked)
        found = cached.found.copy()
        found[cached.found] = usable
        places = slots[rows[found]]
        known.vectors[places] = cached.vectors[usable]
        known.truncated[places] = cached.truncated[usable]
        known.chunked[places] = cached.chunked[usable]
        known.cached[places] = True
        return rows[~found]

    def _tokenise(self, texts: list[str]) -> Pieces:
        some = portions([self._prefix + text for text in texts])
        return cut_pieces(map(self._tokenised, some), self._long_text_mode)

    def _tokenised(self, texts: Sequence[str]) -> list[TokenisedText]:
        self._queue.stop_if_cancelled()
        return self._model.tokenise(texts)

    def _learn(self, prepared: PreparedTexts) -> None:
        """Make the vectors known that had to be computed, and keep them for later calls."""
        vectors = prepared.job.vectors.result()
        pieces, rows = prepared.pieces, prepared.computed_rows
        if not len(rows):
            return
        for bad_piece in np.flatnonzero(~are_unit(vectors))[:1]:
            raise _not_embeddable(prepared, pieces.text_of(bad_piece))
        combined = pieces.combine(vectors)
        for bad_text in np.flatnonzero(~are_unit(combined))[:1]:
            raise _not_embeddable(prepared, bad_text)
        places = prepared.slots[rows]
        prepared.known.vectors[places] = combined
        if self._cache is not None:
            chunked = prepared.known.chunked[places]
            self._cache.put_many(prepared.computed_keys, combined, pieces.truncated, chunked)


def _not_embeddable(prepared: PreparedTexts, text_index: int) -> TextNotEmbeddable:
    row_index = prepared.first_row_index + int(prepared.computed_rows[text_index])
    return TextNotEmbeddable(
        f"the model gives no vector of unit length for the text of row {row_index}; "
        "leave that row out or change its text",
        row_index=row_index,
    )
