"""What clients are answered."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from embedder_svc.embedded_texts import Embedding
from embedder_svc.model import ModelInfo
from embedder_svc.windows import TextWindow
from level_rpc.tensors import split_array
from levelapi.embedder.v1 import embedder_service_pb2 as messages


def model_message(info: ModelInfo, safe_batch_size: int) -> messages.Model:
    """Return the message that describes a model."""
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
        safe_batch_size=safe_batch_size,
    )


def vector_messages(window: TextWindow, embedding: Embedding) -> Iterator[messages.EmbedResponse]:
    """Yield the vectors of a window in row order, each message with its own rows' counts."""
    truncated = embedding.truncated | np.array(window.cut_by_sender)
    for block in split_array(embedding.vectors, first_row_index=window.first_row_index):
        first = block.first_row_index - window.first_row_index
        rows = slice(first, first + block.tensor.shape[0])
        yield messages.EmbedResponse(
            vectors=messages.VectorBlock(
                vectors=block,
                truncated_text_count=int(truncated[rows].sum()),
                token_count=int(embedding.token_counts[rows].sum()),
                cached_text_count=int(embedding.cached[rows].sum()),
                chunked_text_count=int(embedding.chunked[rows].sum()),
            )
        )


@dataclass
class CallTally:
    """What a call has come to so far, for the log."""

    row_count: int = 0
    token_count: int = 0
    cached_text_count: int = 0
    chunked_text_count: int = 0
    truncated_text_count: int = 0

    def add(self, response: messages.EmbedResponse) -> None:
        """Count one answer."""
        block = response.vectors
        self.row_count += block.vectors.tensor.shape[0]
        self.token_count += block.token_count
        self.cached_text_count += block.cached_text_count
        self.chunked_text_count += block.chunked_text_count
        self.truncated_text_count += block.truncated_text_count
