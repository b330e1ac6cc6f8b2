"""What routes are given."""

from dataclasses import dataclass
from typing import Annotated, cast
from uuid import UUID

from fastapi import Depends, Path, Request

from gateway.artifacts import ArtifactStore
from gateway.dataset import Dataset
from gateway.errors import DatasetNotFound
from gateway.events import DatasetEvents
from gateway.exporter import Exporter
from gateway.health import HealthMonitor
from gateway.job_store import JobStore
from gateway.level_desk import LevelDesk
from gateway.memory import DatasetMemory
from gateway.metrics import GatewayMetrics
from gateway.proof_desk import ProofDesk
from gateway.schemas import EXAMPLE_ID
from gateway.settings import GatewaySettings
from gateway.store import DatasetStore
from gateway.terrains import Terrains, require_completed
from gateway.uploads import UploadDesk


@dataclass(frozen=True)
class Gateway:
    """The parts of a running gateway."""

    settings: GatewaySettings
    store: DatasetStore
    jobs: JobStore
    artifacts: ArtifactStore
    memory: DatasetMemory
    uploads: UploadDesk
    terrains: Terrains
    levels: LevelDesk
    proofs: ProofDesk
    exporter: Exporter
    events: DatasetEvents
    health: HealthMonitor
    metrics: GatewayMetrics


async def get_gateway(request: Request) -> Gateway:
    """Return the running gateway."""
    return cast(Gateway, request.app.state.gateway)


async def get_dataset_id(
    dataset_id: Annotated[
        str,
        Path(description="As POST /api/upload answered it.", examples=[EXAMPLE_ID]),
    ],
) -> str:
    """Return the id in the path; whatever is not written as an id names no dataset."""
    try:
        canonical = str(UUID(dataset_id))
    except ValueError:
        raise DatasetNotFound from None
    if canonical != dataset_id:
        raise DatasetNotFound
    return canonical


GatewayParts = Annotated[Gateway, Depends(get_gateway)]
DatasetId = Annotated[str, Depends(get_dataset_id)]


# Not async: the framework runs it in a thread, where the store may block.
def get_dataset(gateway: GatewayParts, dataset_id: DatasetId) -> Dataset:
    """Return the dataset in the path."""
    return gateway.store.get(dataset_id)


CurrentDataset = Annotated[Dataset, Depends(get_dataset)]


async def get_completed_dataset(dataset: CurrentDataset) -> Dataset:
    """Return the dataset in the path if it has a terrain."""
    return require_completed(dataset)


CompletedDataset = Annotated[Dataset, Depends(get_completed_dataset)]
