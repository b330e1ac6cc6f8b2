import json
import shutil
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from embedder_svc.embedding import embed_texts
from embedder_svc.errors import ModelNotLoaded, OutOfMemory
from embedder_svc.loading import load_model
from embedder_svc.model import Backend, LoadOptions, Precision
from embedder_svc.weights import MINILM_MODEL_ID, find_model
from tests.unit.embedder_svc.tiny_model import MAX_TOKEN_COUNT

pytestmark = pytest.mark.torch

torch = pytest.importorskip("torch", reason="the extra torch is not installed")
sentence_transformers = pytest.importorskip(
    "sentence_transformers", reason="the extra torch is not installed"
)

from embedder_svc.backends.torch_model import SentenceTransformersModel  # noqa: E402

TEXTS = ["card", "my card is late", "", "日本", "\ud800", "\0", "money " * 99, "late " * 22]


def load(folder):
    # A GPU's own choice is bfloat16, which is not as near to what the tests compare with.
    return load_model(str(folder), backend=Backend.TORCH, precision=Precision.FLOAT32, threads=1)


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


def test_vectors_and_truncation_agree_with_onnx_runtime(torch_tiny, tiny_folder, cache_dir):
    options = {"threads": 1, "cache_dir": cache_dir, "precision": Precision.FLOAT32}
    exact = load_model(str(tiny_folder), backend=Backend.ONNX, **options)
    ours, other = embed_texts(torch_tiny, TEXTS), embed_texts(exact, TEXTS)
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


@pytest.fixture
def plain_tiny(tiny_folder):
    options = LoadOptions(precision=Precision.FLOAT32, threads=1)
    return SentenceTransformersModel(find_model(str(tiny_folder)), options)


@pytest.mark.parametrize(
    "error",
    [
        torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 GiB"),
        RuntimeError("[enforce fail at alloc_cpu.cpp] DefaultCPUAllocator: can't allocate memory"),
        RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"),
    ],
)
def test_the_devices_out_of_memory_is_recognised(plain_tiny, error):
    def fail(*_):
        raise error

    token_ids = plain_tiny.tokenise(["card"])[0].token_ids
    hook = plain_tiny._model[0].register_forward_pre_hook(fail)
    try:
        with pytest.raises(OutOfMemory):
            plain_tiny.encode([token_ids])
    finally:
        hook.remove()
    assert np.isfinite(plain_tiny.encode([token_ids])).all()


@pytest.mark.skipif(not torch.cuda.is_available(), reason="this machine has no GPU")
def test_a_gpu_that_is_full_is_recognised_and_goes_on(plain_tiny):
    token_ids = plain_tiny.tokenise(["card money refund"])[0].token_ids
    total = torch.cuda.get_device_properties(0).total_memory
    torch.cuda.empty_cache()
    torch.cuda.set_per_process_memory_fraction((torch.cuda.memory_reserved() + 2**26) / total)
    try:
        with pytest.raises(OutOfMemory):
            plain_tiny.encode([token_ids] * 200_000)
        assert np.isfinite(plain_tiny.encode([token_ids] * 8)).all()
    finally:
        torch.cuda.set_per_process_memory_fraction(1.0)


def test_texts_are_tokenised_while_others_are_encoded(plain_tiny):
    texts = [f"{text} {row}" for row in range(40) for text in ("card", "my card is late " * 9)]
    alone = plain_tiny.tokenise(texts)
    expected = plain_tiny.encode([text.token_ids for text in alone])
    with ThreadPoolExecutor(4) as pool:
        tokens = [pool.submit(plain_tiny.tokenise, texts) for _ in range(8)]
        vectors = [
            pool.submit(plain_tiny.encode, [text.token_ids for text in alone]) for _ in range(8)
        ]
        assert all(future.result() == alone for future in tokens)
        for future in vectors:
            np.testing.assert_allclose(future.result(), expected, atol=1e-5)


@pytest.mark.skipif(torch.cuda.is_available(), reason="a GPU has others")
@pytest.mark.parametrize("precision", ["int8", "float16"])
def test_a_precision_that_the_device_lacks_is_answered_with_those_it_has(tiny_folder, precision):
    with pytest.raises(ModelNotLoaded, match="one of float32, bfloat16, or auto"):
        load_model(str(tiny_folder), backend=Backend.TORCH, precision=precision)


def test_bfloat16_is_near_and_has_a_fingerprint_of_its_own(tiny_folder, torch_tiny):
    half = load_model(
        str(tiny_folder), backend=Backend.TORCH, precision=Precision.BFLOAT16, threads=1
    )
    assert half.info.precision == Precision.BFLOAT16
    assert half.info.fingerprint != torch_tiny.info.fingerprint
    batch = [text.token_ids for text in half.tokenise([t for t in TEXTS if t != "\ud800"])]
    vectors = half.encode(batch)
    assert vectors.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-6)
    assert (vectors * torch_tiny.encode(batch)).sum(axis=1).min() > 0.99
    alone = np.vstack([half.encode([token_ids]) for token_ids in batch])
    assert (vectors * alone).sum(axis=1).min() > 0.999


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


def test_minilm_is_the_same_on_both_libraries(cache_dir):
    options = {"threads": 1, "cache_dir": cache_dir, "precision": Precision.FLOAT32}
    model = load_model(MINILM_MODEL_ID, backend=Backend.TORCH, **options)
    onnx = load_model(MINILM_MODEL_ID, backend=Backend.ONNX, **options)
    texts = ["How long until my card gets here?", "", "日本語のテキスト", "a b " * 400]
    ours, other = embed_texts(model, texts), embed_texts(onnx, texts)
    np.testing.assert_allclose(ours.vectors, other.vectors, atol=1e-4)
    np.testing.assert_array_equal(ours.truncated, other.truncated)
