"""What a model's own files say about it; knows no library that runs models."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from embedder_svc.errors import ModelNotLoaded
from embedder_svc.weights import ModelFolder

# Tokenizers without a limit write a huge number into their files.
_NO_LIMIT = 10**9
# Positions of these begin after the padding token's number, so as many are never used.
_POSITIONS_AFTER_PADDING = {"camembert", "mpnet", "roberta", "xlm-roberta", "xlm-roberta-xl"}
_QUERY_PROMPTS = ("query",)
_DOCUMENT_PROMPTS = ("document", "passage", "corpus")
_TOKENIZER_FILES = (
    "tokenizer_config.json",
    "vocab.txt",
    "vocab.json",
    "merges.txt",
    "spiece.model",
    "sentencepiece.bpe.model",
    "tokenizer.model",
)


# Of a model with 12 layers of 768 numbers.
_USUAL_FLOP_PER_TOKEN = 1.7e8


@dataclass(frozen=True)
class ModelFiles:
    """A model in the layout of sentence-transformers.

    Parameters
    ----------
    folder
        Where it came from.
    transformer_path
        The folder with config.json, weights and tokenizer: most often the model's folder itself.
    module_names
        The steps after the tokenizer, for example ("Transformer", "Pooling", "Normalize").
    config
        The transformer's config.json.
    pooling
        How token vectors become one: "mean", "cls" or another of sentence-transformers' modes.
    max_token_count
        Texts are cut at this many tokens.
    query_prefix
        What the model wants before a query, often empty.
    document_prefix
        What the model wants before any other text, most often empty.
    step_paths
        The folders of the steps after the transformer.
    """

    folder: ModelFolder
    transformer_path: Path
    module_names: tuple[str, ...]
    config: dict[str, Any]
    pooling: str
    max_token_count: int
    query_prefix: str
    document_prefix: str
    step_paths: tuple[Path, ...] = ()

    @property
    def weight_paths(self) -> list[Path]:
        """The files with weights, in the order of their names."""
        return sorted(self.transformer_path.glob("*.safetensors"))

    @property
    def flop_per_token(self) -> float:
        """About how many floating-point operations reading a token takes.

        A layer has four square matrices and two of four times that size, and every weight is used
        in a multiplication and an addition: Kaplan et al., "Scaling Laws for Neural Language
        Models", 2020, section 2.1. Where config.json has other names for these, a middling model's.
        """
        width, depth = self.config.get("hidden_size"), self.config.get("num_hidden_layers")
        if isinstance(width, int) and isinstance(depth, int):
            return 24.0 * width**2 * depth
        return _USUAL_FLOP_PER_TOKEN

    @property
    def tokenizer_path(self) -> Path:
        """The tokenizer's file."""
        return self.transformer_path / "tokenizer.json"

    @cached_property
    def weights_digest(self) -> str:
        """SHA-256 over all weights."""
        return _digest_files(sorted(self.folder.path.rglob("*.safetensors")))

    @cached_property
    def tokenizer_digest(self) -> str:
        """SHA-256 over what tokenizer.json says, but for padding and truncation: callers' own."""
        return _digest_tokenizer(self.folder, self.transformer_path)

    @cached_property
    def steps_digest(self) -> str:
        """SHA-256 over the config.json of each step after the transformer."""
        return _digest_files([path / "config.json" for path in self.step_paths])

    def fingerprint(self, *options: str) -> str:
        """Return the digest that stands for the model run with these ``options``, 32 hex digits."""
        parts = (
            self.weights_digest,
            self.tokenizer_digest,
            json.dumps(self.config, sort_keys=True),
            *self.module_names,
            self.pooling,
            self.steps_digest,
            str(self.max_token_count),
            self.query_prefix,
            self.document_prefix,
            *options,
        )
        return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:32]

    def refuse(self, problem: str) -> ModelNotLoaded:
        """Return the error that says why this model cannot be used."""
        return ModelNotLoaded(self.folder.model_id, problem)


def read_model_files(folder: ModelFolder) -> ModelFiles:
    """Return what the files in ``folder`` say.

    Raises
    ------
    ModelNotLoaded
        A file is missing or broken, or the weights are not safetensors.
    """
    modules = read_json(folder, folder.path / "modules.json", default=[])
    try:
        steps = [(folder.path / module["path"], module["type"]) for module in modules]
    except (KeyError, TypeError) as error:
        problem = f"{folder.path / 'modules.json'} is broken; fetch the file again"
        raise ModelNotLoaded(folder.model_id, problem) from error
    transformer_path = steps[0][0] if steps else folder.path
    config = read_json(folder, transformer_path / "config.json")
    _refuse_pickles(folder, [transformer_path, *(path for path, _ in steps[1:])])
    options = read_json(folder, folder.path / "config_sentence_transformers.json", default={})
    query_prefix, document_prefix = _prefixes(options)
    return ModelFiles(
        folder=folder,
        transformer_path=transformer_path,
        module_names=tuple(kind.rpartition(".")[2] for _, kind in steps),
        config=config,
        pooling=_pooling(folder, steps),
        max_token_count=_max_token_count(folder, transformer_path, config),
        query_prefix=query_prefix,
        document_prefix=document_prefix,
        step_paths=tuple(path for path, _ in steps[1:]),
    )


