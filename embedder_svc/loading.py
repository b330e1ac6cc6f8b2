"""Which model is loaded, and by which library."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import numpy as np

from embedder_svc.errors import ModelNotLoaded, OutOfMemory
from embedder_svc.model import (
    DEFAULT_CACHE_DIR,
    Backend,
    EmbeddingModel,
    LoadOptions,
    Precision,
)
from embedder_svc.weights import ARCTIC_MODEL_ID, MINILM_MODEL_ID, find_model

AUTO = "auto"


def load_model(
    model: str = AUTO,
    *,
    backend: Backend | str = Backend.AUTO,
    precision: Precision | str = Precision.AUTO,
    threads: int = 0,
    dimension_count: int = 0,
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
    precision, threads, dimension_count, cache_dir
        As in `LoadOptions`.
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
    options = LoadOptions(
        precision=_precision(model, precision),
        threads=threads,
        dimension_count=dimension_count,
        cache_dir=cache_dir.expanduser(),
    )
    # Each import costs its vendor's whole library, so only the one that is used is imported.
    if backend is Backend.TORCH:
        from embedder_svc.backends.torch_model import SentenceTransformersModel

        return _checked(SentenceTransformersModel(folder, options))
    from embedder_svc.backends.onnx_model import OnnxModel

    return _checked(OnnxModel(folder, options))


def _checked(model: EmbeddingModel) -> EmbeddingModel:
    """Return ``model`` once it has embedded one text: damaged weights load without complaint."""
    try:
        vectors = model.encode([model.tokenise(["Is this model whole?"])[0].token_ids])
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


def _precision(model: str, precision: Precision | str) -> Precision:
    try:
        return Precision(precision)
    except ValueError as error:
        known = ", ".join(Precision)
        raise ModelNotLoaded(
            model, f"precision {precision!r} is unknown; use one of {known}"
        ) from error


def _has_torch() -> bool:
    names = ("torch", "sentence_transformers")
    return all(importlib.util.find_spec(name) is not None for name in names)


def _has_cuda() -> bool:
    if not _has_torch():
        return False
    from embedder_svc.backends.torch_model import cuda_is_available

    return cuda_is_available()
