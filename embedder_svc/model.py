"""What an embedding model is to this package, and which one is loaded."""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from embedder_svc.errors import ModelNotLoaded, OutOfMemory
from embedder_svc.weights import ARCTIC_MODEL_ID, MINILM_MODEL_ID, find_model

AUTO = "auto"

DEFAULT_CACHE_DIR = Path("~/.cache/level")


class Backend(StrEnum):
    """The libraries that can run a model."""

    AUTO = "auto"
    ONNX = "onnxruntime"
    TORCH = "sentence-transformers"


@dataclass(frozen=True)
class ModelInfo:
    """A model as loaded: equal texts give equal vectors for equal fingerprints.

    Parameters
    ----------
    model_id
        For example "sentence-transformers/all-MiniLM-L6-v2"; a folder's name for a local model.
    revision
        The revision of its files, empty where their source names none.
    fingerprint
        Hexadecimal digest over the weights, the tokenizer and every option that changes vectors.
    dimension_count
        The length of each vector.
    max_token_count
        Longer texts are cut at this many tokens.
    device
        "cpu" or "cuda:0", for example.
    backend
        The library that runs it.
    runtime
        That library's name and version.
    instruction_set
        The processor's instruction set that rounding may depend on, empty where unknown.
    safe_batch_size
        Texts in a batch that the device is expected to hold.
    batch_token_count
        Tokens in a batch, padding included, beyond which a larger batch is slower; 0 where the
        device has no such limit.
    query_prefix
        What the model wants before a text that searches rather than is searched, often empty.
    """

    model_id: str
    revision: str
    fingerprint: str
    dimension_count: int
    max_token_count: int
    device: str
    backend: str
    runtime: str
    instruction_set: str
    safe_batch_size: int
    batch_token_count: int
    query_prefix: str


@dataclass(frozen=True)
class TokenisedText:
    """A text as a model reads it.

    Parameters
    ----------
    token_ids
        At most ``max_token_count`` numbers, special tokens included; never empty.
    truncated
        True where the text had more tokens than the model reads.
    """

    token_ids: Sequence[int]
    truncated: bool


class EmbeddingModel(Protocol):
    """A loaded model; used by one thread at a time."""

    @property
    def info(self) -> ModelInfo:
        """What was loaded."""
        ...

    def tokenise(self, texts: Sequence[str]) -> list[TokenisedText]:
        """Return the tokens of each text, in order."""
        ...

    def encode(self, batch: Sequence[TokenisedText]) -> NDArray[np.float32]:
        """Return unit vectors, float32 of shape (len(batch), dimension_count).

        Raises
        ------
        OutOfMemory
            The device has no room for this batch.
        """
        ...


def load_model(
    model: str = AUTO,
    *,
    backend: Backend | str = Backend.AUTO,
    threads: int = 0,
    cache_dir: Path = DEFAULT_CACHE_DIR,
    minilm_dir: Path | None = None,
) -> EmbeddingModel:
    """Return the loaded model, checked with one text.

    Parameters
    ----------
    model
        "auto": arctic-embed-l where torch, sentence-transformers and a CUDA device are there,
        MiniLM otherwise. Else a model id of the Hugging Face hub, or the path of a folder.
    backend
        "auto": sentence-transformers for hub models other than MiniLM, else ONNX Runtime.
    threads
        Threads that compute; 0 takes all cores that this process may use.
    cache_dir
        Where ONNX graphs built from a model's weights are kept.
    minilm_dir
        Folder with the files of all-MiniLM-L6-v2, looked into before any other source of them.

    Raises
    ------
    ModelNotLoaded
        The message says why and how to mend it.
    """
    if model == AUTO:
        model = ARCTIC_MODEL_ID if _has_cuda() else MINILM_MODEL_ID
    backend = _choose_backend(model, backend)
    if backend is Backend.TORCH and not _has_torch():
        raise ModelNotLoaded(
            model,
            "it runs on sentence-transformers, which is not installed; install the extra torch, or "
            f"set LEVEL_EMBEDDER_MODEL={MINILM_MODEL_ID}, which needs no torch",
        )
    folder = find_model(model, minilm_dir)
    # Each import costs its vendor's whole library, so only the one that is used is imported.
    if backend is Backend.TORCH:
        from embedder_svc.torch_model import SentenceTransformersModel

        return _checked(SentenceTransformersModel(folder, threads=threads))
    from embedder_svc.onnx_model import OnnxModel

    return _checked(OnnxModel(folder, threads=threads, cache_dir=cache_dir.expanduser()))


def _checked(model: EmbeddingModel) -> EmbeddingModel:
    """Return ``model`` once it has embedded one text: damaged weights load without complaint."""
    try:
        vectors = model.encode(model.tokenise(["Is this model whole?"]))
    except OutOfMemory as error:
        problem = f"{model.info.device} has no memory left for one text; choose a smaller model"
        raise ModelNotLoaded(model.info.model_id, problem) from error
    if not np.isfinite(vectors).all():
        problem = "its weights give vectors that are not finite; fetch its files again"
        raise ModelNotLoaded(model.info.model_id, problem)
    return model


def _choose_backend(model: str, backend: Backend | str) -> Backend:
    try:
        chosen = Backend(backend)
    except ValueError as error:
        known = ", ".join(Backend)
        raise ModelNotLoaded(
            model, f"backend {backend!r} is unknown; use one of {known}"
        ) from error
    if chosen is not Backend.AUTO:
        return chosen
    runs_without_torch = model == MINILM_MODEL_ID or Path(model).is_dir()
    return Backend.ONNX if runs_without_torch else Backend.TORCH


def _has_torch() -> bool:
    names = ("torch", "sentence_transformers")
    return all(importlib.util.find_spec(name) is not None for name in names)


def _has_cuda() -> bool:
    if not _has_torch():
        return False
    from embedder_svc.torch_model import cuda_is_available

    return cuda_is_available()
