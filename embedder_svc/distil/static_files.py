"""The folder of a static model, in the layout of model2vec: written, and made of MiniLM once."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import safetensors.numpy
import structlog
from numpy.typing import NDArray

from embedder_svc.distil.distillation import (
    DIMENSION_COUNT,
    DISTILLATION_VERSION,
    SIF_COEFFICIENT,
    distil,
)
from embedder_svc.errors import ModelNotLoaded
from embedder_svc.model import EmbeddingModel
from embedder_svc.model_files import ModelFiles, is_static, read_model_files
from embedder_svc.tokenising import read_tokenizer
from embedder_svc.weights import MINILM_MODEL_ID, ModelFolder

_log = structlog.get_logger(__name__)


def write_static_model(
    folder: Path, files: ModelFiles, table: NDArray[np.float32], model_id: str
) -> None:
    """Write a static model in the layout of model2vec; the folder is there whole or not at all.

    Parameters
    ----------
    folder
        Must not be there yet, or be empty.
    files
        The model that it was distilled from.
    table
        From `distil`; stored as float16.
    model_id
        Of that model, for the record.

    Raises
    ------
    OSError
        It cannot be written, or another process has written it.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    temporary = Path(tempfile.mkdtemp(dir=folder.parent, prefix=f".{folder.name}."))
    try:
        weights = {"embeddings": table.astype(np.float16)}
        safetensors.numpy.save_file(weights, temporary / "model.safetensors")
        shutil.copyfile(files.tokenizer_path, temporary / "tokenizer.json")
        _write_json(temporary / "config.json", _config(table, model_id))
        kinds = {".": "StaticEmbedding", "1_Normalize": "Normalize"}
        modules = [
            {"idx": i, "name": str(i), "path": path, "type": f"sentence_transformers.models.{kind}"}
            for i, (path, kind) in enumerate(kinds.items())
        ]
        _write_json(temporary / "modules.json", modules)
        _make_durable(temporary)
        os.replace(temporary, folder)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def static_folder(
    folder: ModelFolder, cache_dir: Path, load: Callable[[], EmbeddingModel]
) -> ModelFolder:
    """Return the folder of a static model: the given one, or one distilled from MiniLM, once.

    Parameters
    ----------
    folder
        A static model, or MiniLM.
    cache_dir
        Where the distilled model is kept.
    load
        Returns the model to distil; called where that is needed.

    Raises
    ------
    ModelNotLoaded
        Another model: it may take long to distil, so that is a command of its own.
    """
    if is_static(folder):
        return folder
    if folder.model_id != MINILM_MODEL_ID:
        raise ModelNotLoaded(
            folder.model_id,
            "it is no static model; make one with `python -m embedder_svc.distil "
            f"{folder.model_id} FOLDER` and set LEVEL_EMBEDDER_MODEL to that folder",
        )
    files = read_model_files(folder)
    key = files.fingerprint("static", DISTILLATION_VERSION, str(DIMENSION_COUNT))
    path = cache_dir / "static" / key
    if not path.is_dir():
        _distil_into(path, files, load())
    return ModelFolder(path, f"{folder.model_id} (static)", folder.revision)


def _distil_into(path: Path, files: ModelFiles, model: EmbeddingModel) -> None:
    _log.info("distilling", model=files.folder.model_id, folder=str(path))
    table = distil(model, read_tokenizer(files))
    try:
        write_static_model(path, files, table, files.folder.model_id)
    except OSError as error:
        # Another process was faster, or the folder cannot be written at all.
        if not path.is_dir():
            problem = f"{path} cannot be written; set LEVEL_CACHE_DIR to a folder that can"
            raise files.refuse(problem) from error


def _config(table: NDArray[np.float32], model_id: str) -> dict[str, object]:
    return {
        "model_type": "model2vec",
        "architectures": ["StaticModel"],
        "tokenizer_name": model_id,
        "apply_pca": table.shape[1],
        "sif_coefficient": SIF_COEFFICIENT,
        "hidden_dim": table.shape[1],
        "max_length": None,
        "normalize": True,
        "embedding_dtype": "float16",
    }


def _write_json(path: Path, content: object) -> None:
    path.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")


def _make_durable(folder: Path) -> None:
    """Let everyone read what is in the folder, and have it on the disk before it gets its name."""
    folder.chmod(0o755)
    for path in folder.iterdir():
        path.chmod(0o644)
        with path.open("rb") as file:
            os.fsync(file.fileno())
