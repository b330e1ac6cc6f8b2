"""Which model and library are taken, by what is set, this machine, and the model's files."""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass
from pathlib import Path

from embedder_svc.errors import ModelNotLoaded
from embedder_svc.gpu import gpu_may_be_used
from embedder_svc.model import Backend
from embedder_svc.model_files import is_static, read_model_files
from embedder_svc.weights import (
    ARCTIC_MODEL_ID,
    MINILM_MODEL_ID,
    ModelFolder,
    refuse_missing_folder,
)

AUTO = "auto"


@dataclass(frozen=True)
class Choice:
    """A model and a library, and why these.

    Parameters
    ----------
    model
        A model id of the hub, or a folder.
    backend
        "auto" where the model's files decide.
    reason
        Words for people.
    """

    model: str
    backend: Backend
    reason: str


def choose_model(model: str, backend: Backend, revision: str = "") -> Choice:
    """Return what is loaded for these settings, as far as the machine decides it.

    Raises
    ------
    ModelNotLoaded
        A revision is set and no model, or the backend is not installed.
    """
    refuse_missing_folder(model)
    chosen = _choose(model, backend, revision)
    if chosen.backend is Backend.TORCH and not has_torch():
        raise _needs_torch(chosen.model)
    return chosen


def _choose(model: str, backend: Backend, revision: str) -> Choice:
    if model == AUTO and revision:
        problem = "LEVEL_EMBEDDER_REVISION is set; set LEVEL_EMBEDDER_MODEL to the model it is of"
        raise ModelNotLoaded(model, problem)
    if model == AUTO and backend is Backend.AUTO:
        if not has_cuda():
            return Choice(MINILM_MODEL_ID, Backend.ONNX, _why_no_gpu())
        return Choice(ARCTIC_MODEL_ID, Backend.TORCH, "torch has a CUDA device")
    if model == AUTO:
        large = backend is Backend.TORCH and has_cuda()
        chosen = ARCTIC_MODEL_ID if large else MINILM_MODEL_ID
        return Choice(chosen, backend, "this backend is set")
    if backend is not Backend.AUTO:
        return Choice(model, backend, "this model and backend are set")
    if has_cuda():
        return Choice(model, Backend.AUTO, "this model is set, and torch has a CUDA device")
    if model == MINILM_MODEL_ID:
        chosen_backend = Backend.ONNX
    else:
        chosen_backend = Backend.AUTO if Path(model).expanduser().is_dir() else Backend.TORCH
    return Choice(model, chosen_backend, f"this model is set; {_why_no_gpu()}")


def choose_backend(folder: ModelFolder, chosen: Choice) -> tuple[Backend, str]:
    """Return the library for these files, and why.

    Raises
    ------
    ModelNotLoaded
        A file is missing or broken, or only torch could run it, which is not installed.
    """
    if is_static(folder):
        return Backend.STATIC, "this model is set, a static one"
    if chosen.backend is not Backend.AUTO:
        return chosen.backend, chosen.reason
    if has_cuda():
        return Backend.TORCH, chosen.reason
    from embedder_svc.backends.onnx_support import check_supported

    try:
        check_supported(read_model_files(folder))
    except ModelNotLoaded:
        if not has_torch():
            raise
        return Backend.TORCH, f"{chosen.reason}; ONNX Runtime is not given its architecture"
    return Backend.ONNX, chosen.reason


def _needs_torch(model: str) -> ModelNotLoaded:
    return ModelNotLoaded(
        model,
        "it runs on sentence-transformers, which is not installed; install the extra torch, or set "
        f"LEVEL_EMBEDDER_MODEL={MINILM_MODEL_ID}, which needs no torch, or, for another BERT "
        f"encoder, LEVEL_EMBEDDER_BACKEND={Backend.ONNX}",
    )


def _why_no_gpu() -> str:
    if not gpu_may_be_used():
        return "no CUDA device"
    return "torch cannot use the GPU" if has_torch() else "a GPU, but torch is not installed"


def has_torch() -> bool:
    """Return True where torch and sentence-transformers are installed."""
    names = ("torch", "sentence_transformers")
    return all(importlib.util.find_spec(name) is not None for name in names)


def has_cuda() -> bool:
    """Return True where torch is installed and can use a GPU."""
    if not gpu_may_be_used() or not has_torch():
        return False
    from embedder_svc.backends.torch_model import cuda_is_available

    return cuda_is_available()
