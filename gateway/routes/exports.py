"""GET /api/export/{dataset_id} and GET /api/recipe/{dataset_id}."""

import asyncio
from typing import Annotated

from fastapi import APIRouter, Depends, Query
from fastapi.responses import JSONResponse, StreamingResponse
from starlette.types import Message, Send

from gateway.dataset import Dataset, WeightsRevision
from gateway.dependencies import CompletedDataset, Gateway, GatewayParts
from gateway.exporter import content_disposition
from gateway.exports import (
    ColumnChoice,
    ExportFormat,
    ExportOptions,
    FileType,
    Profile,
    ShardType,
)
from gateway.recipe_schema import RecipeView
from gateway.routes.documented import problems

router = APIRouter(prefix="/api", tags=["export"])
# A client that takes nothing for so long keeps a process busy for nobody.
_STALL_SECONDS = 60.0
_FILE = {"schema": {"type": "string", "format": "binary"}}


class _ExportResponse(StreamingResponse):
    """Sends an export, and frees what it uses when the client goes away or takes nothing more."""

    async def stream_response(self, send: Send) -> None:
        async def patiently(message: Message) -> None:
            async with asyncio.timeout(_STALL_SECONDS):
                await send(message)

        try:
            await super().stream_response(patiently)
        except TimeoutError:
            raise OSError("the client takes nothing") from None
        finally:
            await self.body_iterator.aclose()  # type: ignore[attr-defined]


async def read_options(
    export_format: Annotated[
        ExportFormat,
        Query(
            alias="format",
            description="weighted: every row and what it counts. resampled: rows drawn in"
            " proportion to their weights. balanced: the rows that the current levelling keeps,"
            " with their repeats. clusters: a line for each row with its cluster. layers: a line"
            " for each cluster of every layer.",
        ),
    ] = ExportFormat.WEIGHTED,
    file_type: Annotated[
        FileType,
        Query(
            description="csv: the file's own bytes, in its encoding. parquet, jsonl: every cell as"
            " text. xlsx: a workbook, every cell as text. zip: a folder with files for each"
            " cluster, how to mix and load them, a dataset card and the recipe."
        ),
    ] = FileType.CSV,
    columns: Annotated[
        ColumnChoice,
        Query(
            description="plain: the file's own, and weight (weighted), or row_id, copies and"
            " sample_weight (balanced). all: also cluster_id, cluster_label,"
            " cluster_membership_prob, sample_weight, copies, near_dup_group, is_exemplar,"
            " projection_x, projection_y and row_id. A zip has them all."
        ),
    ] = ColumnChoice.PLAIN,
    embedding: Annotated[
        bool, Query(description="parquet, jsonl, zip: whether each row's vector is added.")
    ] = False,
    profile: Annotated[
        Profile,
        Query(
            description="csv: lossless, the file's own bytes; or excel, in which no cell is a"
            " formula: one that could be has an apostrophe before it."
        ),
    ] = Profile.LOSSLESS,
    repeat: Annotated[
        bool | None,
        Query(
            description="balanced: whether a row stands there as often as it is repeated, the"
            " default, or once, with the number in copies."
        ),
    ] = None,
    shard_type: Annotated[
        ShardType | None,
        Query(description="zip: as what its rows are written; parquet by default."),
    ] = None,
    rows: Annotated[
        int | None, Query(description="resampled: how many; as many as came by default.")
    ] = None,
    seed: Annotated[
        int | None, Query(ge=0, lt=2**63, description="resampled: seed of the draw; 0 by default.")
    ] = None,
    max_repeat: Annotated[
        int | None, Query(lt=2**31, description="resampled: the most often a row may come.")
    ] = None,
    layer: Annotated[
        int | None,
        Query(
            description="Of which layer the clusters are; by default the terrain's, for balanced"
            " the one that was levelled."
        ),
    ] = None,
) -> ExportOptions:
    """Return what is asked for in the query."""
    return ExportOptions(
        format=export_format,
        file_type=file_type,
        columns=columns,
        embedding=embedding,
        profile=profile,
        repeat=repeat,
        shard_type=shard_type,
        rows=rows,
        seed=seed,
        max_repeat=max_repeat,
        layer=layer,
    )


AskedOptions = Annotated[ExportOptions, Depends(read_options)]


@router.get(
    "/export/{dataset_id}",
    response_class=StreamingResponse,
    responses={
        200: {
            "description": "The file",
            "content": {
                "text/csv": {"schema": {"type": "string"}},
                **{
                    ExportOptions(file_type=kind).media_type: _FILE
                    for kind in FileType
                    if kind is not FileType.CSV
                },
            },
        },
        **problems(404, 409, 422, 503),
    },
    summary="Download the levelled dataset",
)
async def export_dataset(
    dataset: CompletedDataset, gateway: GatewayParts, options: AskedOptions
) -> StreamingResponse:
    """Send the dataset at the weights it has now; they may change while it is sent."""
    weights = await asyncio.to_thread(_begin, gateway, dataset)
    export = await gateway.exporter.export(dataset, weights, options)
    gateway.metrics.exports.labels(options.format).inc()
    headers = {
        "Content-Disposition": content_disposition(export.file_name),
        "ETag": f'"{weights.revision}"',
        "Cache-Control": "no-store",
    }
    return _ExportResponse(export.pieces, headers=headers, media_type=export.media_type)


@router.get(
    "/recipe/{dataset_id}",
    response_model=RecipeView,
    responses=problems(404, 409, 422, 503),
    response_description="The recipe",
    summary="Say how to make an export again",
)
async def get_recipe(
    dataset: CompletedDataset, gateway: GatewayParts, options: AskedOptions
) -> JSONResponse:
    """Return the recipe of the export that the same query asks for: input, parameters, versions."""
    weights = await asyncio.to_thread(_begin, gateway, dataset)
    recipe = await asyncio.to_thread(gateway.exporter.recipe, dataset, weights, options)
    headers = {"Cache-Control": "no-store", "ETag": f'"{weights.revision}"'}
    return JSONResponse(recipe, headers=headers)


def _begin(gateway: Gateway, dataset: Dataset) -> WeightsRevision:
    gateway.terrains.touch(dataset)
    return gateway.store.weights(dataset.dataset_id)
