"""Texts to vectors in this process: the embedder's model and cache, without its server."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from dataclasses import fields
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from gateway.embedded_texts import (
    EmbeddedTexts,
    LongTexts,
    ModelInfo,
    OnRows,
    TextCounts,
    ignore_rows,
)
from level.local.errors import needs_extra
from level.local.work import Send, WorkThreads
from level_rpc.texts import prepare_text

if TYPE_CHECKING:
    from embedder_svc.device import Device
    from embedder_svc.embedded_texts import Embedding
    from embedder_svc.model import ModelInfo as LoadedModelInfo
    from embedder_svc.settings import Settings
    from embedder_svc.vector_cache import VectorCache

# One call's texts are tokenised while another's are computed.
_CALLS_AT_ONCE = 4


class LocalEmbedder:
    """What `Stages` asks of the embedder.

    The model is loaded when it is first needed, and kept.

    Parameters
    ----------
    settings : embedder_svc.settings.Settings, optional
        Which model, on what, and where vectors are kept; from the environment when not given.
    """

    def __init__(self, settings: Settings | None = None) -> None:
        self._embedder_settings = settings
        self._embedding = WorkThreads("embed", _CALLS_AT_ONCE)
        self._loading = asyncio.Lock()
        self._loaded: tuple[Device, VectorCache] | None = None

    async def get_model(self) -> ModelInfo:
        """Return the embedding model, loaded."""
        device, _ = await self.open_embedder()
        return _to_model(device.model.info)

    async def count_embedders(self) -> int:
        """Return how many embedders calls are spread over, at least 1."""
        return 1

    async def embed(
        self,
        texts: Sequence[str],
        expected_fingerprint: str = "",
        *,
        long_texts: LongTexts = LongTexts.TRUNCATE,
        on_rows: OnRows = ignore_rows,
    ) -> EmbeddedTexts:
        """Return the vectors of texts, any number; `on_rows` hears of texts as they are done."""
        return await self._embed(texts, expected_fingerprint, long_texts, on_rows)

    async def embed_query(self, text: str, expected_fingerprint: str = "") -> NDArray[np.float32]:
        """Return the vector, [dimension_count], of a text to search with."""
        mode = LongTexts.TRUNCATE
        answer = await self._embed([text], expected_fingerprint, mode, ignore_rows, is_query=True)
        vector: NDArray[np.float32] = answer.vectors[0]
        return vector

    async def open_embedder(self) -> tuple[Device, VectorCache]:
        """Return the model on its device, and the cache of its vectors."""
        async with self._loading:
            if self._loaded is None:
                self._loaded = await asyncio.to_thread(_load, self._embedder_settings)
        return self._loaded

    async def close_embedder(self) -> None:
        """Let the model and the cache go; calls under way are broken off."""
        await self._embedding.close()
        if self._loaded is not None:
            device, cache = self._loaded
            self._loaded = None
            await asyncio.to_thread(device.close)
            await asyncio.to_thread(cache.close)

    async def _embed(
        self,
        texts: Sequence[str],
        expected_fingerprint: str,
        long_texts: LongTexts,
        on_rows: OnRows,
        *,
        is_query: bool = False,
    ) -> EmbeddedTexts:
        device, cache = await self.open_embedder()
        work = partial(_embed_all, device, cache, texts, expected_fingerprint, long_texts, is_query)
        return await self._embedding.run(work, on_rows)


def _load(settings: Settings | None) -> tuple[Device, VectorCache]:
    with needs_extra("embedder"):
        from embedder_svc.configured import load_from, open_cache
        from embedder_svc.device import Device
        from embedder_svc.settings import Settings

        settings = settings or Settings()
        model = load_from(settings)
        return Device(model), open_cache(settings, model)


def _embed_all(
    device: Device,
    cache: VectorCache,
    texts: Sequence[str],
    expected_fingerprint: str,
    long_texts: LongTexts,
    is_query: bool,
    send: Send[TextCounts],
) -> EmbeddedTexts:
    """Return the vectors of all texts, in the portions that a service would answer them in."""
    from embedder_svc.call_embedder import CallEmbedder
    from embedder_svc.embedding import embed_portions, joined
    from embedder_svc.model import check_fingerprint
    from embedder_svc.pieces import LongTextMode

    info = device.model.info
    check_fingerprint(info, expected_fingerprint)
    mode = LongTextMode.MEAN if long_texts == LongTexts.MEAN else LongTextMode.TRUNCATE
    portions = _portions(texts, info, all_of_it=mode is LongTextMode.MEAN)
    parts: list[Embedding] = []
    with CallEmbedder(device, is_query=is_query, long_text_mode=mode, cache=cache) as embedder:
        for part in embed_portions(embedder, portions):
            parts.append(part)
            send(_to_counts(part))
        whole = joined(parts or [embedder.embed([])])
    return EmbeddedTexts(whole.vectors, _to_counts(whole), _to_model(info))


def _portions(
    texts: Sequence[str], info: LoadedModelInfo, *, all_of_it: bool
) -> Iterator[Sequence[str]]:
    """Yield the texts in lists that are sorted by length and embedded together."""
    from embedder_svc.windows import TextWindow, read_bytes, work_limit

    work = read_bytes(info.max_token_count, all_of_it=all_of_it)
    window = TextWindow(0, work, work_limit(info))
    for text in texts:
        _, encoded, was_cut = prepare_text(text)
        window.add(text, len(encoded), was_cut)
        if window.is_full:
            yield window.texts
            window = window.next()
    if window.texts:
        yield window.texts


def _to_counts(part: Embedding) -> TextCounts:
    return TextCounts(
        row_count=len(part.vectors),
        token_count=part.token_count,
        truncated_count=part.truncated_count,
        chunked_count=part.chunked_count,
        cached_count=part.cached_count,
    )


def _to_model(info: LoadedModelInfo) -> ModelInfo:
    values: dict[str, Any] = {}
    for field in fields(ModelInfo):
        value = getattr(info, field.name)
        # A member of an enumeration is stored and sent as the text that it is.
        values[field.name] = str(value) if isinstance(value, str) else value
    return ModelInfo(**values)
