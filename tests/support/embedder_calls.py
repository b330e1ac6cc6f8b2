"""Calls of a real embedder service, and a model that works only when a test lets it."""

import dataclasses
import threading

import grpc
import numpy as np
import pytest
from google.rpc import error_details_pb2
from grpc_status import rpc_status

from embedder_svc.errors import OutOfMemory
from level_rpc.tensors import ArrayAssembler
from levelapi.embedder.v1 import embedder_service_pb2 as messages


class GatedModel:
    """A real model on a device that works only while its gate is open."""

    def __init__(self, model, capacity=1024):
        self.info = dataclasses.replace(model.info, batch_token_count=0, parallel_batch_count=1)
        self.gate = threading.Event()
        self.gate.set()
        self.started = threading.Event()
        self.batch_sizes = []
        self._model = model
        self._capacity = capacity

    def tokenise(self, texts):
        return self._model.tokenise(texts)

    def encode(self, batch):
        self.batch_sizes.append(len(batch))
        self.started.set()
        assert self.gate.wait(timeout=30)
        if len(batch) > self._capacity:
            raise OutOfMemory
        return self._model.encode(batch)


def config(row_count, **fields):
    return messages.EmbedRequest(config=messages.EmbedConfig(row_count=row_count, **fields))


def block(texts, first_row_index=0, **fields):
    texts = messages.TextBlock(first_row_index=first_row_index, texts=texts, **fields)
    return messages.EmbedRequest(texts=texts)


def requests_for(texts, block_size=500, **fields):
    yield config(len(texts), **fields)
    for first in range(0, len(texts), block_size):
        yield block(texts[first : first + block_size], first)


async def embed(stub, requests, row_count):
    """Return the model, the vectors and the messages with the vectors of one call."""
    model, blocks = None, []
    async for response in stub.Embed(iter(requests)):
        if response.HasField("model"):
            assert model is None and not blocks
            model = response.model
        else:
            blocks.append(response.vectors)
    vectors = ArrayAssembler("v", np.float32, row_count, (model.dimension_count,))
    for one in blocks:
        vectors.add(one.vectors)
    return model, vectors.finish(), blocks


def total(blocks, field):
    """Return the sum of a count over the messages of a call."""
    return sum(getattr(block, field) for block in blocks)


async def refusal_of(call):
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call
    info = error_details_pb2.ErrorInfo()
    rpc_status.from_call(caught.value).details[0].Unpack(info)
    return caught.value.code().name, info.reason, dict(info.metadata)
