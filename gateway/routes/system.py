"""What operators ask."""

from typing import Any

from fastapi import APIRouter
from fastapi.responses import JSONResponse, Response

from gateway.dependencies import GatewayParts
from gateway.metrics import CONTENT_TYPE
from gateway.routes.documented import problems
from gateway.schemas import Health
from gateway.version import VERSION

router = APIRouter(tags=["system"])
_RETRY_AFTER = {"Retry-After": "2"}


@router.get(
    "/health",
    response_model=Health,
    responses={503: {"model": Health, "description": "A part cannot work now"}},
    response_description="Every part can work",
    summary="Read the state of every part",
)
async def read_health(gateway: GatewayParts) -> Any:
    """Return which parts can work now, and of the others why not."""
    health = await gateway.health.check()
    view = health.view(VERSION, len(gateway.memory))
    if health.unhealthy_parts:
        return JSONResponse(view, status_code=503, headers=_RETRY_AFTER)
    return JSONResponse(view)


@router.get(
    "/metrics",
    response_class=Response,
    responses={200: {"content": {"text/plain": {}}}, **problems(503)},
    response_description="Metrics in the text format of Prometheus",
    summary="Read metrics for Prometheus",
)
def read_metrics(gateway: GatewayParts) -> Response:
    """Return times of stages and requests, counts of datasets and texts, memory, LLM failures."""
    return Response(gateway.metrics.render(), media_type=CONTENT_TYPE)
