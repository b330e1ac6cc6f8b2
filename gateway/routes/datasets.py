"""Status of datasets, their list, and their end."""

from collections.abc import AsyncIterator
from typing import Any

from fastapi import APIRouter
from fastapi.sse import EventSourceResponse, ServerSentEvent

from gateway.dependencies import CurrentDataset, DatasetId, GatewayParts
from gateway.routes.documented import problems
from gateway.schemas import DatasetList, DatasetStatus
from gateway.status_view import status_view

router = APIRouter(prefix="/api", tags=["datasets"])


@router.get(
    "/status/{dataset_id}",
    response_model=DatasetStatus,
    responses=problems(404, 503),
    response_description="Where the dataset stands now",
    summary="Read the status",
)
async def read_status(dataset: CurrentDataset, gateway: GatewayParts) -> Any:
    """Return where a dataset stands; `progress` never falls."""
    return status_view(dataset, gateway.settings.dataset_ttl_hours)


@router.get(
    "/status/{dataset_id}/events",
    response_class=EventSourceResponse,
    responses=problems(404, 503),
    response_description="Events whose data is the status as JSON",
    summary="Follow the status",
)
async def follow_status(
    dataset: CurrentDataset, gateway: GatewayParts
) -> AsyncIterator[ServerSentEvent]:
    """Send the status now and after each change, as server-sent events, until it is final."""
    async for changed in gateway.events.follow(dataset.dataset_id):
        yield ServerSentEvent(data=status_view(changed, gateway.settings.dataset_ttl_hours))


@router.get(
    "/datasets",
    response_model=DatasetList,
    responses=problems(503),
    response_description="Every dataset there is",
    summary="List datasets",
)
def list_datasets(gateway: GatewayParts) -> Any:
    """Return every dataset, newest first."""
    ttl_hours = gateway.settings.dataset_ttl_hours
    return {
        "datasets": [status_view(dataset, ttl_hours) for dataset in gateway.store.list_datasets()]
    }


@router.delete(
    "/datasets/{dataset_id}",
    status_code=204,
    responses=problems(404, 503),
    response_description="Deleted",
    summary="Delete a dataset",
)
def delete_dataset(dataset_id: DatasetId, gateway: GatewayParts) -> None:
    """Delete a dataset and all of its files, whatever its status."""
    gateway.store.delete(dataset_id)
    gateway.memory.forget(dataset_id)
    gateway.artifacts.delete(dataset_id)
