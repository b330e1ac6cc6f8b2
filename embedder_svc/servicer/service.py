"""The calls of ``levelapi.embedder.v1.EmbedderService``."""

from __future__ import annotations

import asyncio
import dataclasses
import time
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import aclosing
from typing import Any, TypeAlias, TypeVar

import grpc
import structlog

from embedder_svc.call_embedder import CallEmbedder, PreparedTexts
from embedder_svc.device import Device
from embedder_svc.lookahead import ahead
from embedder_svc.model import EmbeddingModel
from embedder_svc.pieces import LongTextMode
from embedder_svc.servicer.answers import CallTally, model_message, vector_messages
from embedder_svc.servicer.receiving import read_config, windows
from embedder_svc.vector_cache import VectorCache
from embedder_svc.windows import TextWindow, read_bytes, work_limit
from level_rpc.limits import IDLE_SECONDS
from level_rpc.server import Service
from level_rpc.streams import received
from levelapi.embedder.v1 import embedder_service_pb2 as messages
from levelapi.embedder.v1 import embedder_service_pb2_grpc

SERVICE = Service(
    name="levelapi.embedder.v1.EmbedderService",
    add_to_server=embedder_service_pb2_grpc.add_EmbedderServiceServicer_to_server,
)

# Besides the window that is answered: one to compute, one to tokenise.
_WINDOWS_AHEAD = 2
# Python runs one of them at a time; the others are in the tokenizer or on the disk.
_PREPARING_THREADS = 4

_Context: TypeAlias = grpc.aio.ServicerContext[Any, Any]
_Result = TypeVar("_Result")

_log = structlog.get_logger(__name__)


class EmbedderServicer(embedder_service_pb2_grpc.EmbedderServiceServicer):
    """Serves ``levelapi.embedder.v1.EmbedderService`` from one model.

    A call's next windows are tokenised, looked up and queued while one is computed, a bounded
    number of them; then no more is read until the client has taken an answer. So a client that does
    not read, or does not send, keeps the device from nobody.

    Parameters
    ----------
    model
        From `load_model`.
    idle_seconds
        How long a client may be silent while it sends.
    cache
        Vectors of earlier calls, None to do without; closed by `close`.
    """

    def __init__(
        self,
        model: EmbeddingModel,
        idle_seconds: float = IDLE_SECONDS,
        *,
        cache: VectorCache | None = None,
    ) -> None:
        self._info = model.info
        self._idle_seconds = idle_seconds
        self._cache = cache
        self._device = Device(model)
        self._threads = ThreadPoolExecutor(_PREPARING_THREADS, thread_name_prefix="prepare")

    async def GetModel(
        self, request: messages.GetModelRequest, context: _Context
    ) -> messages.GetModelResponse:
        """Return the loaded model."""
        return messages.GetModelResponse(model=self._model_message())

    async def Embed(
        self, request_iterator: AsyncIterator[messages.EmbedRequest], context: _Context
    ) -> AsyncIterator[messages.EmbedResponse]:
        """Yield the model, then the vectors of the texts in row order."""
        started = time.monotonic()
        requests = received(request_iterator, self._idle_seconds)
        config = await read_config(requests, self._info)
        yield messages.EmbedResponse(model=self._model_message())
        tally = CallTally()
        with self._call_embedder(config) as embedder:
            taken = windows(requests, config.row_count, self._first_window(config))
            async with aclosing(ahead(self._prepared(embedder, taken), _WINDOWS_AHEAD)) as coming:
                async for window, prepared in coming:
                    for response in await self._answers(embedder, window, prepared):
                        tally.add(response)
                        yield response
        seconds = round(time.monotonic() - started, 4)
        _log.info("texts embedded", seconds=seconds, **dataclasses.asdict(tally))

    async def close(self) -> None:
        """End the threads; calls under way have been cancelled by then."""
        self._threads.shutdown(wait=False, cancel_futures=True)
        await asyncio.to_thread(self._device.close)
        await asyncio.to_thread(self._threads.shutdown)
        if self._cache is not None:
            await asyncio.to_thread(self._close_cache, self._cache)

    @staticmethod
    def _close_cache(cache: VectorCache) -> None:
        _log.info("vector cache closed", **dataclasses.asdict(cache.stats))
        cache.close()

    async def _prepared(
        self, embedder: CallEmbedder, taken: AsyncGenerator[TextWindow, None]
    ) -> AsyncGenerator[tuple[TextWindow, PreparedTexts], None]:
        """Yield the windows, each tokenised and waiting for the device."""
        async with aclosing(taken):
            async for window in taken:
                yield (
                    window,
                    await self._in_thread(embedder.prepare, window.texts, window.first_row_index),
                )

    async def _answers(
        self, embedder: CallEmbedder, window: TextWindow, prepared: PreparedTexts
    ) -> list[messages.EmbedResponse]:
        """Return the answers for a window, once its vectors are there."""
        # Not in a thread: it would be kept from other calls for as long as this one waits.
        await asyncio.wrap_future(prepared.job.vectors)
        return await self._in_thread(
            lambda: list(vector_messages(window, embedder.finish(prepared)))
        )

    async def _in_thread(self, function: Callable[..., _Result], *arguments: Any) -> _Result:
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._threads, function, *arguments)

    def _call_embedder(self, config: messages.EmbedConfig) -> CallEmbedder:
        return CallEmbedder(
            self._device,
            config.batch_size,
            is_query=config.input_kind == messages.INPUT_KIND_QUERY,
            long_text_mode=_long_text_mode(config),
            cache=self._cache,
        )

    def _first_window(self, config: messages.EmbedConfig) -> TextWindow:
        all_of_it = _long_text_mode(config) is LongTextMode.MEAN
        work = read_bytes(self._info.max_token_count, all_of_it=all_of_it)
        return TextWindow(0, work, work_limit(self._info))

    def _model_message(self) -> messages.Model:
        return model_message(self._info, self._device.safe_batch_size)


def _long_text_mode(config: messages.EmbedConfig) -> LongTextMode:
    in_pieces = config.long_text_mode == messages.LONG_TEXT_MODE_MEAN
    return LongTextMode.MEAN if in_pieces else LongTextMode.TRUNCATE
