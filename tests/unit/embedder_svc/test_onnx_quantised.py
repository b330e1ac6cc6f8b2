import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.numpy import load_file, save_file

from embedder_svc.backends import onnx_support
from embedder_svc.backends.calibration_texts import calibration_texts
from embedder_svc.backends.quantisation import Observed, choose_factors, quantise_dense
from embedder_svc.embedding import embed_texts
from embedder_svc.errors import ModelNotLoaded
from embedder_svc.loading import load_model
from embedder_svc.model import Backend, Precision
from tests.unit.embedder_svc.tiny_model import MAX_TOKEN_COUNT, write_tiny_model

TOKENS = st.lists(st.integers(5, 90), min_size=1, max_size=MAX_TOKEN_COUNT - 2)
BATCHES = st.lists(TOKENS.map(lambda ids: [2, *ids, 3]), min_size=1, max_size=9)


def load(folder, cache_dir, precision=Precision.AUTO, threads=1):
    return load_model(
        str(folder), backend=Backend.ONNX, precision=precision, threads=threads, cache_dir=cache_dir
    )


@pytest.fixture(scope="module")
def exact(tiny_folder, cache_dir):
    return load(tiny_folder, cache_dir, Precision.FLOAT32)


def test_auto_on_a_cpu_is_int8_and_float32_is_there_to_be_chosen(tiny, exact):
    assert (tiny.info.precision, exact.info.precision) == ("int8", "float32")
    assert tiny.info.fingerprint != exact.info.fingerprint
    assert "in int8 on onnxruntime" in tiny.info.choice_reason


def test_a_precision_that_the_backend_lacks_is_answered_with_those_it_has(tiny_folder, tmp_path):
    with pytest.raises(ModelNotLoaded, match="int8 or float32"):
        load(tiny_folder, tmp_path, Precision.BFLOAT16)


def test_another_way_of_quantising_is_another_fingerprint(tiny, tiny_folder, tmp_path, monkeypatch):
    from embedder_svc.backends import onnx_model

    monkeypatch.setattr(onnx_model, "QUANTISATION_VERSION", f"{onnx_support.EXPORT_VERSION}+")
    assert load(tiny_folder, tmp_path).info.fingerprint != tiny.info.fingerprint


@settings(deadline=None)
@given(batch=BATCHES)
def test_vectors_are_of_unit_length_and_like_those_in_fp32(tiny, exact, batch):
    vectors = tiny.encode(batch)
    assert vectors.dtype == np.float32 and vectors.shape == (len(batch), 32)
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)
    assert (vectors * exact.encode(batch)).sum(axis=1).min() > 0.97


@settings(deadline=None)
@given(batch=BATCHES, mates=BATCHES)
def test_batch_mates_change_a_vector_by_less_than_1e_5(tiny, batch, mates):
    together = tiny.encode([*mates, *batch])[len(mates) :]
    alone = np.vstack([tiny.encode([token_ids]) for token_ids in batch])
    assert np.abs(together - alone).max() <= 1e-5


@pytest.mark.parametrize("pooling", ["mean", "cls"])
def test_another_model_is_as_like_its_fp32(pooling, tmp_path):
    folder = write_tiny_model(tmp_path / "model", pooling=pooling, seed=3)
    found, expected = (
        embed_texts(load(folder, tmp_path / "cache", precision), calibration_texts()).vectors
        for precision in (Precision.INT8, Precision.FLOAT32)
    )
    assert (found * expected).sum(axis=1).mean() > 0.99


def test_several_threads_get_what_one_gets(tiny_folder, cache_dir):
    model = load(tiny_folder, cache_dir, threads=4)
    assert model.info.parallel_batch_count == 4
    random = np.random.default_rng(0)
    batches = [random.integers(5, 90, (8, 3 + row % 20)).tolist() for row in range(64)]
    expected = [model.encode(batch) for batch in batches]
    with ThreadPoolExecutor(4) as pool:
        for found, one in zip(pool.map(model.encode, batches), expected, strict=True):
            np.testing.assert_array_equal(found, one)


def test_two_builds_give_the_same_file(tiny_folder, tmp_path):
    names = []
    for cache_dir in (tmp_path / "one", tmp_path / "two"):
        load(tiny_folder, cache_dir)
        # The checksum is part of the name.
        names.append([path.name for path in (cache_dir / "onnx").iterdir()])
    assert names[0] == names[1]


