import dataclasses
import threading

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from embedder_svc.batch_limit import BatchLimit
from embedder_svc.embedding import CallEmbedder, embed_texts
from embedder_svc.errors import (
    DeviceOutOfMemory,
    EmbeddingCancelled,
    OutOfMemory,
    TextNotEmbeddable,
)

TEXTS = ["my card is late", "refund", "the money " * 9, "hello", "my refund is late " * 3, ""] * 9
DIFFERENT_TEXTS = [f"{text} {row}" for row, text in enumerate(TEXTS)]


class WatchedModel:
    """A real model on a device that holds so many texts; notes what it was asked for."""

    def __init__(self, model, capacity=1024, **info):
        self.info = dataclasses.replace(model.info, **info)
        self.batches = []
        self.tokenised = []
        self._model = model
        self._capacity = capacity

    def tokenise(self, texts):
        self.tokenised.extend(texts)
        return self._model.tokenise(texts)

    def encode(self, batch):
        self.batches.append([len(token_ids) for token_ids in batch])
        if len(batch) > self._capacity:
            raise OutOfMemory
        return self._model.encode(batch)

    @property
    def batch_sizes(self):
        return [len(batch) for batch in self.batches]


def test_vectors_are_unit_float32_in_row_order(tiny):
    embedding = embed_texts(tiny, DIFFERENT_TEXTS)
    alone = np.vstack([embed_texts(tiny, [text]).vectors for text in DIFFERENT_TEXTS])
    assert embedding.vectors.dtype == np.float32
    assert embedding.vectors.shape == (len(DIFFERENT_TEXTS), tiny.info.dimension_count)
    np.testing.assert_allclose(embedding.vectors, alone, atol=1e-5)
    np.testing.assert_allclose(np.linalg.norm(embedding.vectors, axis=1), 1, atol=1e-5)
    assert embedding.model == tiny.info


def test_no_texts_give_no_vectors(tiny):
    embedding = embed_texts(tiny, [])
    assert embedding.vectors.shape == (0, tiny.info.dimension_count)
    assert embedding.truncated_count == 0


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.lists(st.text(st.characters(categories=None), max_size=40), max_size=12), st.data())
def test_a_vector_does_not_depend_on_its_neighbours_or_their_order(tiny, texts, data):
    shuffled = data.draw(st.permutations(range(len(texts))))
    vectors = embed_texts(tiny, texts).vectors
    again = embed_texts(tiny, [texts[row] for row in shuffled], batch_size=5).vectors
    np.testing.assert_allclose(again, vectors[shuffled], atol=1e-5)


def test_equal_texts_are_embedded_once(tiny):
    model = WatchedModel(tiny)
    vectors = embed_texts(model, TEXTS).vectors
    assert sorted(model.tokenised) == sorted(set(TEXTS))
    np.testing.assert_array_equal(vectors[:6], vectors[6:12])


def test_a_text_seen_earlier_in_the_call_is_not_embedded_again(tiny):
    model = WatchedModel(tiny)
    embedder = CallEmbedder(model)
    first = embedder.embed(["card", "money"])
    second = embedder.embed(["money", "refund"])
    assert model.tokenised == ["card", "money", "refund"]
    np.testing.assert_array_equal(second.vectors[0], first.vectors[1])


def test_batches_hold_texts_of_similar_length_and_at_most_batch_size(tiny):
    model = WatchedModel(tiny, batch_token_count=0)
    embed_texts(model, DIFFERENT_TEXTS, batch_size=10)
    assert model.batch_sizes == [10, 10, 10, 10, 10, 4]
    lengths = [length for batch in model.batches for length in batch]
    assert lengths == sorted(lengths, reverse=True)


def test_batches_of_long_texts_are_bounded_by_tokens(tiny):
    model = WatchedModel(tiny, batch_token_count=100)
    embed_texts(model, DIFFERENT_TEXTS)
    assert max(max(batch) * len(batch) for batch in model.batches) <= 100
    assert sum(model.batch_sizes) == len(DIFFERENT_TEXTS)


def test_batches_are_halved_when_memory_runs_out_and_nothing_is_lost(tiny):
    model = WatchedModel(tiny, capacity=9, batch_token_count=0)
    vectors = embed_texts(model, DIFFERENT_TEXTS).vectors
    assert model.batch_sizes[:3] == [32, 16, 8]
    assert set(model.batch_sizes[3:-1]) == {8}
    np.testing.assert_allclose(vectors, embed_texts(tiny, DIFFERENT_TEXTS).vectors, atol=1e-5)


