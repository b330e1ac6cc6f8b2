import dataclasses
import threading

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from embedder_svc.call_embedder import CallEmbedder
from embedder_svc.device import Device
from embedder_svc.embedding import embed_texts
from embedder_svc.errors import (
    DeviceOutOfMemory,
    EmbeddingCancelled,
    OutOfMemory,
    TextNotEmbeddable,
)
from embedder_svc.pieces import LongTextMode
from embedder_svc.vector_cache import VectorCache

TEXTS = ["my card is late", "refund", "the money " * 9, "hello", "my refund is late " * 3, ""] * 9
DIFFERENT_TEXTS = [f"{text} {row}" for row, text in enumerate(TEXTS)]
EQUALLY_LONG_TEXTS = [f"card {number}" for number in range(100, 154)]
ANY_TEXT = st.one_of(
    st.text(st.characters(categories=None), max_size=40),
    st.text(st.sampled_from("card \ud83d\ude00e\u0301\u200d\u202e日本\0"), max_size=90),
)


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
    assert embedding.truncated_count == embedding.token_count == 0


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    st.lists(ANY_TEXT, max_size=12), st.data(), st.integers(1, 40), st.sampled_from(LongTextMode)
)
def test_any_text_has_a_unit_vector_that_depends_on_nothing_but_itself(
    tiny, texts, data, batch_size, mode
):
    rows = data.draw(st.lists(st.sampled_from(range(len(texts))), max_size=20)) if texts else []
    vectors = embed_texts(tiny, texts, long_text_mode=mode).vectors
    again = embed_texts(
        WatchedModel(tiny, parallel_batch_count=3),
        [texts[row] for row in rows],
        batch_size,
        long_text_mode=mode,
    ).vectors
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)
    np.testing.assert_allclose(again, vectors[rows], atol=1e-5)


def test_equal_texts_are_embedded_once(tiny):
    model = WatchedModel(tiny)
    vectors = embed_texts(model, TEXTS).vectors
    assert sorted(model.tokenised) == sorted(set(TEXTS))
    np.testing.assert_array_equal(vectors[:6], vectors[6:12])


def test_a_text_seen_earlier_in_the_call_is_not_embedded_again(tiny):
    model = WatchedModel(tiny)
    with Device(model) as device, CallEmbedder(device) as embedder:
        first = embedder.embed(["card", "money"])
        second = embedder.embed(["money", "refund"])
    assert model.tokenised == ["card", "money", "refund"]
    np.testing.assert_array_equal(second.vectors[0], first.vectors[1])


def test_texts_beyond_what_one_stretch_holds_are_embedded_in_order(tiny, monkeypatch):
    monkeypatch.setattr("embedder_svc.texts._TEXTS_AT_ONCE", 10)
    monkeypatch.setattr("embedder_svc.call_embedder._REMEMBERED_TEXTS", 24)
    embedding = embed_texts(tiny, DIFFERENT_TEXTS + TEXTS)
    expected = [embed_texts(tiny, some).vectors for some in (DIFFERENT_TEXTS, TEXTS)]
    np.testing.assert_allclose(embedding.vectors, np.concatenate(expected), atol=1e-5)


def test_tokens_are_counted_where_they_are_computed_and_only_there(tiny):
    texts = ["card", "my card", "card", "my my card"]
    embedding = embed_texts(tiny, texts)
    # Each has two special tokens besides its words.
    assert embedding.token_counts.tolist() == [3, 4, 0, 5]
    assert (embedding.token_count, embedding.cached_count) == (12, 0)


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
    vectors = embed_texts(model, EQUALLY_LONG_TEXTS).vectors
    assert model.batch_sizes[:3] == [32, 16, 8]
    assert set(model.batch_sizes[3:-1]) == {8}
    np.testing.assert_allclose(vectors, embed_texts(tiny, EQUALLY_LONG_TEXTS).vectors, atol=1e-5)


