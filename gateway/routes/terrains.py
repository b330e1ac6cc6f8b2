"""The terrain of a dataset and its weights."""

import asyncio
from typing import Annotated

from fastapi import APIRouter, Header, Query, Request
from fastapi.responses import Response

from gateway.dataset import Dataset, WeightsRevision
from gateway.dependencies import CompletedDataset, DatasetId, Gateway, GatewayParts
from gateway.duplicate_counts import CountUnit
from gateway.plans import PlanFigures, current_figures
from gateway.routes.documented import problems
from gateway.terrain_schemas import Adjusted, Adjustments, TerrainView
from gateway.terrains import to_json, version_of

router = APIRouter(prefix="/api", tags=["terrain"])
_JSON = "application/json"
LayerIndex = Annotated[
    int | None,
    Query(alias="layer", description="A layer_index of layers; the terrain layer by default."),
]


@router.get(
    "/terrain/{dataset_id}",
    response_model=TerrainView,
    responses={304: {"description": "Not changed"}, **problems(404, 409, 422, 503)},
    response_description="The terrain at the current weights",
    summary="Read the terrain",
)
async def read_terrain(
    dataset: CompletedDataset,
    gateway: GatewayParts,
    layer_index: LayerIndex = None,
    count: Annotated[
        CountUnit,
        Query(
            description="What sizes, heights and figures count: rows, or groups of near-duplicates,"
            " each of which then counts once."
        ),
    ] = CountUnit.ROWS,
    if_none_match: Annotated[str, Header(description="An ETag from before.")] = "",
) -> Response:
    """Return hills, ground and figures at the current weights; the ETag begins with the revision.

    While the weights are those of a completed levelling, `metrics` are its figures `after`: the
    rows that it keeps, and what that costs; on another layer than the one that was levelled, with
    that layer's own evenness. Its job_id then follows the revision in the ETag. With count=groups
    every figure follows the weights.

    `layers` lists the layers that the dataset has, from fine to coarse. Each can be shown; nothing
    is computed again for it.
    """
    weights, plan = await asyncio.to_thread(_read_weights, gateway, dataset)
    etag = f'"{version_of(weights, plan)}"'
    headers = {"ETag": etag, "Cache-Control": "no-cache"}
    known = {tag.strip().removeprefix("W/") for tag in if_none_match.split(",")}
    if known & {etag, "*"}:
        return Response(status_code=304, headers=headers)
    body = await gateway.terrains.render(dataset, weights, layer_index, count, plan)
    return Response(body, headers=headers, media_type=_JSON)


@router.post(
    "/adjust/{dataset_id}",
    response_model=Adjusted,
    responses=problems(400, 404, 409, 412, 413, 422, 503),
    openapi_extra={
        "requestBody": {
            "required": True,
            "content": {_JSON: {"schema": Adjustments.model_json_schema()}},
        }
    },
    response_description="What the weights are now, and how level the dataset is",
    summary="Adjust weights",
)
async def adjust_weights(
    request: Request,
    dataset_id: DatasetId,
    gateway: GatewayParts,
    layer_index: LayerIndex = None,
    if_match: Annotated[
        str | None, Header(description='The ETag that the weights must have, as "3".')
    ] = None,
) -> Response:
    """Set absolute weights of clusters, of noise as -1; those not named keep theirs.

    Clusters of any layer can be named, but not one together with another that lies in it. Giving
    a cluster a weight multiplies those of the finer clusters in it, so that together they have it;
    the weight of a coarser one around it follows. `layer` chooses whose weights and figures are
    answered. All or nothing: after any error every weight is as it was. The ETag is the new
    revision.
    """
    body = await request.body()
    adjust = gateway.terrains.adjust
    answer = await asyncio.to_thread(adjust, dataset_id, body, if_match, layer_index)
    gateway.metrics.adjustments.inc()
    headers = {"ETag": f'"{answer["revision"]}"'}
    return Response(to_json(answer), headers=headers, media_type=_JSON)


def _read_weights(gateway: Gateway, dataset: Dataset) -> tuple[WeightsRevision, PlanFigures | None]:
    gateway.terrains.touch(dataset)
    weights = gateway.store.weights(dataset.dataset_id)
    return weights, current_figures(gateway.jobs, dataset.dataset_id, weights.revision)
