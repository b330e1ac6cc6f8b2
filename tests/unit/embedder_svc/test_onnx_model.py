import json
import os
import shutil

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from embedder_svc.embedding import embed_texts
from embedder_svc.errors import ModelNotLoaded
from embedder_svc.loading import load_model
from embedder_svc.model import Backend, Precision
from tests.unit.embedder_svc import numpy_bert, tiny_model
from tests.unit.embedder_svc.tiny_model import write_tiny_model

TEXTS = ["card", "my card is late", "hello the money is late " * 2, "日本", ""]


def load(folder, cache_dir, precision=Precision.AUTO):
    return load_model(
        str(folder), backend=Backend.ONNX, precision=precision, threads=1, cache_dir=cache_dir
    )


@pytest.fixture
def folder(tiny_folder, tmp_path):
    return shutil.copytree(tiny_folder, tmp_path / "model")


def graphs(cache_dir):
    return [path.name for path in (cache_dir / "onnx").iterdir()]


@pytest.mark.parametrize("pooling", ["mean", "cls"])
def test_the_graph_agrees_with_bert_in_numpy(pooling, tmp_path):
    folder = write_tiny_model(tmp_path / "model", pooling=pooling, seed=3)
    model = load(folder, tmp_path / "cache", Precision.FLOAT32)
    weights = load_file(folder / "model.safetensors")
    tokens = model.tokenise(TEXTS)
    expected = [
        numpy_bert.encode(
            weights,
            text.token_ids,
            layer_count=tiny_model.LAYER_COUNT,
            head_count=tiny_model.HEAD_COUNT,
            pooling=pooling,
        )
        for text in tokens
    ]
    np.testing.assert_allclose(
        model.encode([text.token_ids for text in tokens]), expected, atol=1e-5
    )


def test_the_model_describes_itself(tiny):
    info = tiny.info
    assert (info.model_id, info.revision) == ("tiny-bert", "")
    assert (info.dimension_count, info.max_token_count) == (32, 24)
    assert (info.device, info.backend, info.safe_batch_size) == ("cpu", "onnxruntime", 32)
    assert info.runtime.startswith("onnxruntime ")
    assert len(info.fingerprint) == 32


def test_the_files_own_padding_and_truncation_are_not_used(tiny):
    short, long = tiny.tokenise(["card", "card " * 20])
    assert (len(short.token_ids), len(long.token_ids)) == (3, 22)
    assert not long.truncated


def test_a_second_start_takes_the_graph_from_the_cache(folder, tmp_path):
    first = load(folder, tmp_path)
    names = graphs(tmp_path)
    changed = os.stat(tmp_path / "onnx" / names[0]).st_mtime_ns
    second = load(folder, tmp_path)
    assert graphs(tmp_path) == names and len(names) == 1
    assert os.stat(tmp_path / "onnx" / names[0]).st_mtime_ns == changed
    np.testing.assert_array_equal(
        embed_texts(first, TEXTS).vectors, embed_texts(second, TEXTS).vectors
    )


