"""How an exported file was made, so that it can be made again, byte for byte; pure.

A recipe is JSON: `make_recipe` writes it, `parse_recipe` reads one that a person hands in.
"""

import hashlib
import json
import platform
import re
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from gateway.dataset import PipelineParameters
from gateway.errors import RecipeInputDiffers, RecipeInvalid

RECIPE_VERSION = 1
# What a result can depend on beside Level itself.
_LIBRARIES = (
    "numpy",
    "scipy",
    "scikit-learn",
    "numba",
    "onnxruntime",
    "tokenizers",
    "pyarrow",
    "xlsxwriter",
)
_SHA256 = re.compile(r"[0-9a-f]{64}")
_MAX_BYTES = 64 << 20
_CHUNK = 1 << 20
_PARTS: dict[str, type] = {
    "level_version": str,
    "input": dict,
    "upload": dict,
    "weights": dict,
    "export": dict,
    "model": dict,
}
_INPUT_PARTS: dict[str, type] = {"file_name": str, "sha256": str, "text_column": dict}


@dataclass(frozen=True)
class Recipe:
    """A recipe that was read and checked.

    Parameters
    ----------
    level_version : str
        Of Level, when the recipe was made.
    file_name : str
        Of the input; a folder's card and recipe name it.
    input_sha256 : str
        Of the input's bytes, in hexadecimal digits.
    upload_fields : dict of str to str
        Form fields of POST /api/upload.
    level_request : dict, optional
        Body of POST /api/level; None when nothing was levelled, or weights were set since.
    weights : dict of str to float
        Adjustments of POST /api/adjust, where there was no levelling: clusters of the finest layer
        and -1 for noise.
    export_query : dict of str to str
        Query of GET /api/export.
    model_fingerprint, instruction_set : str
        Of the embedding model, and of the processor that it ran on; "" when not known.
    output_sha256 : str, optional
        Of the file that was made, where it is known.
    """

    level_version: str
    file_name: str
    input_sha256: str
    upload_fields: dict[str, str]
    level_request: dict[str, Any] | None
    weights: dict[str, float]
    export_query: dict[str, str]
    model_fingerprint: str
    instruction_set: str
    output_sha256: str | None

    def check_input(self, path: Path) -> None:
        """Raise RecipeInputDiffers unless the file is the one that the recipe was made from."""
        found = file_sha256(path)
        if found != self.input_sha256:
            raise RecipeInputDiffers(self.input_sha256, found)

    def differences(
        self, level_version: str, model_fingerprint: str, instruction_set: str
    ) -> tuple[str, ...]:
        """Return, in words, what is not as it was: for each of it the result may differ."""
        pairs = (
            ("Level", self.level_version, level_version),
            ("The embedding model", self.model_fingerprint, model_fingerprint),
            ("The processor's instruction set", self.instruction_set, instruction_set),
        )
        return tuple(
            f"{what} is {now or 'unknown'} here and was {before or 'unknown'} when the recipe was"
            " made: the result may differ."
            for what, before, now in pairs
            if before != now
        )


def make_recipe(
    *,
    level_version: str,
    file_name: str,
    source: Path,
    table: Mapping[str, Any],
    parameters: PipelineParameters,
    level_request: Mapping[str, Any] | None,
    weights: Mapping[int, float],
    export_query: Mapping[str, str],
    model: Mapping[str, Any],
    clustering: Mapping[str, Any],
) -> dict[str, Any]:
    """Return a recipe as JSON values; it names no time and no machine, so that it repeats.

    Parameters
    ----------
    level_version : str
    file_name : str
        Of the input.
    source : Path
        The input as it came.
    table : mapping
        What `TableInfo.to_dict` gave.
    parameters : PipelineParameters
    level_request : mapping, optional
        Body of POST /api/level, where the weights come from one.
    weights : mapping of int to float
        Of the finest layer's clusters, and of noise as -1; those that are 1 may be left out.
    export_query : mapping of str to str
        Query of GET /api/export.
    model : mapping
        The embedding model, as `ModelInfo` has it.
    clustering : mapping
        What the clustering says of itself.
    """
    return {
        "recipe_version": RECIPE_VERSION,
        "level_version": level_version,
        "input": {
            "file_name": file_name,
            "sha256": file_sha256(source),
            "byte_count": table["byte_count"],
            "row_count": table["row_count"],
            "columns": list(table["columns"]),
            "text_column": {"name": table["text_column_name"], "index": table["text_column"]},
        },
        "upload": _upload_fields(table, parameters),
        "level_request": dict(level_request) if level_request is not None else None,
        "weights": {
            "clusters": {str(cluster): weight for cluster, weight in sorted(weights.items())},
        },
        "export": dict(export_query),
        "model": dict(model),
        "clustering": dict(clustering),
        "versions": _versions(),
        "machine": {
            "instruction_set": model.get("instruction_set", ""),
            "architecture": platform.machine(),
        },
        "output": None,
        "notes": list(_notes(parameters)),
    }


