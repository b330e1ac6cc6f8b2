"""Writes a tiny BERT encoder with random weights, in the layout of sentence-transformers."""

import json
import string
from pathlib import Path

import numpy as np
from safetensors.numpy import save_file
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors

HIDDEN_SIZE = 32
LAYER_COUNT = 2
HEAD_COUNT = 4
INNER_SIZE = 64
POSITION_COUNT = 64
MAX_TOKEN_COUNT = 24

SPECIAL_TOKENS = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
WORDS = ("card", "money", "refund", "hello", "the", "my", "is", "late", "query", "：", "日", "本")
CHARACTERS = string.ascii_lowercase + string.digits + string.punctuation


def write_tiny_model(
    folder, *, pooling="mean", query_prefix="", max_token_count=MAX_TOKEN_COUNT, seed=0
):
    """Return the folder, filled with a model whose vectors depend on every token."""
    folder = Path(folder)
    (folder / "1_Pooling").mkdir(parents=True, exist_ok=True)
    vocabulary = _vocabulary()
    _write_json(folder / "config.json", _config(len(vocabulary)))
    _write_json(folder / "modules.json", _modules())
    modes = {f"pooling_mode_{mode}": name == pooling for mode, name in _POOLING_MODES}
    pooling_config = {"word_embedding_dimension": HIDDEN_SIZE, **modes}
    _write_json(folder / "1_Pooling" / "config.json", pooling_config)
    tuned = {"max_seq_length": max_token_count, "do_lower_case": False}
    _write_json(folder / "sentence_bert_config.json", tuned)
    prompts = {"prompts": {"query": query_prefix}}
    _write_json(folder / "config_sentence_transformers.json", prompts)
    names = ("pad_token", "unk_token", "cls_token", "sep_token", "mask_token")
    special = dict(zip(names, SPECIAL_TOKENS, strict=True))
    tokenizer_config = {"tokenizer_class": "BertTokenizer", "do_lower_case": True, **special}
    _write_json(folder / "tokenizer_config.json", tokenizer_config)
    (folder / "vocab.txt").write_text("\n".join(vocabulary) + "\n", encoding="utf-8")
    _tokenizer(vocabulary).save(str(folder / "tokenizer.json"))
    save_file(_weights(len(vocabulary), seed), folder / "model.safetensors", {"format": "pt"})
    return folder


_POOLING_MODES = (("cls_token", "cls"), ("mean_tokens", "mean"), ("max_tokens", "max"))


def _write_json(path, content):
    path.write_text(json.dumps(content), encoding="utf-8")


def _vocabulary():
    pieces = [f"##{character}" for character in string.ascii_lowercase + string.digits]
    return [*SPECIAL_TOKENS, *WORDS, *CHARACTERS, *pieces]


def _config(vocabulary_size):
    return {
        "architectures": ["BertModel"],
        "model_type": "bert",
        "vocab_size": vocabulary_size,
        "hidden_size": HIDDEN_SIZE,
        "num_hidden_layers": LAYER_COUNT,
        "num_attention_heads": HEAD_COUNT,
        "intermediate_size": INNER_SIZE,
        "hidden_act": "gelu",
        "layer_norm_eps": 1e-12,
        "max_position_embeddings": POSITION_COUNT,
        "type_vocab_size": 2,
        "pad_token_id": 0,
    }


def _modules():
    kinds = (("", "Transformer"), ("1_Pooling", "Pooling"), ("2_Normalize", "Normalize"))
    return [
        {"idx": i, "name": str(i), "path": path, "type": f"sentence_transformers.models.{kind}"}
        for i, (path, kind) in enumerate(kinds)
    ]


def _tokenizer(vocabulary):
    numbers = {token: number for number, token in enumerate(vocabulary)}
    tokenizer = Tokenizer(models.WordPiece(numbers, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    tokenizer.add_special_tokens(list(SPECIAL_TOKENS))
    # As the published MiniLM has them: settings that whoever loads the file must override.
    tokenizer.enable_padding(length=16)
    tokenizer.enable_truncation(16)
    return tokenizer


def _weights(vocabulary_size, seed):
    random = np.random.default_rng(seed)

    def matrix(*shape):
        return random.normal(0, 0.3, shape).astype(np.float32)

    weights = {
        "embeddings.word_embeddings.weight": matrix(vocabulary_size, HIDDEN_SIZE),
        "embeddings.position_embeddings.weight": matrix(POSITION_COUNT, HIDDEN_SIZE),
        "embeddings.token_type_embeddings.weight": matrix(2, HIDDEN_SIZE),
    }
    dense = {}
    for layer in range(LAYER_COUNT):
        prefix = f"encoder.layer.{layer}"
        dense |= {f"{prefix}.attention.self.{part}": (HIDDEN_SIZE, HIDDEN_SIZE) for part in _QKV}
        dense[f"{prefix}.attention.output.dense"] = (HIDDEN_SIZE, HIDDEN_SIZE)
        dense[f"{prefix}.intermediate.dense"] = (INNER_SIZE, HIDDEN_SIZE)
        dense[f"{prefix}.output.dense"] = (HIDDEN_SIZE, INNER_SIZE)
    for name, shape in dense.items():
        weights |= {f"{name}.weight": matrix(*shape), f"{name}.bias": matrix(shape[0])}
    norms = ["embeddings"]
    norms += [f"encoder.layer.{i}.{part}" for i in range(LAYER_COUNT) for part in _NORMED]
    for name in norms:
        weights[f"{name}.LayerNorm.weight"] = 1 + matrix(HIDDEN_SIZE)
        weights[f"{name}.LayerNorm.bias"] = matrix(HIDDEN_SIZE)
    return weights


_QKV = ("query", "key", "value")
_NORMED = ("attention.output", "output")
