"""The embedder's calls: what is sent, and the answer put together and checked."""

from typing import Any

import numpy as np

from gateway.embedded_texts import EmbeddedTexts, LongTexts, ModelInfo, OnRows, TextCounts
from gateway.stages.messages import to_model
from level_rpc.errors import Internal
from level_rpc.tensors import ArrayAssembler
from levelapi.embedder.v1 import embedder_service_pb2 as embedder

LONG_TEXT_MODES = {
    LongTexts.TRUNCATE: embedder.LONG_TEXT_MODE_TRUNCATE,
    LongTexts.MEAN: embedder.LONG_TEXT_MODE_MEAN,
}


def document_config(row_count: int, expected_fingerprint: str, long_texts: LongTexts) -> Any:
    """Return the config of a call for rows of a dataset."""
    return embedder.EmbedConfig(
        row_count=row_count,
        input_kind=embedder.INPUT_KIND_DOCUMENT,
        modality=embedder.MODALITY_TEXT,
        expected_model_fingerprint=expected_fingerprint,
        long_text_mode=LONG_TEXT_MODES[long_texts],
    )


def query_config(expected_fingerprint: str) -> Any:
    """Return the config of a call for one text to search with."""
    return embedder.EmbedConfig(
        row_count=1,
        input_kind=embedder.INPUT_KIND_QUERY,
        modality=embedder.MODALITY_TEXT,
        expected_model_fingerprint=expected_fingerprint,
        long_text_mode=embedder.LONG_TEXT_MODE_TRUNCATE,
    )


class EmbedAnswer:
    """Collects the messages of one Embed call."""

    def __init__(self, row_count: int, on_rows: OnRows) -> None:
        self._row_count = row_count
        self._on_rows = on_rows
        self._model: ModelInfo | None = None
        self._vectors: ArrayAssembler | None = None
        self._counts = TextCounts()

    def add(self, message: Any) -> None:
        """Take the next message."""
        match message.WhichOneof("payload"):
            case "model":
                self._model = to_model(message.model)
                shape = (self._model.dimension_count,)
                self._vectors = ArrayAssembler("vectors", np.float32, self._row_count, shape)
            case "vectors" if self._vectors is not None:
                self._vectors.add(message.vectors.vectors)
                counts = _to_counts(message.vectors)
                self._counts += counts
                self._on_rows(counts)

    def finish(self) -> EmbeddedTexts:
        """Return the whole answer; raise when a part of it is missing."""
        if self._model is None or self._vectors is None:
            raise Internal("The embedder ended its answer before naming its model.")
        return EmbeddedTexts(self._vectors.finish(), self._counts, self._model)


def _to_counts(block: Any) -> TextCounts:
    return TextCounts(
        row_count=block.vectors.tensor.shape[0],
        token_count=block.token_count,
        truncated_count=block.truncated_text_count,
        chunked_count=block.chunked_text_count,
        cached_count=block.cached_text_count,
    )
