import json

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from embedder_svc.errors import ModelNotLoaded
from embedder_svc.loading import load_model
from embedder_svc.model import Backend, Precision

pytestmark = pytest.mark.torch

pytest.importorskip("torch", reason="the extra torch is not installed")
library = pytest.importorskip("sentence_transformers", reason="the extra torch is not installed")

from tests.unit.embedder_svc.torch_models import (  # noqa: E402
    MAX_TOKEN_COUNT,
    MODELS,
    write_torch_model,
)

TEXTS = ["card", "my card is late", "", " my  money ", "日本", "\0", "money " * 99, "late " * 22]


def vectors_of(model, texts, prefix=""):
    tokens = model.tokenise([prefix + text for text in texts])
    return model.encode([text.token_ids for text in tokens])


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    parent = tmp_path_factory.mktemp("architectures")
    return {name: write_torch_model(parent / name, name) for name in MODELS}


@pytest.fixture(scope="module")
def loaded(folders):
    return {
        name: (
            load_model(str(folder), backend=Backend.TORCH, precision=Precision.FLOAT32, threads=1),
            library.SentenceTransformer(str(folder), device="cpu"),
        )
        for name, folder in folders.items()
    }


@pytest.mark.parametrize("name", MODELS)
def test_vectors_are_those_of_sentence_transformers(loaded, name):
    model, reference = loaded[name]
    info = model.info
    documents = reference.encode_document(TEXTS, normalize_embeddings=True)
    queries = reference.encode_query(TEXTS, normalize_embeddings=True)
    assert info.dimension_count == documents.shape[1]
    assert info.max_token_count == MAX_TOKEN_COUNT
    np.testing.assert_allclose(vectors_of(model, TEXTS, info.document_prefix), documents, atol=1e-5)
    np.testing.assert_allclose(vectors_of(model, TEXTS, info.query_prefix), queries, atol=1e-5)


@pytest.mark.parametrize("name", MODELS)
def test_prefixes_are_the_models_own(loaded, name):
    info, prompts = loaded[name][0].info, MODELS[name].prompts
    assert info.query_prefix == prompts.get("query", "")
    assert info.document_prefix == prompts.get("document", "")


@pytest.mark.parametrize("name", MODELS)
def test_batch_mates_do_not_change_a_vector(loaded, name):
    model = loaded[name][0]
    together = vectors_of(model, TEXTS)
    alone = np.vstack([vectors_of(model, [text]) for text in TEXTS])
    assert np.abs(together - alone).max() <= 1e-5


@pytest.mark.parametrize("name", ["e5", "mpnet"])
@settings(deadline=None, max_examples=40, suppress_health_check=[HealthCheck.too_slow])
@given(text=st.text(st.characters(exclude_categories=["Cs"]), max_size=60))
def test_tokens_are_those_of_sentence_transformers(loaded, name, text):
    model, reference = loaded[name]
    expected = reference.preprocess([text])["input_ids"][0].tolist()
    tokens = model.tokenise([text])[0]
    assert list(tokens.token_ids) == expected
    assert all(len(piece) <= MAX_TOKEN_COUNT for piece in tokens.rest)


def test_a_folder_that_onnx_runtime_is_not_given_runs_on_torch(folders, tmp_path):
    info = load_model(str(folders["modernbert"]), cache_dir=tmp_path, threads=1).info
    assert info.backend == Backend.TORCH
    assert "ONNX Runtime is not given its architecture" in info.choice_reason


def test_a_prompt_that_pooling_leaves_out_is_refused(tmp_path):
    folder = write_torch_model(tmp_path / "model", "e5")
    path = folder / "1_Pooling" / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"include_prompt": False}))
    with pytest.raises(ModelNotLoaded, match="leaves the prompt out"):
        load_model(str(folder), backend=Backend.TORCH, threads=1)


def test_pickled_weights_of_a_later_step_are_refused(tmp_path):
    folder = write_torch_model(tmp_path / "model", "dense-and-sharded")
    (folder / "2_Dense" / "model.safetensors").rename(folder / "2_Dense" / "pytorch_model.bin")
    with pytest.raises(ModelNotLoaded, match=r"2_Dense holds no \.safetensors"):
        load_model(str(folder), backend=Backend.TORCH, threads=1)