def is_static(folder: ModelFolder) -> bool:
    """Return True for a model that is a table of token vectors, in the layout of model2vec.

    Raises
    ------
    ModelNotLoaded
        A file is broken.
    """
    config = read_json(folder, folder.path / "config.json", default={})
    return bool(config.get("model_type") == "model2vec")


def read_json(folder: ModelFolder, path: Path, default: Any = None) -> Any:
    """Return what the file at ``path`` holds, or ``default`` where there is one and no file.

    Raises
    ------
    ModelNotLoaded
        The file is missing or no JSON.
    """
    if default is not None and not path.is_file():
        return default
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise ModelNotLoaded(folder.model_id, f"{path} is missing; fetch it again") from error
    except (OSError, ValueError) as error:
        problem = f"{path} cannot be read as JSON; fetch the file again"
        raise ModelNotLoaded(folder.model_id, problem) from error


def _refuse_pickles(folder: ModelFolder, paths: list[Path]) -> None:
    """Raise where a step's weights are not safetensors; steps without weights pass."""
    for index, path in enumerate(paths):
        if any(path.glob("*.safetensors")):
            continue
        if index == 0 or any(path.glob("*.bin")):
            raise ModelNotLoaded(
                folder.model_id,
                f"{path} holds no .safetensors file; weights in other formats can run code when "
                "they are read and are never loaded: convert them, or choose another model",
            )


def _pooling(folder: ModelFolder, steps: list[tuple[Path, str]]) -> str:
    path = next((path for path, kind in steps if "Pooling" in kind), None)
    if path is None:
        # What sentence-transformers adds to a bare transformer.
        return "mean"
    config = read_json(folder, path / "config.json")
    if "pooling_mode" in config:
        return str(config["pooling_mode"])
    modes = [key for key, is_on in config.items() if key.startswith("pooling_mode_") and is_on]
    names = [mode.removeprefix("pooling_mode_").removesuffix("_tokens") for mode in modes]
    return "+".join(name.removesuffix("_token") for name in names)


def _max_token_count(folder: ModelFolder, path: Path, config: dict[str, Any]) -> int:
    """Return the limit the model was tuned with, else what its tokenizer and positions allow."""
    tuned = read_json(folder, path / "sentence_bert_config.json", default={})
    tokenizer = read_json(folder, path / "tokenizer_config.json", default={})
    wanted = tuned.get("max_seq_length") or tokenizer.get("model_max_length")
    positions = config.get("max_position_embeddings")
    if positions and config.get("model_type") in _POSITIONS_AFTER_PADDING:
        positions -= config.get("pad_token_id", 1) + 1
    limits = [limit for limit in (wanted, positions) if limit and limit < _NO_LIMIT]
    return int(min(limits, default=512))


def _prefixes(options: dict[str, Any]) -> tuple[str, str]:
    """Return what stands before queries and before other texts.

    As `SentenceTransformer.encode_query` and `encode_document` choose among the model's prompts,
    but for one thing: where the model has no prompt of that kind, its default prompt stands, as
    in `SentenceTransformer.encode`, unless it is the other kind's.
    """
    prompts = {name: text for name, text in (options.get("prompts") or {}).items() if text}
    default = str(options.get("default_prompt_name") or "")

    def choose(names: tuple[str, ...], others: tuple[str, ...]) -> str:
        if default not in others:
            names = (*names, default)
        return str(next((prompts[name] for name in names if name in prompts), ""))

    return choose(_QUERY_PROMPTS, _DOCUMENT_PROMPTS), choose(_DOCUMENT_PROMPTS, _QUERY_PROMPTS)


def _digest_files(paths: list[Path]) -> str:
    digest = hashlib.sha256()
    for path in paths:
        if path.is_file():
            with path.open("rb") as file:
                digest.update(hashlib.file_digest(file, "sha256").digest())
    return digest.hexdigest()


def _digest_tokenizer(folder: ModelFolder, path: Path) -> str:
    if not (path / "tokenizer.json").is_file():
        # Older models have only the files that sentence-transformers makes a tokenizer of.
        return _digest_files([path / name for name in _TOKENIZER_FILES])
    tokenizer = read_json(folder, path / "tokenizer.json")
    kept = {key: value for key, value in tokenizer.items() if key not in ("padding", "truncation")}
    return hashlib.sha256(json.dumps(kept, sort_keys=True).encode()).hexdigest()
