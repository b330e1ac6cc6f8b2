"""What clients send, checked before anything believes it."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Iterator

import numpy as np

from embedder_svc.model import ModelInfo, check_fingerprint
from embedder_svc.windows import TextWindow
from level_rpc.errors import ConfigNotFirst, FieldInvalid, TensorRowsMismatch
from level_rpc.tensors import MAX_BLOCK_BYTES
from levelapi.embedder.v1 import embedder_service_pb2 as messages

MAX_BATCH_SIZE = 1024


async def read_config(
    requests: AsyncIterator[messages.EmbedRequest], info: ModelInfo
) -> messages.EmbedConfig:
    """Return the config of a call that this model can serve.

    Raises
    ------
    ConfigNotFirst, FieldInvalid, ModelMismatch
        As the contract says.
    """
    first = await anext(requests, messages.EmbedRequest())
    if not first.HasField("config"):
        payload = first.WhichOneof("payload") or "nothing"
        raise ConfigNotFirst(
            f"the first message must carry config; it carried {payload}", received=payload
        )
    _check_config(first.config, info)
    return first.config


async def windows(
    requests: AsyncIterator[messages.EmbedRequest], row_count: int, window: TextWindow
) -> AsyncGenerator[TextWindow, None]:
    """Yield the announced rows in order, as they come; ``window`` is the first, and empty.

    Raises
    ------
    ConfigNotFirst, FieldInvalid, TensorRowsMismatch
        As the contract says.
    """
    async for block in _text_blocks(requests, row_count):
        for text, byte_count, was_cut in _measured_texts(block):
            window.add(text, byte_count, was_cut)
            if window.is_full:
                yield window
                window = window.next()
    if window.texts:
        yield window


def _check_config(config: messages.EmbedConfig, info: ModelInfo) -> None:
    if config.row_count < 0:
        raise FieldInvalid("config.row_count must be 0 or more", field="config.row_count")
    if not 0 <= config.batch_size <= MAX_BATCH_SIZE:
        raise FieldInvalid(
            f"config.batch_size must be 1 to {MAX_BATCH_SIZE}, or 0 for the model's own",
            field="config.batch_size",
        )
    for field, known in (
        ("input_kind", messages.InputKind.values()),
        ("long_text_mode", messages.LongTextMode.values()),
    ):
        if getattr(config, field) not in known:
            raise FieldInvalid(f"config.{field} is unknown", field=f"config.{field}")
    if config.modality not in (messages.MODALITY_UNSPECIFIED, messages.MODALITY_TEXT):
        raise FieldInvalid(
            f"{info.model_id} embeds texts only; send MODALITY_TEXT", field="config.modality"
        )
    check_fingerprint(info, config.expected_model_fingerprint)


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
    texts = list(block.texts)
    byte_counts = [len(text.encode()) for text in texts]
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
    return zip(texts, byte_counts, cut.tolist(), strict=True)
