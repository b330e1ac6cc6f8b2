"""Which model is loaded, and by which library."""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence
from dataclasses import replace
from enum import StrEnum
from pathlib import Path
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from embedder_svc.backends.on_ray.actors import LoadModel
from embedder_svc.choice import AUTO, choose_backend, choose_model
from embedder_svc.errors import ModelNotLoaded, OutOfMemory
from embedder_svc.matryoshka import cut_vectors
from embedder_svc.model import (
    DEFAULT_CACHE_DIR,
    Backend,
    EmbeddingModel,
    LoadOptions,
    Precision,
    TokenisedText,
)
from embedder_svc.weights import ModelFolder, find_model

_Choices = TypeVar("_Choices", bound=StrEnum)


def load_model(
    model: str = AUTO,
    *,
    backend: Backend | str = Backend.AUTO,
    precision: Precision | str = Precision.AUTO,
    threads: int = 0,
    dimension_count: int = 0,
    cache_dir: Path = DEFAULT_CACHE_DIR,
    minilm_dir: Path | None = None,
    revision: str = "",
) -> EmbeddingModel:
    """Return the loaded model, checked with one text; its ``choice_reason`` says why this one.

    Parameters
    ----------
    model
        "auto": arctic-embed-l where torch, sentence-transformers and a CUDA device are there,
        MiniLM otherwise. Else a model id of the Hugging Face hub, or the path of a folder.
    backend
        "auto": sentence-transformers where it has a CUDA device, for hub models other than MiniLM,
        and for folders of an architecture that ONNX Runtime is not given; ONNX Runtime for the
        rest. A static model is read by its own backend; asked of MiniLM or "auto", that backend
        distils one, once.
    precision, threads, dimension_count, cache_dir
        As in `LoadOptions`.
    minilm_dir
        Folder with the files of all-MiniLM-L6-v2, looked into before any other source of them.
    revision
        The commit, branch or tag of the hub to take; empty: the main branch.

    Raises
    ------
    ModelNotLoaded
        The message says why and how to mend it.
    """
    chosen = choose_model(model, _known(model, "backend", Backend, backend), revision)
    options = LoadOptions(
        precision=_known(model, "precision", Precision, precision),
        threads=threads,
        dimension_count=dimension_count,
        cache_dir=cache_dir.expanduser(),
    )
    folder = find_model(chosen.model, minilm_dir, revision)
    backend, reason = choose_backend(folder, chosen)
    if backend is Backend.STATIC:
        folder = _static(folder, options)
    loaded = cut_vectors(_open(backend, folder, options), folder, dimension_count)
    return _DescribedModel(_checked(loaded), reason)


def load_model_on_ray(
    load: LoadModel,
    *,
    model: str = AUTO,
    backend: Backend | str = Backend.AUTO,
    address: str,
    actor_count: int = 0,
    threads: int = 0,
) -> EmbeddingModel:
    """Return the model on actors of a Ray cluster, each of which loads it with ``load``.

    Parameters
    ----------
    load
        `load_model` with all but its threads.
    model, backend
        What ``load`` was given.
    address
        As for `RayCluster`.
    actor_count
        0: one for each GPU; where there is none, or the backend uses none, as many as there is
        room for.
    threads
        Of each actor without a GPU; 0: four, or as many as the smallest node has.

    Raises
    ------
    ModelNotLoaded
        The message says why and how to mend it.
    """
    if importlib.util.find_spec("ray") is None:
        problem = "LEVEL_EMBEDDER_RAY_ADDRESS is set, which needs the extra ray; install it:"
        raise ModelNotLoaded(model, f"{problem} pip install 'level[embedder,ray]'")
    from embedder_svc.backends.on_ray.ray_pool import open_ray_pool

    return open_ray_pool(
        load,
        model=model,
        address=address,
        actor_count=actor_count,
        thread_count=threads,
        may_use_gpu=backend not in (Backend.ONNX, Backend.STATIC),
    )


def _static(folder: ModelFolder, options: LoadOptions) -> ModelFolder:
    from embedder_svc.distil.static_files import static_folder

    # In fp32, so that the table is the same whatever this machine prefers.
    exact = replace(options, precision=Precision.FLOAT32)
    return static_folder(folder, options.cache_dir, lambda: _open(Backend.ONNX, folder, exact))


def _open(backend: Backend, folder: ModelFolder, options: LoadOptions) -> EmbeddingModel:
    # Each import costs its vendor's whole library, so only the one that is used is imported.
    if backend is Backend.TORCH:
        from embedder_svc.backends.torch_model import SentenceTransformersModel

        return SentenceTransformersModel(folder, options)
    if backend is Backend.STATIC:
        from embedder_svc.backends.static_model import StaticModel

        return StaticModel(folder, options)
    from embedder_svc.backends.onnx_model import OnnxModel

    return OnnxModel(folder, options)


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


class _DescribedModel:
    """A model that says why it was chosen, in one sentence."""

    def __init__(self, model: EmbeddingModel, reason: str) -> None:
        info = model.info
        sentence = f"{reason}: {info.model_id} in {info.precision} on {info.runtime}, {info.device}"
        if info.choice_reason:
            sentence = f"{sentence}; {info.choice_reason}"
        self.info = replace(info, choice_reason=sentence)
        self._model = model

    def tokenise(self, texts: Sequence[str]) -> list[TokenisedText]:
        return self._model.tokenise(texts)

    def encode(self, batch: Sequence[Sequence[int]]) -> NDArray[np.float32]:
        return self._model.encode(batch)


def _known(model: str, what: str, choices: type[_Choices], value: str) -> _Choices:
    try:
        return choices(value)
    except ValueError as error:
        problem = f"{what} {value!r} is unknown; use one of {', '.join(choices)}"
        raise ModelNotLoaded(model, problem) from error
