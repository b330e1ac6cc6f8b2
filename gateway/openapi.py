"""The OpenAPI document as the gateway answers, not as the framework assumes it would."""

from collections.abc import Callable
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue, models_json_schema

from gateway.level_answers import Curve, Levelled, LevelState, ProofState
from gateway.level_schemas import LevelBody
from gateway.proof_schemas import ProveBody
from gateway.recipe_schema import RecipeView
from gateway.schema_examples import ACCEPTED, UNHEALTHY
from gateway.schemas import DatasetList, Health, Problem
from gateway.terrain_schemas import Adjusted, TerrainView

_ASSUMED = ("HTTPValidationError", "ValidationError")
_ANSWERS = (
    DatasetList,
    TerrainView,
    Adjusted,
    Health,
    Levelled,
    LevelState,
    Curve,
    ProofState,
    RecipeView,
)
_BODIES = (LevelBody, ProveBody)
# Answers that are not like the example of their schema.
_OWN_EXAMPLES = {("/api/upload", "202"): ACCEPTED, ("/health", "503"): UNHEALTHY}


class _AsWritten(GenerateJsonSchema):
    """Keeps the order of an example's members, which is the order of the answers."""

    def sort(self, value: JsonSchemaValue, parent_key: str | None = None) -> JsonSchemaValue:
        """Return a schema as it is."""
        return value


def documented_openapi(app: FastAPI) -> Callable[[], dict[str, Any]]:
    """Return a function that makes the document of `app`, once."""
    made: dict[str, Any] = {}

    def openapi() -> dict[str, Any]:
        if not made:
            document = get_openapi(
                title=app.title,
                version=app.version,
                description=app.description,
                routes=app.routes,
            )
            made.update(_with_examples(_with_problems(document)))
        return made

    return openapi


def _with_problems(document: dict[str, Any]) -> dict[str, Any]:
    """Replace the framework's own shape of a validation error, which is never sent."""
    for item in document["paths"].values():
        for operation in item.values():
            answers = operation["responses"]
            if "HTTPValidationError" in str(answers.get("422")):
                del answers["422"]
    schemas = document["components"]["schemas"]
    for name in _ASSUMED:
        schemas.pop(name, None)
    schemas.update(_own_schemas())
    return document


def _own_schemas() -> dict[str, Any]:
    """Return the schemas of answers, whole: the framework drops what an example has as null."""
    _, answers = models_json_schema(
        [
            *((model, "serialization") for model in _ANSWERS),
            *((model, "validation") for model in _BODIES),
        ],
        ref_template="#/components/schemas/{model}",
        schema_generator=_AsWritten,
    )
    problem = Problem.model_json_schema(schema_generator=_AsWritten)
    return {**answers["$defs"], Problem.__name__: problem}


def _with_examples(document: dict[str, Any]) -> dict[str, Any]:
    """Give every body and answer of 2xx the example of its schema, where it has one."""
    schemas = document["components"]["schemas"]
    for path, item in document["paths"].items():
        for operation in item.values():
            bodies = [operation.get("requestBody", {})]
            for status, answer in operation["responses"].items():
                if own := _OWN_EXAMPLES.get((path, status)):
                    answer["content"]["application/json"]["example"] = own
                elif status.startswith("2"):
                    bodies.append(answer)
            for body in bodies:
                _give_examples(body.get("content", {}), schemas)
    return document


def _give_examples(content: dict[str, Any], schemas: dict[str, Any]) -> None:
    for described in content.values():
        schema = described.get("schema", {})
        if reference := schema.get("$ref"):
            schema = schemas[reference.rsplit("/", 1)[1]]
        if examples := schema.get("examples"):
            described["example"] = examples[0]
