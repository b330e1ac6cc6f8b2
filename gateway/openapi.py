"""The OpenAPI document as the gateway answers, not as the framework assumes it would."""

from collections.abc import Callable
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from gateway.schemas import Problem

_ASSUMED = ("HTTPValidationError", "ValidationError")


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
            made.update(_with_problems(document))
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
    schemas[Problem.__name__] = Problem.model_json_schema()
    return document
