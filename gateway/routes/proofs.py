"""Proofs that levelling helps, or that it does not."""

import asyncio
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse

from gateway.dependencies import CompletedDataset, GatewayParts
from gateway.level_answers import ProofState
from gateway.proof_schemas import ProveBody
from gateway.routes.documented import body_of, problems

router = APIRouter(prefix="/api", tags=["prove"])


@router.post(
    "/prove/{dataset_id}",
    status_code=202,
    response_model=ProofState,
    responses=problems(400, 404, 409, 413, 422, 503),
    openapi_extra=body_of(ProveBody),
    response_description="The proof will be made",
    summary="Prove a levelling",
)
async def prove_levelling(
    request: Request, dataset: CompletedDataset, gateway: GatewayParts
) -> JSONResponse:
    """Train the same simple model before and after levelling at equal size, and compare.

    Both answer rows that share no near-duplicate with those they were trained on, over several
    seeds. A newer proof takes the place of the last.
    """
    view = await asyncio.to_thread(gateway.proofs.ask, dataset, await request.body())
    headers = {"Location": f"/api/prove/{dataset.dataset_id}"}
    return JSONResponse(view, status_code=202, headers=headers)


@router.get(
    "/prove/{dataset_id}",
    response_model=ProofState,
    responses=problems(404, 409, 503),
    response_description="How far the proof is, and its result",
    summary="Read the proof",
)
async def read_proof(dataset: CompletedDataset, gateway: GatewayParts) -> Any:
    """Return how far the last proof is; `result` is null until it is completed."""
    return await asyncio.to_thread(gateway.proofs.current, dataset)