def test_short_texts_are_batched_as_large_as_fits_after_long_ones_ran_out_of_memory(tiny):
    class BoundedByTokens(WatchedModel):
        def encode(self, batch):
            fits = sum(map(len, batch)) <= 200
            self._capacity = 1024 if fits else 0
            return super().encode(batch)

    model = BoundedByTokens(tiny, batch_token_count=0)
    texts = [f"{'card ' * 15} {number}" for number in range(100, 140)] + EQUALLY_LONG_TEXTS
    vectors = embed_texts(model, texts).vectors
    long = [len(lengths) for lengths in model.batches if lengths[0] > 9]
    short = [len(lengths) for lengths in model.batches if lengths[0] <= 9]
    assert max(short) > 2 * min(long)
    np.testing.assert_allclose(vectors, embed_texts(tiny, texts).vectors, atol=1e-5)


def test_the_batch_that_fits_is_remembered_by_later_calls(tiny):
    model = WatchedModel(tiny, capacity=16, batch_token_count=0)
    with Device(model) as device:
        CallEmbedder(device).embed(EQUALLY_LONG_TEXTS)
        model.batches.clear()
        CallEmbedder(device).embed(EQUALLY_LONG_TEXTS)
        assert device.safe_batch_size == 16
    assert max(model.batch_sizes) == 16


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


def test_the_callers_event_is_its_own(tiny):
    cancelled = threading.Event()
    for _ in range(2):
        assert len(embed_texts(tiny, ["card"], cancelled=cancelled).vectors) == 1
    assert not cancelled.is_set()


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
            with np.errstate(invalid="ignore"):
                vectors[is_long] *= np.float32(damage)
            return vectors

    with Device(Damaged(tiny)) as device, pytest.raises(TextNotEmbeddable) as raised:
        CallEmbedder(device).embed(["card", "card", "card " * 12], first_row_index=100)
    assert "row 102" in raised.value.message
    assert raised.value.metadata == {"row_index": "102"}


LONG = "my card is late the money is late hello refund " * 8


@pytest.mark.parametrize("text", [LONG, LONG[:180], "card " * 23])
def test_a_long_texts_vector_is_the_mean_of_its_pieces_by_tokens(tiny, text):
    (tokenised,) = tiny.tokenise([text])
    pieces = [tokenised.token_ids, *tokenised.rest]
    weights = np.array([len(piece) for piece in pieces], dtype=np.float64)
    expected = weights @ np.vstack([tiny.encode([piece])[0] for piece in pieces])
    expected /= np.linalg.norm(expected)
    model = WatchedModel(tiny)
    embedding = embed_texts(model, ["card", text], long_text_mode=LongTextMode.MEAN)
    np.testing.assert_allclose(embedding.vectors[1], expected, atol=1e-5)
    assert embedding.chunked.tolist() == [False, True]
    assert embedding.truncated_count == 0
    assert embedding.token_counts[1] == weights.sum() == sum(map(sum, model.batches)) - 3


def test_a_text_that_fits_has_the_same_vector_whatever_becomes_of_long_ones(tiny):
    whole = embed_texts(tiny, ["card", LONG], long_text_mode=LongTextMode.MEAN)
    cut = embed_texts(tiny, ["card", LONG])
    np.testing.assert_array_equal(whole.vectors[0], cut.vectors[0])
    assert np.abs(whole.vectors[1] - cut.vectors[1]).max() > 0.01
    assert (cut.chunked_count, cut.truncated_count) == (0, 1)


def test_a_text_of_256_kib_is_embedded_whole_in_batches_as_usual(tiny):
    model = WatchedModel(tiny)
    texts = ["?" * 2**18, "?" * (2**18 + 1)]
    embedding = embed_texts(model, texts, long_text_mode=LongTextMode.MEAN)
    assert max(model.batch_sizes) <= 32
    np.testing.assert_allclose(np.linalg.norm(embedding.vectors, axis=1), 1, atol=1e-5)
    assert embedding.chunked.tolist() == [True, True]
    assert embedding.truncated.tolist() == [False, True]


