"""The calls of the embedder, spread over all that listen."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gateway.embedded_texts import EmbeddedTexts, LongTexts, ModelInfo, OnRows, ignore_rows
from gateway.stages.calls import UNARY_SECONDS, Calls
from gateway.stages.embedding import EmbedAnswer, document_config, query_config
from gateway.stages.messages import embed_requests, to_model
from level_rpc.replicas import Replicas
from level_rpc.status import level_errors
from levelapi.embedder.v1 import embedder_service_pb2 as embedder
from levelapi.embedder.v1.embedder_service_pb2_grpc import EmbedderServiceStub


class EmbedderCalls(Calls):
    """What `Stages` asks of embedders."""

    _embedders: Replicas

    async def get_model(self) -> ModelInfo:
        """Return the loaded embedding model."""
        with level_errors():
            answer = await EmbedderServiceStub(self._channels["embedder"]).GetModel(
                embedder.GetModelRequest(), timeout=UNARY_SECONDS
            )
        return to_model(answer.model)

    async def count_embedders(self) -> int:
        """Return how many embedders calls are spread over, at least 1."""
        return await self._embedders.count()

    async def embed(
        self,
        texts: Sequence[str],
        expected_fingerprint: str = "",
        *,
        long_texts: LongTexts = LongTexts.TRUNCATE,
        on_rows: OnRows = ignore_rows,
    ) -> EmbeddedTexts:
        """Return the vectors of at most 4,096 texts; `on_rows` hears of texts as they are done."""
        config = document_config(len(texts), expected_fingerprint, long_texts)
        return await self._embed(config, texts, on_rows)

    async def embed_query(self, text: str, expected_fingerprint: str = "") -> NDArray[np.float32]:
        """Return the vector, [dimension_count], of a text to search with."""
        answer = await self._embed(query_config(expected_fingerprint), [text], ignore_rows)
        vector: NDArray[np.float32] = answer.vectors[0]
        return vector

    async def _embed(self, config: Any, texts: Sequence[str], on_rows: OnRows) -> EmbeddedTexts:
        answer = EmbedAnswer(len(texts), on_rows)
        requests = embed_requests(config, texts)
        async with self._embedders.least_busy() as channel:
            method = EmbedderServiceStub(channel).Embed
            async with self._exchange(method, requests) as messages:
                async for message in messages:
                    answer.add(message)
        return answer.finish()
