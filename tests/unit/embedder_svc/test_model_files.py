import json
import shutil

import pytest

from embedder_svc.backends.torch_steps import check_steps
from embedder_svc.errors import ModelNotLoaded
from embedder_svc.model_files import read_model_files
from embedder_svc.weights import ModelFolder


@pytest.fixture
def folder(tiny_folder, tmp_path):
    return shutil.copytree(tiny_folder, tmp_path / "model")


def read(folder):
    return read_model_files(ModelFolder(folder, "model"))


def change(path, **content):
    known = json.loads(path.read_text()) if path.is_file() else {}
    path.write_text(json.dumps(known | content))


@pytest.mark.parametrize(
    ("options", "query", "document"),
    [
        ({}, "", ""),
        ({"prompts": None}, "", ""),
        ({"prompts": {"query": "q: "}}, "q: ", ""),
        ({"prompts": {"query": "q: ", "document": "d: "}}, "q: ", "d: "),
        # As sentence-transformers saves a model that has a prompt for passages alone.
        ({"prompts": {"query": "q: ", "document": "", "passage": "p: "}}, "q: ", "p: "),
        ({"prompts": {"query": "q: ", "corpus": "c: "}}, "q: ", "c: "),
        ({"prompts": {"any": "a: "}, "default_prompt_name": "any"}, "a: ", "a: "),
        ({"prompts": {"any": "a: "}}, "", ""),
        ({"prompts": {"query": "q: "}, "default_prompt_name": "query"}, "q: ", ""),
        ({"prompts": {"passage": "p: "}, "default_prompt_name": "passage"}, "", "p: "),
    ],
)
def test_prefixes_are_read_from_the_models_prompts(folder, options, query, document):
    (folder / "config_sentence_transformers.json").write_text(json.dumps(options))
    files = read(folder)
    assert (files.query_prefix, files.document_prefix) == (query, document)


@pytest.mark.parametrize(
    ("tuned", "config", "tokenizer", "expected"),
    [
        (24, {}, {}, 24),
        (None, {"max_position_embeddings": 512}, {}, 512),
        (None, {"max_position_embeddings": 512}, {"model_max_length": 128}, 128),
        (None, {"max_position_embeddings": 512}, {"model_max_length": 10**30}, 512),
        (8192, {"max_position_embeddings": 8194, "model_type": "xlm-roberta"}, {}, 8192),
        (
            None,
            {"max_position_embeddings": 514, "model_type": "mpnet", "pad_token_id": 1},
            {},
            512,
        ),
        (None, {"max_position_embeddings": None}, {"model_max_length": 10**30}, 512),
    ],
)
def test_the_limit_is_what_tuning_tokenizer_and_positions_allow(
    folder, tuned, config, tokenizer, expected
):
    (folder / "sentence_bert_config.json").write_text(json.dumps({"max_seq_length": tuned}))
    change(folder / "config.json", **config)
    change(folder / "tokenizer_config.json", **tokenizer)
    assert read(folder).max_token_count == expected


def test_all_that_changes_vectors_changes_the_fingerprint(folder):
    known = {read(folder).fingerprint()}

    def is_new():
        fingerprint = read(folder).fingerprint()
        known.add(fingerprint)
        return len(known)

    change(folder / "config.json", layer_norm_eps=1e-6)
    assert is_new() == 2
    change(folder / "1_Pooling" / "config.json", include_prompt=False)
    assert is_new() == 3
    change(folder / "sentence_bert_config.json", max_seq_length=9)
    assert is_new() == 4
    change(folder / "config_sentence_transformers.json", prompts={"document": "d: "})
    assert is_new() == 5
    (folder / "model.safetensors").write_bytes(b"others")
    assert is_new() == 6
    change(folder / "tokenizer.json", normalizer=None)
    assert is_new() == 7


def test_padding_and_truncation_of_the_tokenizers_file_change_nothing(folder):
    before = read(folder).fingerprint()
    change(folder / "tokenizer.json", padding=None, truncation=None)
    assert read(folder).fingerprint() == before


def test_weights_that_are_no_safetensors_are_refused(folder):
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")
    with pytest.raises(ModelNotLoaded, match=r"holds no \.safetensors file"):
        read(folder)


@pytest.mark.parametrize("content", ["[{}]", '["a"]'])
def test_a_broken_list_of_steps_is_named(folder, content):
    (folder / "modules.json").write_text(content)
    with pytest.raises(ModelNotLoaded, match=r"modules\.json is broken"):
        read(folder)


def test_a_model_that_routes_queries_elsewhere_is_refused(folder):
    step = {"idx": 0, "name": "0", "path": "", "type": "sentence_transformers.models.Router"}
    (folder / "modules.json").write_text(json.dumps([step]))
    with pytest.raises(ModelNotLoaded, match="through different models"):
        check_steps(read(folder), [])
