"""Levelling a dataset by a target: tried, applied, and told."""

import asyncio
from typing import Annotated, Any

from fastapi import APIRouter, Header, Query, Request
from fastapi.responses import Response

from gateway.dependencies import CompletedDataset, GatewayParts
from gateway.level_answers import Curve, Levelled, LevelState
from gateway.level_schemas import LARGEST, DuplicatesBody, LevelBody, LevelQuestion, NoiseBody
from gateway.routes.documented import body_of, problems
from gateway.terrains import to_json
from levelling.request import BudgetUnit, DuplicateKind, Mode, NoiseKind

router = APIRouter(prefix="/api", tags=["level"])
_JSON = "application/json"
_MAX_STEPS = 201


@router.post(
    "/level/{dataset_id}",
    response_model=Levelled,
    responses=problems(400, 404, 409, 412, 413, 422, 503),
    openapi_extra=body_of(LevelBody),
    response_description="What it comes to, and with apply the job that chooses rows",
    summary="Level by a target",
)
async def level_dataset(
    request: Request,
    dataset: CompletedDataset,
    gateway: GatewayParts,
    if_match: Annotated[
        str | None, Header(description='The ETag that the weights must have, as "3".')
    ] = None,
) -> Response:
    """Say which weights or counts meet a target at the least cost, and with `apply` set them.

    What cannot be met is said in `unmet`, with the nearest that can. With `apply` the weights are
    the next revision, and a job chooses the rows: GET /api/level/{dataset_id} says how far it is.
    `solution` and `metrics` are null where only that choice decides them. The ETag is the revision
    of the weights; with `apply` Location is where the plan is read.
    """
    answer = await gateway.levels.level(dataset, await request.body(), if_match)
    headers = {"ETag": f'"{answer["revision"]}"'}
    if answer["job"] is not None:
        headers["Location"] = f"/api/level/{dataset.dataset_id}"
    return Response(to_json(answer), headers=headers, media_type=_JSON)


@router.get(
    "/level/{dataset_id}",
    response_model=LevelState,
    responses=problems(404, 409, 503),
    response_description="The levelling that was last applied",
    summary="Read the plan",
)
async def read_level(dataset: CompletedDataset, gateway: GatewayParts) -> Any:
    """Return the levelling that was last applied, and how far the choice of its rows is.

    `is_current` tells whether the weights are still its own; format=balanced exports it then.
    """
    return await asyncio.to_thread(gateway.levels.current, dataset)


@router.get(
    "/level/{dataset_id}/curve",
    response_model=Curve,
    responses=problems(404, 409, 422, 503),
    response_description="What each step of flatness costs",
    summary="Read the curve of flatness and cost",
)
async def read_curve(
    dataset: CompletedDataset,
    gateway: GatewayParts,
    layer: Annotated[
        int | None, Query(ge=0, description="A layer_index; the terrain layer by default.")
    ] = None,
    mode: Annotated[Mode | None, Query(description="As of POST.")] = None,
    budget: Annotated[
        int | None, Query(ge=1, le=10**12, description="How much to keep, in budget_unit.")
    ] = None,
    budget_unit: Annotated[BudgetUnit, Query(description="As of POST.")] = BudgetUnit.ROWS,
    max_repeat: Annotated[
        float | None, Query(ge=1, le=LARGEST, description="The most that a row may count.")
    ] = None,
    floor: Annotated[float | None, Query(ge=0, le=LARGEST, description="As of POST.")] = None,
    ceiling: Annotated[float | None, Query(ge=0, le=LARGEST, description="As of POST.")] = None,
    noise: Annotated[NoiseKind, Query(description="keep, drop or assign.")] = NoiseKind.KEEP,
    duplicates: Annotated[DuplicateKind, Query(description="As of POST.")] = DuplicateKind.KEEP,
    steps: Annotated[
        int, Query(ge=2, le=_MAX_STEPS, description="Points of the curve, 2 to 201.")
    ] = 21,
) -> Any:
    """Return what each step of flatness costs, from the cheapest to the flattest that can be had.

    `default_step` is where one more step costs more than it gives. A target of kind auto takes it
    for weights, and for rows without a budget. With a budget below what there is it takes the best
    rows of all instead, as far as floors, ceilings and pins allow: that is on no step, and where
    nothing limits it POST answers a null solution.
    """
    question = LevelQuestion(
        layer=layer,
        mode=mode,
        budget=budget,
        budget_unit=budget_unit,
        max_repeat=max_repeat,
        floor=floor,
        ceiling=ceiling,
        noise=NoiseBody(kind=noise),
        duplicates=DuplicatesBody(kind=duplicates),
    )
    return await gateway.levels.curve(dataset, question, steps)