def test_the_batch_that_fits_is_remembered_by_later_calls(tiny):
    model = WatchedModel(tiny, capacity=16, batch_token_count=0)
    limit = BatchLimit(32)
    CallEmbedder(model, limit=limit).embed(DIFFERENT_TEXTS)
    model.batches.clear()
    CallEmbedder(model, limit=limit).embed(DIFFERENT_TEXTS)
    assert max(model.batch_sizes) == 16
    assert limit.safe_batch_size == 16


def test_a_device_too_small_for_eight_texts_is_a_clear_error(tiny):
    model = WatchedModel(tiny, capacity=7, batch_token_count=0)
    with pytest.raises(DeviceOutOfMemory, match="no memory left for 8 texts"):
        embed_texts(model, DIFFERENT_TEXTS)
    assert model.batch_sizes == [32, 16, 8]


def test_a_cancelled_call_ends_after_the_batch_that_runs(tiny):
    cancelled = threading.Event()

    class CancelledWhileEncoding(WatchedModel):
        def encode(self, batch):
            cancelled.set()
            return super().encode(batch)

    model = CancelledWhileEncoding(tiny)
    with pytest.raises(EmbeddingCancelled):
        embed_texts(model, DIFFERENT_TEXTS, batch_size=8, cancelled=cancelled)
    assert len(model.batches) == 1


def test_queries_get_the_models_prefix_and_documents_do_not(tiny):
    assert tiny.info.query_prefix == "query: "
    query = embed_texts(tiny, ["card"], is_query=True).vectors
    np.testing.assert_array_equal(query, embed_texts(tiny, ["query: card"]).vectors)
    assert np.abs(query - embed_texts(tiny, ["card"]).vectors).max() > 0.01


def test_texts_beyond_the_models_tokens_are_counted_as_truncated(tiny):
    fits = "card " * (tiny.info.max_token_count - 2)
    embedding = embed_texts(tiny, ["card", fits, fits + "card", fits + "money", fits + "card"])
    assert embedding.truncated.tolist() == [False, False, True, True, True]
    assert embedding.truncated_count == 3
    # What is cut off changes nothing.
    np.testing.assert_array_equal(embedding.vectors[1], embedding.vectors[2])
    np.testing.assert_array_equal(embedding.vectors[2], embedding.vectors[3])


def test_a_text_over_256_kib_is_truncated_even_where_few_tokens_remain(tiny):
    assert embed_texts(tiny, [" " * 300_000]).truncated_count == 1


HOSTILE_TEXTS = {
    "empty": "",
    "spaces": " \t\r\n ",
    "nul": "\0",
    "controls": "\x01\x02\x7f\x9f",
    "lone surrogates": "\ud800 a \udfff",
    "emoji": "\N{GRINNING FACE}" * 60,
    "one token of a megabyte": "x" * 2**20,
    "mixed scripts": "card 日本 карта بطاقة",
    "right to left": "\u202eabc مرحبا \u200f",
    "combining marks": "e" + "\u0301" * 500,
    "html": "<script>alert(1)</script>",
    "unassigned": "\U000e0fff\ufffe",
    "special tokens": "[CLS] [SEP] [PAD] [MASK]",
}


@pytest.mark.parametrize("name", HOSTILE_TEXTS)
def test_hostile_text_has_a_finite_unit_vector(tiny, name):
    vectors = embed_texts(tiny, [HOSTILE_TEXTS[name]]).vectors
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)


@pytest.mark.parametrize("damage", [np.nan, np.inf, 0.0])
def test_a_text_without_a_unit_vector_is_named_by_its_row(tiny, damage):
    class Damaged(WatchedModel):
        def encode(self, batch):
            vectors = super().encode(batch).copy()
            is_long = [len(token_ids) > 10 for token_ids in batch]
            vectors[is_long] *= np.float32(damage)
            return vectors

    with pytest.raises(TextNotEmbeddable, match="row 102") as raised, np.errstate(invalid="ignore"):
        CallEmbedder(Damaged(tiny)).embed(["card", "card", "card " * 12], first_row_index=100)
    assert raised.value.metadata == {"row_index": "102"}