def test_a_start_with_a_graph_from_the_cache_imports_no_writer_of_graphs(
    tiny, tiny_folder, cache_dir
):
    program = (
        "import sys; from pathlib import Path; from embedder_svc.loading import load_model; "
        f"load_model({str(tiny_folder)!r}, backend='onnxruntime', cache_dir=Path({str(cache_dir)!r}"
        ")); print(*{'onnx', 'torch', 'safetensors'} & set(sys.modules))"
    )
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert (ran.returncode, ran.stdout.strip()) == (0, ""), ran.stderr


@pytest.fixture
def coarse_folder(tiny_folder, tmp_path):
    """A model for which 8 bits are too few: one row of a layer's weights dwarfs all others."""
    folder = shutil.copytree(tiny_folder, tmp_path / "coarse")
    weights = load_file(folder / "model.safetensors")
    for layer in range(2):
        for part in ("weight", "bias"):
            weights[f"encoder.layer.{layer}.attention.output.LayerNorm.{part}"][0] /= 1000
        weights[f"encoder.layer.{layer}.intermediate.dense.weight"][:, 0] *= 1000
    save_file(weights, folder / "model.safetensors")
    return folder


def test_a_model_that_8_bits_would_spoil_stays_in_fp32_and_says_so(coarse_folder, tmp_path):
    info = load(coarse_folder, tmp_path).info
    assert info.precision == "float32"
    assert "8 bits would turn its vectors too far" in info.choice_reason
    assert info.fingerprint == load(coarse_folder, tmp_path, Precision.FLOAT32).info.fingerprint


def test_who_asks_for_int8_gets_it(coarse_folder, tmp_path):
    assert load(coarse_folder, tmp_path, Precision.INT8).info.precision == "int8"


# --- one dense layer


def observed(values):
    return Observed(values.min(axis=0), values.max(axis=0), values)


@given(seed=st.integers(0, 2**32), outlier=st.floats(1, 100))
@settings(deadline=None)
def test_a_layer_in_8_bits_is_near_the_exact_one(seed, outlier):
    random = np.random.default_rng(seed)
    values = random.normal(0, 1, (64, 24)).astype(np.float32)
    values[:, 0] *= outlier
    weights = random.normal(0, 1, (24, 16)).astype(np.float32)
    seen = observed(values)
    dense = quantise_dense(seen, weights, choose_factors(seen, weights))
    assert np.abs(dense.weights).max() <= 63
    assert (dense.factors > 0).all() and (dense.factors <= 1).all()
    exact = values @ weights
    plain = quantise_dense(seen, weights, np.ones(24, np.float32)).apply(values)
    error = np.square(dense.apply(values) - exact).mean()
    assert error <= np.square(plain - exact).mean()
    assert error <= 0.002 * exact.var()


def test_nothing_gives_nothing():
    dense = quantise_dense(
        observed(np.zeros((4, 8), np.float32)), np.zeros((8, 3), np.float32), np.ones(8, np.float32)
    )
    np.testing.assert_array_equal(dense.apply(np.zeros((2, 8), np.float32)), np.zeros((2, 3)))


def test_beyond_the_observed_range_a_value_is_cut():
    values = np.array([[-1.0, 3.0]], np.float32)
    dense = quantise_dense(observed(values), np.ones((2, 1), np.float32), np.ones(2, np.float32))
    assert dense.apply(np.array([[0.0, 99.0]], np.float32))[0, 0] == pytest.approx(3, abs=0.05)


def test_no_pair_of_products_leaves_16_bits():
    """What processors without VNNI add two products up in: more would be cut, and only there."""
    random = np.random.default_rng(0)
    values = random.normal(0, 5, (32, 8)).astype(np.float32)
    dense = quantise_dense(observed(values), values.T @ values, np.ones(8, np.float32))
    assert 2 * 255 * int(np.abs(dense.weights).max()) <= np.iinfo(np.int16).max


def test_the_calibration_texts_are_many_different_ones_of_many_scripts():
    texts = calibration_texts()
    assert texts == calibration_texts()
    assert len(set(texts)) == len(texts) > 100
    assert "" in texts and max(map(len, texts)) > 2000
    characters = set("".join(texts))
    for character in "aüи月駅ا비आก😀{∀":
        assert character in characters, character
