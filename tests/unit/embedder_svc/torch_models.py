"""Writes tiny models of random weights, with the architectures of published ones."""

import json
import shutil
import string
import tempfile
from dataclasses import dataclass
from pathlib import Path

import torch
import transformers
from sentence_transformers import SentenceTransformer
from sentence_transformers.base.modules import Dense, Normalize, Transformer
from sentence_transformers.sentence_transformer.modules import Pooling
from tokenizers import Regex, Tokenizer, models, normalizers, pre_tokenizers, processors

HIDDEN_SIZE = 32
MAX_TOKEN_COUNT = 24

_SHAPE = {
    "hidden_size": HIDDEN_SIZE,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "intermediate_size": 64,
}
_WORDS = ["card", "money", "refund", "the", "my", "is", "late", "query", "passage", "日", "本"]
_ARCTIC_PROMPT = "Represent this sentence for searching relevant passages: "


@dataclass(frozen=True)
class TinyModel:
    """What a tiny model is made of."""

    config: type
    pooling: str
    prompts: dict
    bert_tokens: bool = True
    padding_side: str = "right"
    normalised: bool = True
    dense: bool = False
    shard_size: str = "1GB"
    options: tuple = ()


MODELS = {
    "snowflake-arctic-embed-l": TinyModel(
        transformers.BertConfig, "cls", {"query": _ARCTIC_PROMPT}
    ),
    "snowflake-arctic-embed-l-v2.0": TinyModel(
        transformers.XLMRobertaConfig, "cls", {"query": "query: "}, bert_tokens=False
    ),
    "mpnet": TinyModel(transformers.MPNetConfig, "mean", {}, bert_tokens=False, normalised=False),
    "modernbert": TinyModel(
        transformers.ModernBertConfig,
        "mean",
        {},
        options=(("max_position_embeddings", 64), ("local_attention", 16)),
    ),
    "e5": TinyModel(transformers.BertConfig, "mean", {"query": "query: ", "document": "passage: "}),
    "dense-and-sharded": TinyModel(
        transformers.BertConfig, "mean", {}, dense=True, shard_size="20KB"
    ),
    "qwen3": TinyModel(
        transformers.Qwen3Config,
        "lasttoken",
        {"query": "query: "},
        padding_side="left",
        options=(("num_key_value_heads", 2), ("head_dim", 8), ("max_position_embeddings", 64)),
    ),
}


def write_torch_model(folder, name):
    """Return the folder, filled with the tiny model of that name."""
    made = MODELS[name]
    torch.manual_seed(0)
    tokenizer = _bert_tokenizer() if made.bert_tokens else _roberta_tokenizer()
    tokenizer.padding_side = made.padding_side
    shape = _SHAPE | {"max_position_embeddings": 64} | dict(made.options)
    config = made.config(vocab_size=len(tokenizer), pad_token_id=tokenizer.pad_token_id, **shape)
    model = transformers.AutoModel.from_config(config)
    for parameter in model.parameters():
        # The libraries' own start is so near zero that no vector would depend on its text.
        torch.nn.init.normal_(parameter, std=0.3 if parameter.ndim > 1 else 0.1)
    with tempfile.TemporaryDirectory() as temporary:
        model.save_pretrained(temporary, max_shard_size=made.shard_size)
        tokenizer.save_pretrained(temporary)
        steps = [Transformer(temporary, max_seq_length=MAX_TOKEN_COUNT)]
        steps.append(Pooling(HIDDEN_SIZE, made.pooling))
        if made.dense:
            steps.append(Dense(HIDDEN_SIZE, 24))
        if made.normalised:
            steps.append(Normalize())
        SentenceTransformer(modules=steps, prompts=made.prompts, device="cpu").save(
            str(folder), create_model_card=False
        )
        if made.shard_size != "1GB":
            _replace_by_shards(Path(folder), Path(temporary))
    return Path(folder)


def _replace_by_shards(folder, source):
    (folder / "model.safetensors").unlink()
    for path in source.glob("model*.safetensors*"):
        shutil.copy(path, folder)
    index = json.loads((folder / "model.safetensors.index.json").read_text())
    assert len(set(index["weight_map"].values())) > 1


def _bert_tokenizer():
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    pieces = [f"##{character}" for character in string.ascii_lowercase]
    vocabulary = [*special, *_WORDS, *string.ascii_lowercase, *string.punctuation, *pieces]
    numbers = {token: number for number, token in enumerate(vocabulary)}
    tokenizer = Tokenizer(models.WordPiece(numbers, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    names = ("pad_token", "unk_token", "cls_token", "sep_token", "mask_token")
    return transformers.PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, **dict(zip(names, special, strict=True))
    )


def _roberta_tokenizer():
    special = ["<s>", "<pad>", "</s>", "<unk>"]
    pieces = [f"▁{word}" for word in _WORDS] + ["▁", *string.ascii_lowercase, *string.punctuation]
    scores = [(token, 0.0) for token in special] + [(piece, -len(piece)) for piece in pieces]
    tokenizer = Tokenizer(models.Unigram(scores, unk_id=3))
    tokenizer.normalizer = normalizers.Replace(Regex(" {2,}"), " ")
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>", special_tokens=[("<s>", 0), ("</s>", 2)]
    )
    return transformers.PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        bos_token="<s>",
        pad_token="<pad>",
        eos_token="</s>",
        unk_token="<unk>",
        cls_token="<s>",
        sep_token="</s>",
    )
