"""A recipe as a model, for the OpenAPI document."""

from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from gateway.schema_examples import MODEL

_SHA256 = "3f79bb7b435b05321651daefd374cdc681dc06faa65e374e38337b88ca046dea"
_EXAMPLE: dict[str, Any] = {
    "recipe_version": 1,
    "level_version": "0.1.0",
    "input": {
        "file_name": "messages.csv",
        "sha256": _SHA256,
        "byte_count": 31_207,
        "row_count": 420,
        "columns": ["id", "message"],
        "text_column": {"name": "message", "index": 1},
    },
    "upload": {"text_column": "message", "algorithm": "auto", "seed": "0"},
    "level_request": {"target": {"kind": "flatness", "value": 0.8}, "seed": 0},
    "weights": {"clusters": {"0": 0.55, "1": 1.4}},
    "export": {"format": "balanced", "file_type": "parquet"},
    "model": MODEL,
    "clustering": {"algorithm": "communities", "noise_count": 20},
    "versions": {"level": "0.1.0", "numpy": "2.4.6"},
    "machine": {"instruction_set": "AVX2", "architecture": "x86_64"},
    "output": None,
    "notes": [],
}


class RecipeView(BaseModel):
    """How an export was made: what `level replay` needs to make the same bytes again."""

    model_config = ConfigDict(json_schema_extra={"examples": [_EXAMPLE]})

    recipe_version: int = Field(description="Of this form; 1.")
    level_version: str = Field(description="Of Level.")
    input: dict[str, Any] = Field(
        description="The file: name, SHA-256, bytes, rows, columns, and the column of texts."
    )
    upload: dict[str, str] = Field(description="Fields of POST /api/upload.")
    level_request: dict[str, Any] | None = Field(
        description="Body of POST /api/level; null when nothing was levelled, or weights were set"
        " since."
    )
    weights: dict[str, dict[str, float]] = Field(
        description="`clusters`: weights of the finest layer's clusters, and of noise as -1."
    )
    export: dict[str, str] = Field(description="Query of GET /api/export.")
    model: dict[str, Any] = Field(description="The embedding model, as the status has it.")
    clustering: dict[str, Any] = Field(description="The clustering, as the status has it.")
    versions: dict[str, str] = Field(description="Of what the bytes may depend on.")
    machine: dict[str, str] = Field(description="The processor's instruction set and kind.")
    output: dict[str, str] | None = Field(
        description="Name and SHA-256 of the file that was made, where they are known."
    )
    notes: list[str] = Field(description="What may make a replay differ.")
