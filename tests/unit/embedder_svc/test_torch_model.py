import json
import shutil

import numpy as np
import pytest

from embedder_svc.embedding import embed_texts
from embedder_svc.errors import ModelNotLoaded, OutOfMemory
from embedder_svc.loading import load_model
from embedder_svc.model import Backend
from embedder_svc.weights import MINILM_MODEL_ID
from tests.unit.embedder_svc.tiny_model import MAX_TOKEN_COUNT

pytestmark = pytest.mark.torch

torch = pytest.importorskip("torch", reason="the extra torch is not installed")
sentence_transformers = pytest.importorskip(
    "sentence_transformers", reason="the extra torch is not installed"
)

TEXTS = ["card", "my card is late", "", "日本", "\ud800", "\0", "money " * 99, "late " * 22]


def load(folder):
    return load_model(str(folder), backend=Backend.TORCH, threads=1)


@pytest.fixture(scope="module")
def torch_tiny(tiny_folder):
    return load(tiny_folder)


@pytest.fixture
def folder(tiny_folder, tmp_path):
    return shutil.copytree(tiny_folder, tmp_path / "model")


def test_the_model_describes_itself(torch_tiny, tiny):
    info = torch_tiny.info
    assert info.backend == Backend.TORCH
    assert (info.dimension_count, info.max_token_count) == (32, MAX_TOKEN_COUNT)
    assert info.query_prefix == "query: "
    assert "torch" in info.runtime
    assert info.fingerprint != tiny.info.fingerprint


def test_vectors_and_truncation_agree_with_onnx_runtime(torch_tiny, tiny):
    ours, other = embed_texts(torch_tiny, TEXTS), embed_texts(tiny, TEXTS)
    np.testing.assert_allclose(ours.vectors, other.vectors, atol=1e-5)
    np.testing.assert_array_equal(ours.truncated, other.truncated)


def test_vectors_agree_with_sentence_transformers_own_encode(torch_tiny, tiny_folder):
    library = sentence_transformers.SentenceTransformer(str(tiny_folder), device="cpu")
    texts = [text for text in TEXTS if text != "\ud800"]
    expected = library.encode(texts, normalize_embeddings=True)
    np.testing.assert_allclose(embed_texts(torch_tiny, texts).vectors, expected, atol=1e-5)


def test_batch_mates_do_not_change_a_vector(torch_tiny):
    together = embed_texts(torch_tiny, TEXTS * 5 + ["hello"] * 3).vectors[: len(TEXTS)]
    alone = np.vstack([embed_texts(torch_tiny, [text]).vectors for text in TEXTS])
    assert np.abs(together - alone).max() <= 1e-5


@pytest.mark.parametrize(
    "error",
    [
        torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 GiB"),
        RuntimeError("[enforce fail at alloc_cpu.cpp] DefaultCPUAllocator: can't allocate memory"),
    ],
)
def test_the_devices_out_of_memory_is_recognised(torch_tiny, error):
    def fail(*_):
        raise error

    hook = torch_tiny._model.register_forward_pre_hook(fail)
    try:
        with pytest.raises(OutOfMemory):
            torch_tiny.encode([torch_tiny.tokenise(["card"])[0].token_ids])
    finally:
        hook.remove()


def test_half_precision_weights_are_computed_in_single(folder, torch_tiny):
    path = folder / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"dtype": "float16"}))
    vectors = embed_texts(load(folder), TEXTS).vectors
    assert vectors.dtype == np.float32
    np.testing.assert_allclose(vectors, embed_texts(torch_tiny, TEXTS).vectors, atol=2e-2)


def test_damaged_weights_say_what_to_do(folder):
    path = folder / "model.safetensors"
    path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(ModelNotLoaded, match="fetch them again"):
        load(folder)


def test_code_that_comes_with_a_model_is_never_run(folder, tmp_path):
    (folder / "custom.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w')\nclass Model: pass\n")
    config = json.loads((folder / "config.json").read_text())
    config |= {"model_type": "custom", "auto_map": {"AutoModel": "custom.Model"}}
    config["auto_map"]["AutoConfig"] = "custom.Model"
    (folder / "config.json").write_text(json.dumps(config))
    with pytest.raises(ModelNotLoaded, match="code of their own, which is never run"):
        load(folder)
    assert not (tmp_path / "ran").exists()


def test_minilm_is_the_same_on_both_libraries(minilm):
    model = load_model(MINILM_MODEL_ID, backend=Backend.TORCH, threads=1)
    texts = ["How long until my card gets here?", "", "日本語のテキスト", "a b " * 400]
    ours, other = embed_texts(model, texts), embed_texts(minilm, texts)
    np.testing.assert_allclose(ours.vectors, other.vectors, atol=1e-4)
    np.testing.assert_array_equal(ours.truncated, other.truncated)