def with_output(recipe: Mapping[str, Any], file_name: str, sha256: str) -> dict[str, Any]:
    """Return a recipe that also says what came of it."""
    return {**recipe, "output": {"file_name": file_name, "sha256": sha256}}


def parse_recipe(data: bytes) -> Recipe:
    """Return a recipe from its JSON.

    Raises
    ------
    RecipeInvalid
        When it is none, or one of another version.
    """
    value = _read_json(data)
    _check_parts(value, _PARTS, "")
    _check_parts(value["input"], _INPUT_PARTS, "input.")
    level_request, output = value.get("level_request"), value.get("output")
    if not (level_request is None or isinstance(level_request, dict)):
        raise RecipeInvalid("level_request is neither an object nor null")
    return Recipe(
        level_version=value["level_version"],
        file_name=value["input"]["file_name"],
        input_sha256=_hash(value["input"]["sha256"], "input.sha256"),
        upload_fields=_texts(value["upload"], "upload"),
        level_request=level_request,
        weights=_weights(value["weights"]),
        export_query=_texts(value["export"], "export"),
        model_fingerprint=str(value["model"].get("fingerprint", "")),
        instruction_set=str(value["model"].get("instruction_set", "")),
        output_sha256=_hash(output["sha256"], "output.sha256") if output else None,
    )


def file_sha256(path: Path) -> str:
    """Return the SHA-256 of a file's bytes, in hexadecimal digits."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
    return digest.hexdigest()


def _upload_fields(table: Mapping[str, Any], parameters: PipelineParameters) -> dict[str, str]:
    name, columns = table["text_column_name"], list(table["columns"])
    is_clear = bool(name.strip()) and columns.count(name) == 1
    fields = {
        "text_column": name if is_clear else f"#{table['text_column'] + 1}",
        "algorithm": parameters.algorithm,
        "seed": str(parameters.random_seed),
        "exemplar_count": str(parameters.exemplar_count),
        "exemplar_kind": str(parameters.exemplar_kind),
        "description": parameters.dataset_description,
        "language": parameters.language_code,
        "keywords_only": str(parameters.keywords_only).lower(),
        "long_texts": str(parameters.long_texts),
        "parameters": json.dumps(parameters.algorithm_parameters, sort_keys=True)
        if parameters.algorithm_parameters
        else "",
    }
    return {field: value for field, value in fields.items() if value}


def _versions() -> dict[str, str]:
    found = {"python": platform.python_version()}
    for library in _LIBRARIES:
        try:
            found[library] = version(library)
        except PackageNotFoundError:
            continue
    return found


def _notes(parameters: PipelineParameters) -> list[str]:
    notes = [
        "The same file comes of the same input with the same version of Level, of its libraries and"
        " of the embedding model, on a processor with the same instruction set.",
    ]
    if not parameters.keywords_only:
        notes.append(
            "Where a language model named the clusters, cluster_label may differ; with"
            " keywords_only=true it does not."
        )
    return notes


def _read_json(data: bytes) -> dict[str, Any]:
    if len(data) > _MAX_BYTES:
        raise RecipeInvalid("it is too large")
    try:
        value = json.loads(data)
    except (ValueError, RecursionError):
        raise RecipeInvalid("it is not JSON") from None
    if not isinstance(value, dict) or "recipe_version" not in value:
        raise RecipeInvalid("it has no recipe_version")
    if value["recipe_version"] != RECIPE_VERSION:
        raise RecipeInvalid(f"its recipe_version is not {RECIPE_VERSION}; use a newer Level for it")
    return value


def _check_parts(value: Mapping[str, Any], parts: Mapping[str, type], where: str) -> None:
    for name, kind in parts.items():
        if not isinstance(value.get(name), kind):
            shown = "an object" if kind is dict else "a text"
            raise RecipeInvalid(f"{where}{name} is missing, or is not {shown}")


def _texts(value: Mapping[str, Any], where: str) -> dict[str, str]:
    if not all(isinstance(one, str) for one in value.values()):
        raise RecipeInvalid(f"{where} holds something other than texts")
    return dict(value)


def _weights(value: Mapping[str, Any]) -> dict[str, float]:
    clusters = value.get("clusters")
    if not isinstance(clusters, dict):
        raise RecipeInvalid("weights.clusters is missing, or is not an object")
    for weight in clusters.values():
        if isinstance(weight, bool) or not isinstance(weight, int | float):
            raise RecipeInvalid("weights.clusters holds something other than numbers")
    return {cluster: float(weight) for cluster, weight in clusters.items()}


def _hash(value: object, where: str) -> str:
    if not isinstance(value, str) or not _SHA256.fullmatch(value):
        raise RecipeInvalid(f"{where} is not a SHA-256")
    return value
