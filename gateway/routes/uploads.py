"""POST /api/upload."""

from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse
from slowapi import Limiter

from gateway.dependencies import GatewayParts
from gateway.routes.documented import problems
from gateway.schemas import DatasetStatus, UploadFields
from gateway.status_view import status_view

_FILE = {"type": "string", "format": "binary", "description": "A delimited text file."}


def _form_schema() -> dict[str, Any]:
    schema = UploadFields.model_json_schema()
    return {
        "type": "object",
        "required": ["file"],
        "properties": {"file": _FILE, **schema["properties"]},
        "additionalProperties": False,
    }


_BODY = {"required": True, "content": {"multipart/form-data": {"schema": _form_schema()}}}


async def upload(request: Request, gateway: GatewayParts) -> JSONResponse:
    """Take a CSV or TSV file in and begin to process it.

    Any usual encoding, delimiter and quoting is read; at least 50 rows, at most MAX_UPLOAD_SIZE
    bytes. The answer comes as soon as the file is stored and known to be readable.
    """
    dataset = await gateway.uploads.accept(request)
    gateway.metrics.uploads.inc()
    view = status_view(dataset, gateway.settings.dataset_ttl_hours)
    headers = {"Location": f"/api/status/{dataset.dataset_id}"}
    return JSONResponse(view, status_code=202, headers=headers)


def make_router(limiter: Limiter, rate: str) -> APIRouter:
    """Return the route, limited to `rate` for each client's address; empty is no limit."""
    router = APIRouter(tags=["datasets"])
    router.add_api_route(
        "/api/upload",
        # The limit is counted when the route is called, and the route reads the body itself: so a
        # request over the limit is refused unread.
        limiter.limit(rate)(upload) if rate else upload,
        methods=["POST"],
        status_code=202,
        response_model=DatasetStatus,
        responses=problems(400, 413, 415, 422, 429, 503),
        openapi_extra={"requestBody": _BODY},
        response_description="The file is stored and will be processed",
        summary="Upload a file",
    )
    return router
