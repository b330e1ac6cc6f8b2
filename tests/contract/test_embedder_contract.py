"""EmbedderService as its protos describe it, to a client that knows nothing else."""

import threading
import uuid

import grpc
import numpy as np
import pytest

from tests.contract.stranger import Refusal, ask, converse

TEXTS = [
    "the parcel never came",
    "I forgot my password",
    "",
    "the parcel never came",
    "包裹一直没有到",
    "refund please " * 300,
    "🙂",
]


@pytest.fixture
def service(connect):
    return connect("embedder")


@pytest.fixture
def part(contract):
    return contract.part("embedder")


@pytest.fixture
def config(part):
    def make(row_count: int, **fields):
        return part.EmbedRequest(config=part.EmbedConfig(row_count=row_count, **fields))

    return make


@pytest.fixture
def texts(part):
    def make(texts: list[str], first_row_index: int = 0, truncated: int = 0):
        block = part.TextBlock(
            first_row_index=first_row_index, texts=texts, truncated_text_count=truncated
        )
        return part.EmbedRequest(texts=block)

    return make


@pytest.fixture
def embed(service, config, texts, tensors):
    """Return model and vectors of some texts, sent in blocks of two."""

    def call(all_texts: list[str], **fields):
        blocks = (texts(all_texts[i : i + 2], i) for i in range(0, len(all_texts), 2))
        answers = converse(service.Embed, [config(len(all_texts), **fields), *blocks])
        kinds = [answer.WhichOneof("payload") for answer in answers]
        assert kinds[0] == "model" and set(kinds[1:]) <= {"vectors"}
        vectors = tensors.join(answer.vectors.vectors for answer in answers[1:])
        return answers[0].model, vectors, answers[1:]

    return call


def test_the_model_is_described(service, part):
    model = ask(service.GetModel, part.GetModelRequest()).model
    assert model.model_id and model.fingerprint and model.device
    assert model.runtime.startswith(model.backend)
    assert model.dimension_count > 0
    assert model.max_token_count > 0
    assert model.safe_batch_size >= 8
    assert model.precision and model.choice_reason
    assert list(model.modalities) == [1]


def test_vectors_are_of_unit_length_in_row_order(embed, service, part):
    model, vectors, answers = embed(TEXTS)
    assert model == ask(service.GetModel, part.GetModelRequest()).model
    assert vectors.shape == (len(TEXTS), model.dimension_count)
    assert vectors.dtype == np.float32
    assert np.linalg.norm(vectors, axis=1) == pytest.approx(1, abs=1e-4)
    assert np.array_equal(vectors[0], vectors[3])
    for row, text in enumerate(TEXTS):
        alone = embed([text])[1][0]
        assert np.abs(alone - vectors[row]).max() <= 1e-5, text
    assert sum(answer.vectors.truncated_text_count for answer in answers) == 1


def test_long_texts_can_be_embedded_in_pieces(embed):
    _, cut, _ = embed(TEXTS)
    _, whole, answers = embed(TEXTS, long_text_mode=2)
    assert np.linalg.norm(whole, axis=1) == pytest.approx(1, abs=1e-4)
    assert sum(answer.vectors.truncated_text_count for answer in answers) == 0
    assert sum(answer.vectors.chunked_text_count for answer in answers) == 1
    differs = [
        text for text, a, b in zip(TEXTS, cut, whole, strict=True) if abs(a - b).max() > 1e-5
    ]
    assert differs == [max(TEXTS, key=len)]


def test_what_was_computed_is_counted_and_what_was_known_is_not(embed):
    new = f"a text that was never seen before {uuid.uuid4()}"
    _, _, answers = embed([new, new])
    assert sum(answer.vectors.cached_text_count for answer in answers) == 0
    once = sum(answer.vectors.token_count for answer in answers)
    assert once >= 10
    _, _, answers = embed([new])
    cached = sum(answer.vectors.cached_text_count for answer in answers)
    # A service may be run without a cache.
    assert sum(answer.vectors.token_count for answer in answers) == (0 if cached else once)


def test_close_meanings_are_close(embed):
    _, (parcel, package, password), _ = embed(
        ["my parcel has not arrived", "where is my package", "how do I reset my password"]
    )
    assert parcel @ package > parcel @ password + 0.1


def test_no_texts_give_no_vectors(service, config):
    answers = converse(service.Embed, [config(0)])
    assert [answer.WhichOneof("payload") for answer in answers] == ["model"]


def test_texts_cut_by_the_sender_are_counted(service, config, texts):
    answers = converse(service.Embed, [config(2), texts(["short", "cut"], truncated=1)])
    assert sum(answer.vectors.truncated_text_count for answer in answers[1:]) == 1


def test_vectors_come_while_texts_still_go_up(service, config, texts):
    """Rows that fill a window are answered before the stream of requests has ended."""
    answered = threading.Event()
    same = ["where is my parcel " * 50] * 400

    def requests():
        yield config(len(same) + 1)
        yield texts(same)
        assert answered.wait(60)
        yield texts(["the last one"], len(same))

    received = 0
    for answer in service.Embed(requests(), timeout=120):
        if answer.WhichOneof("payload") == "vectors":
            received += answer.vectors.vectors.tensor.shape[0]
            answered.set()
    assert received == len(same) + 1


