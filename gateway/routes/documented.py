"""How routes document their errors."""

from typing import Any

from pydantic import BaseModel

from gateway.problems import MEDIA_TYPE
from gateway.schemas import Problem

_MEANINGS = {
    400: "Not a usable request",
    404: "No such dataset",
    409: "Not completed, or not what this needs",
    412: "The weights have another revision",
    413: "Too large",
    415: "Not a supported file type",
    422: "A value that cannot be used",
    429: "Over the upload rate",
    503: "A database or service cannot answer now",
}
_CONTENT = {MEDIA_TYPE: {"schema": {"$ref": f"#/components/schemas/{Problem.__name__}"}}}


def problems(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Return the documentation of these errors, for a route's `responses`."""
    return {status: {"description": _MEANINGS[status], "content": _CONTENT} for status in statuses}


def body_of(model: type[BaseModel]) -> dict[str, Any]:
    """Return the documentation of a JSON body that a route reads itself, for `openapi_extra`."""
    schema = {"$ref": f"#/components/schemas/{model.__name__}"}
    return {"requestBody": {"required": False, "content": {"application/json": {"schema": schema}}}}
