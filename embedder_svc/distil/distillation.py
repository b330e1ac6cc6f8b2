"""Makes a static model of any embedding model: each token of its vocabulary goes through it once.

The method is model2vec's (Tulkens and van Dongen, "Model2Vec: Fast State-of-the-Art Static
Embeddings", 2024), without torch: principal components of the tokens' vectors, so that directions
which all tokens share vanish, then weights that let frequent tokens count for less. As there, a
token's rank in the vocabulary stands for its frequency (Zipf's law), and the weight is that of
smooth inverse frequency (Arora, Liang and Ma, "A Simple but Tough-to-Beat Baseline for Sentence
Embeddings", 2017).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer

from embedder_svc.model import EmbeddingModel

DISTILLATION_VERSION = "1"
"""Raised whenever this file changes the tables that it makes; part of the cache's names."""

DIMENSION_COUNT = 256
SIF_COEFFICIENT = 1e-4

_BATCH_SIZE = 256
_NEVER_IN_TEXTS = re.compile(r"\[unused\d+\]")

Report = Callable[[int, int], None]
"""Called with how many tokens are done, and of how many."""


def distil(
    model: EmbeddingModel,
    tokenizer: Tokenizer,
    dimension_count: int = DIMENSION_COUNT,
    report: Report | None = None,
) -> NDArray[np.float32]:
    """Return a vector for each token, float32 of shape (tokens, at most ``dimension_count``).

    Parameters
    ----------
    model
        The model to distil.
    tokenizer
        Its tokenizer.
    dimension_count
        Principal components that are kept, 1 or more.
    report
        Told after each batch.

    Raises
    ------
    OutOfMemory
        The device has no room for 256 tokens.
    """
    vectors = _token_vectors(model, tokenizer, report or (lambda done, total: None))
    components = _principal_components(vectors, dimension_count)
    return components * _token_weights(tokenizer)[:, None]


def _token_vectors(
    model: EmbeddingModel, tokenizer: Tokenizer, report: Report
) -> NDArray[np.float32]:
    """Return the model's vector of each token alone, between the special tokens of any text."""
    count = tokenizer.get_vocab_size()
    before, after = _special_tokens(tokenizer)
    batches = [
        [[*before, token_id, *after] for token_id in range(start, min(start + _BATCH_SIZE, count))]
        for start in range(0, count, _BATCH_SIZE)
    ]
    vectors: list[NDArray[np.float32]] = []
    done = 0
    with ThreadPoolExecutor(model.info.parallel_batch_count) as pool:
        for some in _in_order(pool, model, batches):
            vectors.append(some)
            done += len(some)
            report(done, count)
    return np.concatenate(vectors)


def _in_order(
    pool: ThreadPoolExecutor, model: EmbeddingModel, batches: Sequence[list[list[int]]]
) -> Iterator[NDArray[np.float32]]:
    try:
        yield from pool.map(model.encode, batches)
    finally:
        # Without it an error or Ctrl-C would wait for the rest of the vocabulary.
        pool.shutdown(wait=False, cancel_futures=True)


def _special_tokens(tokenizer: Tokenizer) -> tuple[list[int], list[int]]:
    """Return the special tokens that stand before and after a text's own."""
    text = "a"
    whole: list[int] = tokenizer.encode(text).ids
    own: list[int] = tokenizer.encode(text, add_special_tokens=False).ids
    starts = range(len(whole) - len(own) + 1)
    start = next((i for i in starts if whole[i : i + len(own)] == own), 0)
    return whole[:start], whole[start + len(own) :]


def _principal_components(
    vectors: NDArray[np.float32], dimension_count: int
) -> NDArray[np.float32]:
    """Return the vectors' coordinates along the directions of most variance, most first."""
    centred = vectors - vectors.mean(axis=0)
    _, directions = np.linalg.eigh((centred.T @ centred).astype(np.float64))
    kept = directions[:, ::-1][:, :dimension_count].astype(np.float32)
    # An eigenvector's sign is arbitrary: the largest entry of each is made positive.
    largest = kept[np.abs(kept).argmax(axis=0), np.arange(kept.shape[1])]
    coordinates: NDArray[np.float32] = centred @ (kept * np.sign(largest))
    return coordinates


def _token_weights(tokenizer: Tokenizer) -> NDArray[np.float32]:
    """Return a / (a + p) for each token, where p is its share of all tokens by Zipf's law."""
    tokens = [tokenizer.id_to_token(i) or "" for i in range(tokenizer.get_vocab_size())]
    special = {token.content for token in tokenizer.get_added_tokens_decoder().values()}
    occurs = np.array([t not in special and not _NEVER_IN_TEXTS.fullmatch(t) for t in tokens])
    # The first rank is 2, as in model2vec: the most frequent token is not all that heavy.
    shares = 1 / (np.cumsum(occurs) + 1.0)
    shares /= shares[occurs].sum() if occurs.any() else shares.sum()
    weights: NDArray[np.float32] = (SIF_COEFFICIENT / (SIF_COEFFICIENT + shares)).astype(np.float32)
    return weights
