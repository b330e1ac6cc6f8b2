"""Messages to texts, vectors to messages; the only file here that knows gRPC."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any, TypeAlias

import grpc
import numpy as np
from numpy.typing import NDArray

from embedder_svc.batch_limit import BatchLimit
from embedder_svc.embedding import CallEmbedder, Embedding
from embedder_svc.errors import ModelMismatch
from embedder_svc.model import EmbeddingModel
from embedder_svc.windows import TextWindow
from level_rpc.errors import ConfigNotFirst, FieldInvalid, TensorRowsMismatch
from level_rpc.server import Service
from level_rpc.streams import IDLE_SECONDS, received
from level_rpc.tensors import MAX_BLOCK_BYTES, checksum, split_array
from levelapi.embedder.v1 import embedder_service_pb2 as messages
from levelapi.embedder.v1 import embedder_service_pb2_grpc

SERVICE = Service(
    name="levelapi.embedder.v1.EmbedderService",
    add_to_server=embedder_service_pb2_grpc.add_EmbedderServiceServicer_to_server,
)

MAX_BATCH_SIZE = 1024

_Context: TypeAlias = grpc.aio.ServicerContext[Any, Any]


class EmbedderServicer(embedder_service_pb2_grpc.EmbedderServiceServicer):
    """Serves ``levelapi.embedder.v1.EmbedderService`` from one model on one device.

    Parameters
    ----------
    model
        From `load_model`; used by one thread, which calls take turns on, a window each.
    idle_seconds
        How long a client may be silent while it sends.
    """

    def __init__(self, model: EmbeddingModel, idle_seconds: float = IDLE_SECONDS) -> None:
        self._model = model
        self._idle_seconds = idle_seconds
        self._limit = BatchLimit(model.info.safe_batch_size)
        self._device_thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="embed")

    async def GetModel(
        self, request: messages.GetModelRequest, context: _Context
    ) -> messages.GetModelResponse:
        """Return the loaded model."""
        return messages.GetModelResponse(model=self._model_message())

    async def Embed(
        self, request_iterator: AsyncIterator[messages.EmbedRequest], context: _Context
    ) -> AsyncIterator[messages.EmbedResponse]:
        """Yield the model, then the vectors of the texts in row order."""
        requests = received(request_iterator, self._idle_seconds)
        config = await _read_config(requests)
        _check_config(config, self._model)
        yield messages.EmbedResponse(model=self._model_message())
        with _set_on_exit() as cancelled:
            embedder = self._call_embedder(config, cancelled)
            empty = TextWindow(0, self._model.info.max_token_count)
            async for window in _windows(requests, config.row_count, empty):
                embedding = await asyncio.get_running_loop().run_in_executor(
                    self._device_thread, embedder.embed, window.texts, window.first_row_index
                )
                for response in _responses(window, embedding):
                    yield response

    async def close(self) -> None:
        """Let go of the device's thread; calls under way have been cancelled by then."""
        self._device_thread.shutdown(wait=False, cancel_futures=True)

    def _call_embedder(
        self, config: messages.EmbedConfig, cancelled: threading.Event
    ) -> CallEmbedder:
        return CallEmbedder(
            self._model,
            config.batch_size or self._limit.safe_batch_size,
            is_query=config.input_kind == messages.INPUT_KIND_QUERY,
            cancelled=cancelled,
            limit=self._limit,
        )

    def _model_message(self) -> messages.Model:
        info = self._model.info
        return messages.Model(
            model_id=info.model_id,
            revision=info.revision,
            fingerprint=info.fingerprint,
            dimension_count=info.dimension_count,
            max_token_count=info.max_token_count,
            device=info.device,
            backend=info.backend,
            precision=info.precision,
            choice_reason=info.choice_reason,
            modalities=[messages.MODALITY_TEXT],
            runtime=info.runtime,
            instruction_set=info.instruction_set,
            safe_batch_size=self._limit.safe_batch_size,
        )


@contextmanager
def _set_on_exit() -> Iterator[threading.Event]:
    """Yield an event that is set once the call is over, however it ends."""
    event = threading.Event()
    try:
        yield event
    finally:
        event.set()


async def _read_config(requests: AsyncIterator[messages.EmbedRequest]) -> messages.EmbedConfig:
    first = await anext(requests, messages.EmbedRequest())
    if not first.HasField("config"):
        payload = first.WhichOneof("payload") or "nothing"
        raise ConfigNotFirst(
            f"the first message must carry config; it carried {payload}", received=payload
        )
    return first.config