def test_pieces_that_cancel_out_are_an_error_that_names_the_row(tiny):
    class Opposed(WatchedModel):
        def encode(self, batch):
            signs = [[-1 if token_ids[1] == batch_token else 1] for token_ids in batch]
            return np.float32(signs) * np.eye(1, self.info.dimension_count, dtype=np.float32)

    (first, second) = (tiny.tokenise([word])[0].token_ids[1] for word in ("card", "money"))
    assert first != second
    batch_token = second
    words = tiny.info.max_token_count - 2
    texts = ["card", "card " * words + "money " * words]
    with pytest.raises(TextNotEmbeddable, match="row 1"):
        embed_texts(Opposed(tiny), texts, long_text_mode=LongTextMode.MEAN)


@pytest.fixture
def cache(tmp_path, tiny):
    with VectorCache(tmp_path / "vectors", tiny.info.dimension_count, 2**24) as cache:
        yield cache


def test_what_the_cache_knows_is_not_computed_again(tiny, cache):
    model = WatchedModel(tiny)
    texts = [*DIFFERENT_TEXTS, LONG, DIFFERENT_TEXTS[0]]
    first = embed_texts(model, texts, cache=cache)
    model.batches.clear()
    second = embed_texts(model, [*texts[::-1], "something new"], cache=cache)
    assert sum(model.batch_sizes) == 1
    np.testing.assert_array_equal(second.vectors[:-1], first.vectors[::-1])
    np.testing.assert_array_equal(second.truncated[:-1], first.truncated[::-1])
    assert first.cached_count == 0
    assert second.cached.tolist() == [True] * len(texts) + [False]
    assert np.flatnonzero(second.token_counts).tolist() == [len(texts)]


OTHER_OPTIONS = {
    "a query": {"is_query": True},
    "in pieces": {"long_text_mode": LongTextMode.MEAN},
}


@pytest.mark.parametrize("options", OTHER_OPTIONS)
def test_other_options_never_share_vectors(tiny, cache, options):
    embed_texts(tiny, [LONG], cache=cache)
    options = OTHER_OPTIONS[options]
    embedding = embed_texts(tiny, [LONG], cache=cache, **options)
    assert embedding.cached_count == 0
    again = embed_texts(tiny, [LONG], cache=cache, **options)
    assert again.cached_count == 1
    assert again.chunked_count == embedding.chunked_count
    np.testing.assert_array_equal(again.vectors, embed_texts(tiny, [LONG], **options).vectors)


@pytest.mark.parametrize("difference", ["fingerprint", "runtime", "instruction_set"])
def test_other_models_never_share_vectors(tiny, cache, difference):
    embed_texts(tiny, ["card"], cache=cache)
    other = WatchedModel(tiny, **{difference: "another"})
    assert embed_texts(other, ["card"], cache=cache).cached_count == 0


@pytest.mark.parametrize("modes", [list(LongTextMode), list(LongTextMode)[::-1]])
def test_a_text_that_is_read_whole_has_one_vector_whatever_becomes_of_long_ones(tiny, cache, modes):
    texts = ["card", LONG, "money"]
    for mode in [*modes, *modes]:
        embedding = embed_texts(tiny, texts, long_text_mode=mode, cache=cache)
        fresh = embed_texts(tiny, texts, long_text_mode=mode)
        np.testing.assert_array_equal(embedding.vectors, fresh.vectors)
        np.testing.assert_array_equal(embedding.truncated, fresh.truncated)
        np.testing.assert_array_equal(embedding.chunked, fresh.chunked)
    assert embedding.cached.tolist() == [True, False, True]


def test_texts_before_a_failed_one_are_kept_for_the_next_call(tiny, cache):
    class Limited(WatchedModel):
        def encode(self, batch):
            vectors = super().encode(batch).copy()
            vectors[[len(token_ids) > 20 for token_ids in batch]] = np.nan
            return vectors

    with Device(Limited(tiny)) as device, CallEmbedder(device, cache=cache) as embedder:
        embedder.embed(["card", "money"])
        with pytest.raises(TextNotEmbeddable):
            embedder.embed([LONG])
    assert embed_texts(tiny, ["card", "money", LONG], cache=cache).cached_count == 2


def test_documents_get_the_models_prefix_for_them(tiny):
    model = WatchedModel(tiny, document_prefix="money: ")
    expected = embed_texts(tiny, ["money: card"]).vectors
    np.testing.assert_array_equal(embed_texts(model, ["card"]).vectors, expected)
