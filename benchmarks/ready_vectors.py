"""Serves the embedder's contract without a model: every text gets a vector that is there already.

What a call of it takes is what texts and vectors take on their way. Its argument is the length of
the vectors.
"""

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from typing import Any

import numpy as np

from level_rpc.server import Service, serve
from level_rpc.tensors import split_array
from levelapi.embedder.v1 import embedder_service_pb2 as messages
from levelapi.embedder.v1 import embedder_service_pb2_grpc

ROWS = 4096


class ReadyVectors(embedder_service_pb2_grpc.EmbedderServiceServicer):
    """Answers as the embedder does, in blocks of the same size.

    Parameters
    ----------
    dimension_count
        The length of the vectors.
    """

    def __init__(self, dimension_count: int) -> None:
        vectors = np.random.default_rng(0).standard_normal((ROWS, dimension_count), np.float32)
        self._vectors = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)

    async def GetModel(self, request: messages.GetModelRequest, context: Any) -> Any:
        """Return a model of that dimension."""
        return messages.GetModelResponse(model=self._model())

    async def Embed(
        self, request_iterator: AsyncIterator[messages.EmbedRequest], context: Any
    ) -> AsyncIterator[messages.EmbedResponse]:
        """Yield a vector for each text."""
        done = 0
        async for request in request_iterator:
            if request.HasField("config"):
                yield messages.EmbedResponse(model=self._model())
                continue
            count = len(request.texts.texts)
            rows = np.arange(done, done + count) % ROWS
            for block in split_array(self._vectors[rows], first_row_index=done):
                answer = messages.VectorBlock(vectors=block, token_count=count)
                yield messages.EmbedResponse(vectors=answer)
            done += count

    def _model(self) -> messages.Model:
        dimensions = self._vectors.shape[1]
        return messages.Model(model_id="ready vectors", dimension_count=dimensions)


def main() -> None:
    """Serve until told to stop."""
    service = Service(
        name="levelapi.embedder.v1.EmbedderService",
        add_to_server=embedder_service_pb2_grpc.add_EmbedderServiceServicer_to_server,
    )
    servicer = ReadyVectors(int(sys.argv[1]))
    address = os.environ["LEVEL_EMBEDDER_BIND"]
    asyncio.run(serve(service, lambda: servicer, address, log_name="ready vectors"))


if __name__ == "__main__":
    main()
