"""What a model's own files say about it; knows no library that runs models."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from embedder_svc.errors import ModelNotLoaded
from embedder_svc.weights import ModelFolder


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
    weights_digest
        SHA-256 over all weights.
    tokenizer_digest
        SHA-256 over what tokenizer.json says, but for padding and truncation, which callers set.
    """

    folder: ModelFolder
    transformer_path: Path
    module_names: tuple[str, ...]
    config: dict[str, Any]
    pooling: str
    max_token_count: int
    query_prefix: str
    weights_digest: str
    tokenizer_digest: str

    @property
    def weight_paths(self) -> list[Path]:
        """The files with weights, in the order of their names."""
        return sorted(self.transformer_path.glob("*.safetensors"))

    @property
    def tokenizer_path(self) -> Path:
        """The tokenizer's file."""
        return self.transformer_path / "tokenizer.json"

    def fingerprint(self, *options: str) -> str:
        """Return the digest that stands for the model run with these ``options``, 32 hex digits."""
        parts = (
            self.weights_digest,
            self.tokenizer_digest,
            json.dumps(self.config, sort_keys=True),
            *self.module_names,
            self.pooling,
            str(self.max_token_count),
            self.query_prefix,
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
    modules = _read_json(folder, folder.path / "modules.json", default=[])
    transformer_path = folder.path / (modules[0]["path"] if modules else "")
    config = _read_json(folder, transformer_path / "config.json")
    weight_paths = sorted(folder.path.rglob("*.safetensors"))
    if not any(path.parent == transformer_path for path in weight_paths):
        raise ModelNotLoaded(
            folder.model_id,
            f"{transformer_path} holds no .safetensors file; weights in other formats can run code "
            "when they are read and are never loaded: convert them, or choose another model",
        )
    return ModelFiles(
        folder=folder,
        transformer_path=transformer_path,
        module_names=tuple(module["type"].rpartition(".")[2] for module in modules),
        config=config,
        pooling=_pooling(folder, modules),
        max_token_count=_max_token_count(folder, transformer_path, config),
        query_prefix=_query_prefix(folder),
        weights_digest=_digest_files(weight_paths),
        tokenizer_digest=_digest_tokenizer(folder, transformer_path / "tokenizer.json"),
    )


def _read_json(folder: ModelFolder, path: Path, default: Any = None) -> Any:
    if default is not None and not path.is_file():
        return default
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise ModelNotLoaded(folder.model_id, f"{path} is missing; fetch it again") from error
    except (OSError, ValueError) as error:
        problem = f"{path} cannot be read as JSON; fetch the file again"
        raise ModelNotLoaded(folder.model_id, problem) from error


def _pooling(folder: ModelFolder, modules: list[dict[str, Any]]) -> str:
    path = next((module["path"] for module in modules if "Pooling" in module["type"]), None)
    if path is None:
        # What sentence-transformers adds to a bare transformer.
        return "mean"
    config = _read_json(folder, folder.path / path / "config.json")
    if "pooling_mode" in config:
        return str(config["pooling_mode"])
    modes = [key for key, is_on in config.items() if key.startswith("pooling_mode_") and is_on]
    names = [mode.removeprefix("pooling_mode_").removesuffix("_tokens") for mode in modes]
    return "+".join(name.removesuffix("_token") for name in names)


def _max_token_count(folder: ModelFolder, path: Path, config: dict[str, Any]) -> int:
    """Return the limit the model was tuned with, else what its tokenizer and positions allow."""
    tuned = _read_json(folder, path / "sentence_bert_config.json", default={})
    tokenizer = _read_json(folder, path / "tokenizer_config.json", default={})
    wanted = tuned.get("max_seq_length") or tokenizer.get("model_max_length")
    limits = (wanted, config.get("max_position_embeddings"))
    return int(min((limit for limit in limits if limit), default=512))


def _query_prefix(folder: ModelFolder) -> str:
    path = folder.path / "config_sentence_transformers.json"
    prompts = _read_json(folder, path, default={}).get("prompts") or {}
    return str(prompts.get("query", ""))


def _digest_files(paths: list[Path]) -> str:
    digest = hashlib.sha256()
    for path in paths:
        with path.open("rb") as file:
            digest.update(hashlib.file_digest(file, "sha256").digest())
    return digest.hexdigest()


def _digest_tokenizer(folder: ModelFolder, path: Path) -> str:
    tokenizer = _read_json(folder, path)
    kept = {key: value for key, value in tokenizer.items() if key not in ("padding", "truncation")}
    return hashlib.sha256(json.dumps(kept, sort_keys=True).encode()).hexdigest()
