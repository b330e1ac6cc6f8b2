import json
import shutil

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from embedder_svc.errors import ModelNotLoaded
from embedder_svc.loading import load_model
from embedder_svc.matryoshka import MatryoshkaModel, cut_vectors
from embedder_svc.model import Backend
from embedder_svc.weights import ModelFolder

TEXTS = ["card", "my card is late", "", "money " * 99]


def vectors_of(model):
    return model.encode([text.token_ids for text in model.tokenise(TEXTS)])


@pytest.fixture
def folder(tiny_folder, tmp_path):
    folder = shutil.copytree(tiny_folder, tmp_path / "model")
    declare(folder / "config.json", matryoshka_dimensions=[16, 8, 32])
    return folder


def declare(path, **content):
    path.write_text(json.dumps(json.loads(path.read_text()) | content))


@pytest.fixture(params=[Backend.ONNX, pytest.param(Backend.TORCH, marks=pytest.mark.torch)])
def options(request, cache_dir):
    if request.param is Backend.TORCH:
        pytest.importorskip("sentence_transformers", reason="the extra torch is not installed")
    return {"backend": request.param, "threads": 1, "cache_dir": cache_dir}


def test_vectors_are_cut_and_of_unit_length(folder, options):
    whole = load_model(str(folder), **options)
    cut = load_model(str(folder), dimension_count=8, **options)
    assert (cut.info.dimension_count, whole.info.dimension_count) == (8, 32)
    assert cut.info.fingerprint != whole.info.fingerprint
    expected = vectors_of(whole)[:, :8]
    expected /= np.linalg.norm(expected, axis=1, keepdims=True)
    np.testing.assert_allclose(vectors_of(cut), expected, atol=1e-6)


def test_the_length_that_the_files_ask_for_is_the_default(folder, options):
    declare(folder / "config_sentence_transformers.json", truncate_dim=12)
    for dimension_count, length in ((0, 12), (32, 32)):
        model = load_model(str(folder), dimension_count=dimension_count, **options)
        assert model.info.dimension_count == vectors_of(model).shape[1] == length


def test_another_length_is_answered_with_those_it_was_trained_for(folder, cache_dir):
    with pytest.raises(ModelNotLoaded, match="cannot be cut to 9: it was trained for 8, 16, 32;"):
        load_model(
            str(folder), backend=Backend.ONNX, dimension_count=9, threads=1, cache_dir=cache_dir
        )


def test_a_model_without_it_says_so(tiny_folder, tiny):
    with pytest.raises(ModelNotLoaded, match="trained for 32 alone"):
        cut_vectors(tiny, ModelFolder(tiny_folder, "tiny"), 16)


def test_published_lengths_are_known_by_the_models_id(tiny_folder, tiny):
    folder = ModelFolder(tiny_folder, "Snowflake/snowflake-arctic-embed-l-v2.0")
    # 256 is longer than this model's own vectors, so it is none of its lengths.
    with pytest.raises(ModelNotLoaded, match="trained for 32 alone"):
        cut_vectors(tiny, folder, 256)
    wide = MatryoshkaModel(tiny, 32)
    wide.info = type(tiny.info)(**(vars(tiny.info) | {"dimension_count": 1024}))
    assert cut_vectors(wide, folder, 256).info.dimension_count == 256


@settings(deadline=None, max_examples=20, suppress_health_check=[HealthCheck.too_slow])
@given(length=st.integers(1, 32))
def test_every_length_has_its_own_fingerprint_and_unit_vectors(tiny, length):
    cut = MatryoshkaModel(tiny, length)
    vectors = vectors_of(cut)
    assert vectors.shape == (len(TEXTS), length)
    assert vectors.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)
    assert cut.info.fingerprint != MatryoshkaModel(tiny, length % 32 + 1).info.fingerprint
