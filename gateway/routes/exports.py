"""GET /api/export/{dataset_id}."""

import asyncio
from typing import Annotated

from fastapi import APIRouter, Query
from fastapi.responses import StreamingResponse

from gateway.dataset import Dataset
from gateway.dependencies import CompletedDataset, Gateway, GatewayParts
from gateway.exports import Draw, Export, ExportFormat, content_disposition
from gateway.routes.documented import problems

router = APIRouter(prefix="/api", tags=["export"])


@router.get(
    "/export/{dataset_id}",
    response_class=StreamingResponse,
    responses={
        200: {"description": "The file", "content": {"text/csv": {"schema": {"type": "string"}}}},
        **problems(404, 409, 422, 503),
    },
    summary="Download the levelled dataset",
)
async def export_dataset(
    dataset: CompletedDataset,
    gateway: GatewayParts,
    export_format: Annotated[
        ExportFormat,
        Query(
            alias="format",
            description="weighted: the file as it came plus a column of weights. resampled: its"
            " records drawn in proportion to their weights. clusters: a line for each row with its"
            " cluster. layers: a line for each cluster of every layer.",
        ),
    ] = ExportFormat.WEIGHTED,
    rows: Annotated[
        int | None, Query(description="resampled: how many; as many as came by default.")
    ] = None,
    seed: Annotated[
        int | None, Query(ge=0, lt=2**63, description="resampled: seed of the draw; 0 by default.")
    ] = None,
    max_repeat: Annotated[
        int | None, Query(lt=2**31, description="resampled: the most often a row may come.")
    ] = None,
    layer_index: Annotated[
        int | None,
        Query(alias="layer", description="clusters: of which layer; the terrain's by default."),
    ] = None,
) -> StreamingResponse:
    """Send the dataset at the weights it has now; they may change while it is sent."""
    draw = Draw(rows, seed, max_repeat)
    what = (export_format, draw, layer_index)
    export, revision = await asyncio.to_thread(_begin, gateway, dataset, *what)
    gateway.metrics.exports.labels(export_format).inc()
    headers = {
        "Content-Disposition": content_disposition(export.file_name),
        "ETag": f'"{revision}"',
        "Cache-Control": "no-store",
    }
    media_type = f"text/csv; charset={export.charset}"
    return StreamingResponse(export.pieces, headers=headers, media_type=media_type)


def _begin(
    gateway: Gateway,
    dataset: Dataset,
    export_format: ExportFormat,
    draw: Draw,
    layer_index: int | None,
) -> tuple[Export, int]:
    gateway.terrains.touch(dataset)
    weights = gateway.store.weights(dataset.dataset_id)
    export = gateway.exporter.export(dataset, weights, export_format, draw, layer_index)
    return export, weights.revision