def _check_config(config: messages.EmbedConfig, model: EmbeddingModel) -> None:
    if config.row_count < 0:
        raise FieldInvalid("config.row_count must be 0 or more", field="config.row_count")
    if not 0 <= config.batch_size <= MAX_BATCH_SIZE:
        raise FieldInvalid(
            f"config.batch_size must be 1 to {MAX_BATCH_SIZE}, or 0 for the model's own",
            field="config.batch_size",
        )
    if config.input_kind not in messages.InputKind.values():
        raise FieldInvalid("config.input_kind is unknown", field="config.input_kind")
    if config.modality not in (messages.MODALITY_UNSPECIFIED, messages.MODALITY_TEXT):
        raise FieldInvalid(
            f"{model.info.model_id} embeds texts only; send MODALITY_TEXT", field="config.modality"
        )
    expected, loaded = config.expected_model_fingerprint, model.info.fingerprint
    if expected not in ("", loaded):
        raise ModelMismatch(
            f"the loaded model {model.info.model_id} has the fingerprint {loaded}, not {expected}; "
            "start the service with the model that the other vectors came from, or embed all anew",
            expected=expected,
            loaded=loaded,
        )


async def _windows(
    requests: AsyncIterator[messages.EmbedRequest], row_count: int, window: TextWindow
) -> AsyncIterator[TextWindow]:
    """Yield the announced rows in order, as they come; ``window`` is the first, and empty."""
    async for block in _text_blocks(requests, row_count):
        for text, byte_count, was_cut in _measured_texts(block):
            window.add(text, byte_count, was_cut)
            if window.is_full:
                yield window
                window = window.next()
    if window.texts:
        yield window


async def _text_blocks(
    requests: AsyncIterator[messages.EmbedRequest], row_count: int
) -> AsyncIterator[messages.TextBlock]:
    """Yield the blocks, checked to be the announced rows without gap or overlap."""
    row = 0
    async for request in requests:
        if not request.HasField("texts"):
            field = request.WhichOneof("payload") or "nothing"
            raise ConfigNotFirst(
                f"after the first message each must carry texts; one carried {field}",
                received=field,
            )
        block = request.texts
        if block.first_row_index != row:
            raise _rows_mismatch(
                f"row {row} is next, row {block.first_row_index} came", row_count, row
            )
        row += len(block.texts)
        if row > row_count:
            raise _rows_mismatch("more came", row_count, row)
        yield block
    if row != row_count:
        raise _rows_mismatch(f"the stream ended after {row}", row_count, row)


def _rows_mismatch(what: str, row_count: int, received: int) -> TensorRowsMismatch:
    return TensorRowsMismatch(
        f"texts: {row_count} rows were announced, {what}",
        array="texts",
        expected_rows=row_count,
        received_rows=received,
    )


def _measured_texts(block: messages.TextBlock) -> Iterator[tuple[str, int, bool]]:
    """Return each text with its length as UTF-8 and whether the sender has cut it."""
    byte_counts = [len(text.encode()) for text in block.texts]
    if sum(byte_counts) > MAX_BLOCK_BYTES:
        raise FieldInvalid(
            f"the texts from row {block.first_row_index} on are over {MAX_BLOCK_BYTES} bytes; "
            "send them in smaller blocks",
            field="texts.texts",
        )
    cut_count = block.truncated_text_count
    if not 0 <= cut_count <= len(byte_counts):
        raise FieldInvalid(
            "texts.truncated_text_count must be 0 to the number of texts in its block",
            field="texts.truncated_text_count",
        )
    # The block says how many were cut, not which; what was cut is as long as a text may be.
    cut = np.zeros(len(byte_counts), dtype=bool)
    cut[np.argsort(byte_counts, kind="stable")[len(byte_counts) - cut_count :]] = True
    return zip(block.texts, byte_counts, cut.tolist(), strict=True)


def _responses(window: TextWindow, embedding: Embedding) -> Iterator[messages.EmbedResponse]:
    truncated: NDArray[np.bool_] = embedding.truncated | np.array(window.cut_by_sender)
    for block in split_array(embedding.vectors):
        rows = slice(block.first_row_index, block.first_row_index + block.tensor.shape[0])
        # The window's rows are numbered from 0; on the wire they are rows of the whole call.
        block.first_row_index += window.first_row_index
        block.crc32 = checksum(block)
        yield messages.EmbedResponse(
            vectors=messages.VectorBlock(
                vectors=block, truncated_text_count=int(truncated[rows].sum())
            )
        )