@pytest.mark.parametrize("damage", [lambda b: b[: len(b) // 2], lambda b: b[:-4] + b"oops"])
def test_a_damaged_cache_is_built_again(folder, tmp_path, damage):
    expected = embed_texts(load(folder, tmp_path), TEXTS).vectors
    path = tmp_path / "onnx" / graphs(tmp_path)[0]
    whole = path.read_bytes()
    path.write_bytes(damage(whole))
    np.testing.assert_array_equal(embed_texts(load(folder, tmp_path), TEXTS).vectors, expected)
    assert path.read_bytes() == whole


def test_a_cache_that_cannot_be_written_says_what_to_set(folder, tmp_path):
    (tmp_path / "cache").write_text("a file where the folder should be")
    with pytest.raises(ModelNotLoaded, match="LEVEL_CACHE_DIR"):
        load(folder, tmp_path / "cache")


def change_json(path, **changes):
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def test_other_weights_have_another_fingerprint(folder, tmp_path, tiny):
    assert load(folder, tmp_path).info.fingerprint == tiny.info.fingerprint
    write_tiny_model(folder, query_prefix="query: ", seed=1)
    assert load(folder, tmp_path).info.fingerprint != tiny.info.fingerprint


def test_padding_in_the_tokenizers_file_is_no_part_of_the_fingerprint(folder, tmp_path, tiny):
    change_json(folder / "tokenizer.json", padding=None, truncation=None)
    assert load(folder, tmp_path).info.fingerprint == tiny.info.fingerprint


def test_another_limit_of_tokens_is_another_model(folder, tmp_path, tiny):
    change_json(folder / "sentence_bert_config.json", max_seq_length=12)
    model = load(folder, tmp_path)
    assert model.info.max_token_count == 12
    assert model.info.fingerprint != tiny.info.fingerprint


def test_without_a_tuned_limit_the_models_positions_are_the_limit(folder, tmp_path):
    (folder / "sentence_bert_config.json").unlink()
    assert load(folder, tmp_path).info.max_token_count == tiny_model.POSITION_COUNT


def test_a_bare_transformer_is_pooled_by_the_mean(folder, tmp_path, tiny):
    (folder / "modules.json").unlink()
    vectors = embed_texts(load(folder, tmp_path), TEXTS).vectors
    np.testing.assert_allclose(vectors, embed_texts(tiny, TEXTS).vectors, atol=1e-6)


@pytest.mark.parametrize(
    ("file", "changes", "named"),
    [
        ("config.json", {"model_type": "roberta"}, "model_type is .roberta."),
        ("config.json", {"hidden_act": "silu"}, "hidden_act is 'silu'"),
        ("config.json", {"position_embedding_type": "relative_key"}, "position_embedding_type"),
        ("1_Pooling/config.json", {"pooling_mode": "lasttoken"}, "pooling is 'lasttoken'"),
    ],
)
def test_what_the_graph_does_not_compute_is_refused_with_the_way_out(
    folder, tmp_path, file, changes, named
):
    change_json(folder / file, **changes)
    with pytest.raises(ModelNotLoaded, match=named) as raised:
        load(folder, tmp_path)
    assert "LEVEL_EMBEDDER_BACKEND=sentence-transformers" in raised.value.message


def test_a_module_that_the_graph_lacks_is_refused(folder, tmp_path):
    path = folder / "modules.json"
    dense = {"idx": 3, "name": "3", "path": "3_Dense", "type": "sentence_transformers.models.Dense"}
    path.write_text(json.dumps([*json.loads(path.read_text()), dense]))
    with pytest.raises(ModelNotLoaded, match="module is 'Dense'"):
        load(folder, tmp_path)


@pytest.mark.parametrize("name", ["config.json", "tokenizer.json"])
@pytest.mark.parametrize("content", [None, b"", b'{"a": ', b"\xff\xfe"])
def test_a_missing_or_broken_file_is_named(folder, tmp_path, name, content):
    path = folder / name
    path.unlink() if content is None else path.write_bytes(content)
    with pytest.raises(ModelNotLoaded, match=name):
        load(folder, tmp_path)


def test_a_tokenizer_that_is_json_but_no_tokenizer_is_named(folder, tmp_path):
    (folder / "tokenizer.json").write_text('{"version": "1.0"}')
    with pytest.raises(ModelNotLoaded, match=r"tokenizer\.json"):
        load(folder, tmp_path)


@pytest.mark.parametrize("keep", [0, 7, 1000])
def test_incomplete_weights_are_named(folder, tmp_path, keep):
    path = folder / "model.safetensors"
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(ModelNotLoaded, match=r"model.safetensors is damaged"):
        load(folder, tmp_path)


def change_weights(folder, change):
    weights = load_file(folder / "model.safetensors")
    change(weights)
    save_file(weights, folder / "model.safetensors")


def test_missing_weights_are_named(folder, tmp_path):
    name = "encoder.layer.1.output.dense.weight"
    change_weights(folder, lambda weights: weights.pop(name))
    with pytest.raises(ModelNotLoaded, match=name):
        load(folder, tmp_path)


def test_weights_of_other_shapes_are_refused(folder, tmp_path):
    name = "encoder.layer.0.attention.self.query.weight"
    change_weights(folder, lambda weights: weights.update({name: weights[name][:, :5].copy()}))
    with pytest.raises(ModelNotLoaded, match="fetch"):
        load(folder, tmp_path)


def test_weights_that_are_not_finite_are_refused(folder, tmp_path):
    def spoil(weights):
        weights["encoder.layer.0.output.dense.bias"][3] = np.nan

    change_weights(folder, spoil)
    with pytest.raises(ModelNotLoaded, match="not finite"):
        load(folder, tmp_path)


def test_pickled_weights_are_never_loaded(folder, tmp_path):
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")
    with pytest.raises(ModelNotLoaded, match=r"no \.safetensors file"):
        load(folder, tmp_path)


def test_half_precision_weights_are_computed_in_single(folder, tmp_path, tiny):
    def halve(weights):
        for name, value in weights.items():
            weights[name] = value.astype(np.float16)

    change_weights(folder, halve)
    vectors = embed_texts(load(folder, tmp_path), TEXTS).vectors
    assert vectors.dtype == np.float32
    np.testing.assert_allclose(vectors, embed_texts(tiny, TEXTS).vectors, atol=2e-2)


def test_names_with_the_prefix_of_a_larger_model_are_understood(folder, tmp_path, tiny):
    def rename(weights):
        for name in list(weights):
            weights[f"bert.{name}"] = weights.pop(name)

    change_weights(folder, rename)
    vectors = embed_texts(load(folder, tmp_path), TEXTS).vectors
    np.testing.assert_allclose(vectors, embed_texts(tiny, TEXTS).vectors, atol=1e-6)


def test_a_limit_beyond_the_models_positions_is_lowered_to_them(folder, tmp_path):
    change_json(folder / "sentence_bert_config.json", max_seq_length=10_000)
    model = load(folder, tmp_path)
    assert model.info.max_token_count == tiny_model.POSITION_COUNT
    assert embed_texts(model, ["card " * 500]).truncated_count == 1