def test_the_expected_model_is_served(embed, service, part):
    model = ask(service.GetModel, part.GetModelRequest()).model
    assert embed(["hello"], expected_model_fingerprint=model.fingerprint)[1].shape[0] == 1


ABUSES = {
    "no config first": (
        lambda config, texts: [texts(["a"])],
        ("INVALID_ARGUMENT", "CONFIG_NOT_FIRST", {"received": "texts"}),
    ),
    "nothing at all": (
        lambda config, texts: [],
        ("INVALID_ARGUMENT", "CONFIG_NOT_FIRST", {"received": "nothing"}),
    ),
    "config twice": (
        lambda config, texts: [config(1), config(1)],
        ("INVALID_ARGUMENT", "CONFIG_NOT_FIRST", {"received": "config"}),
    ),
    "an early end": (
        lambda config, texts: [config(3), texts(["a"])],
        ("INVALID_ARGUMENT", "TENSOR_ROWS_MISMATCH", {"array": "texts", "expected_rows": "3"}),
    ),
    "too many rows": (
        lambda config, texts: [config(1), texts(["a", "b"])],
        ("INVALID_ARGUMENT", "TENSOR_ROWS_MISMATCH", {"array": "texts", "expected_rows": "1"}),
    ),
    "a gap": (
        lambda config, texts: [config(3), texts(["a"]), texts(["c"], 2)],
        ("INVALID_ARGUMENT", "TENSOR_ROWS_MISMATCH", {"received_rows": "1"}),
    ),
    "another model": (
        lambda config, texts: [config(1, expected_model_fingerprint="other"), texts(["a"])],
        ("FAILED_PRECONDITION", "MODEL_MISMATCH", {"expected": "other"}),
    ),
    "images": (
        lambda config, texts: [config(1, modality=2), texts(["a"])],
        ("INVALID_ARGUMENT", "FIELD_INVALID", {"field": "config.modality"}),
    ),
    "an unknown mode for long texts": (
        lambda config, texts: [config(1, long_text_mode=9), texts(["a"])],
        ("INVALID_ARGUMENT", "FIELD_INVALID", {"field": "config.long_text_mode"}),
    ),
    "a negative row count": (
        lambda config, texts: [config(-1)],
        ("INVALID_ARGUMENT", "FIELD_INVALID", {"field": "config.row_count"}),
    ),
    "a huge batch": (
        lambda config, texts: [config(1, batch_size=5000), texts(["a"])],
        ("INVALID_ARGUMENT", "FIELD_INVALID", {"field": "config.batch_size"}),
    ),
    "a block of 2 MiB": (
        lambda config, texts: [config(2), texts(["a" * (1 << 20), "b" * (1 << 20)])],
        ("INVALID_ARGUMENT", "FIELD_INVALID", {"field": "texts.texts"}),
    ),
    "a message of 5 MiB": (
        lambda config, texts: [config(1), texts(["a" * (5 << 20)])],
        ("RESOURCE_EXHAUSTED", "", {}),
    ),
}


@pytest.mark.parametrize("abuse", ABUSES)
def test_abuse_is_refused_and_leaves_the_service_serving(abuse, service, config, texts, embed):
    requests, (code, reason, metadata) = ABUSES[abuse]
    with pytest.raises(Refusal) as caught:
        converse(service.Embed, requests(config, texts))
    refusal = caught.value
    assert (refusal.code, refusal.reason) == (code, reason), refusal
    assert metadata.items() <= refusal.metadata.items()
    assert refusal.domain == ("level" if reason else "")
    assert len(embed(["still there"])[1]) == 1


def test_another_version_of_the_contract_is_refused(service, part):
    with pytest.raises(Refusal) as caught:
        ask(service.GetModel, part.GetModelRequest(), metadata=[("level-contract-version", "999")])
    assert caught.value.code == "FAILED_PRECONDITION"
    assert caught.value.reason == "CONTRACT_VERSION_MISMATCH"
    assert caught.value.metadata == {"expected": "1", "received": "999"}


def test_a_request_id_comes_back(service, part):
    answer, call = service.GetModel.with_call(
        part.GetModelRequest(), metadata=[("x-request-id", "stranger-17")]
    )
    assert answer.model.model_id
    assert ("x-request-id", "stranger-17") in list(call.initial_metadata())


def test_cancelling_frees_the_model(service, config, texts, embed):
    """Hours of work are cancelled; another call is then served."""
    row_count = 1_000_000
    same = ["where is my parcel " * 50] * 400

    def requests():
        yield config(row_count)
        yield texts(same)
        for first in range(len(same), row_count, 64):
            yield texts([f"{row} {same[0]}" for row in range(first, first + 64)], first)

    call = service.Embed(requests())
    assert next(call).WhichOneof("payload") == "model"
    assert next(call).WhichOneof("payload") == "vectors"
    call.cancel()
    with pytest.raises(grpc.RpcError):
        list(call)
    assert len(embed(["still there"])[1]) == 1
