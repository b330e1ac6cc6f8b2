"""What a dataset is and how its state may change; pure."""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from gateway.embedded_texts import LongTexts
from gateway.embedding_progress import EmbeddingProgress
from gateway.pipeline_types import ExemplarKind
from level_rpc.errors import Internal

DEFAULT_NEIGHBOR_COUNT = 15
RECOMMENDED_ROW_COUNT = 10_000
MINIMUM_ROW_COUNT = 50


class Status(StrEnum):
    """Where a dataset stands as a whole."""

    PROCESSING = "processing"
    COMPLETED = "completed"
    FAILED = "failed"


class Stage(StrEnum):
    """The earliest unfinished stage of a dataset that is processing."""

    QUEUED = "queued"
    EMBEDDING = "embedding"
    CLUSTERING = "clustering"
    ANALYZING = "analyzing"
    BUILDING_TERRAIN = "building_terrain"


STAGES = tuple(Stage)
# Where each stage begins and ends on the scale of 0 to 100: embedding is nearly all of the time.
STAGE_SPANS: dict[Stage, tuple[int, int]] = {
    Stage.QUEUED: (0, 0),
    Stage.EMBEDDING: (0, 70),
    Stage.CLUSTERING: (70, 82),
    Stage.ANALYZING: (82, 90),
    Stage.BUILDING_TERRAIN: (90, 99),
}
_TRANSITIONS: dict[Status, frozenset[Status]] = {
    Status.PROCESSING: frozenset({Status.PROCESSING, Status.COMPLETED, Status.FAILED}),
    Status.COMPLETED: frozenset(),
    Status.FAILED: frozenset(),
}


@dataclass(frozen=True)
class PipelineParameters:
    """What the uploader chose; everything the pipeline's result depends on beside the file."""

    algorithm: str = "auto"
    algorithm_parameters: dict[str, float | int | str | bool] = field(default_factory=dict)
    random_seed: int = 0
    neighbor_count: int = DEFAULT_NEIGHBOR_COUNT
    exemplar_count: int = 5
    exemplar_kind: ExemplarKind = ExemplarKind.CENTRAL
    grid_size: int = 100
    dataset_description: str = ""
    language_code: str = ""
    keywords_only: bool = False
    long_texts: LongTexts = LongTexts.TRUNCATE


@dataclass(frozen=True)
class Artifact:
    """A stored file of a dataset, named only after it was synced to disk."""

    name: str
    path: str
    checksum: str
    byte_count: int
    parents: tuple[str, ...] = ()
    format_version: int = 1


@dataclass(frozen=True)
class ClusterName:
    """The name of one cluster; `llm_asked`: a language model was asked, well or in vain."""

    cluster_id: int
    label: str
    description: str
    keywords: tuple[str, ...]
    label_source: str
    llm_asked: bool = False


@dataclass(frozen=True)
class WeightsRevision:
    """The weights of a dataset, of clusters of its finest layer; those not named weigh 1.

    -1 is noise.
    """

    revision: int
    weights: dict[int, float]


@dataclass(frozen=True)
class Dataset:
    """One uploaded file and everything known about it; `request_id` is that of its upload.

    `embedding` is None until that begins.
    """

    dataset_id: str
    request_id: str
    file_name: str
    status: Status
    stage: Stage | None
    progress: int
    error: str | None
    created_at: float
    last_used_at: float
    completed_at: float | None
    table: dict[str, Any]
    parameters: PipelineParameters
    warnings: tuple[str, ...]
    timings: dict[str, float]
    counts: dict[str, int]
    model: dict[str, Any]
    clustering: dict[str, Any]
    artifacts: dict[str, Artifact] = field(default_factory=dict)
    revision: int = 0
    embedding: EmbeddingProgress | None = None

    @property
    def row_count(self) -> int:
        """Rows of the file."""
        return int(self.table["row_count"])

    @property
    def text_column(self) -> int:
        """The position of the column that is embedded, from 0."""
        return int(self.table["text_column"]["index"])


def overall_progress(stage: Stage, fraction: float) -> int:
    """Return 0-99: how far a dataset is when `fraction` (0-1) of `stage` is done."""
    start, end = STAGE_SPANS[stage]
    return start + int((end - start) * min(max(fraction, 0.0), 1.0))


def furthest(one: Stage, other: Stage) -> Stage:
    """Return the later of two stages."""
    return max(one, other, key=STAGES.index)


def check_transition(current: Status, new: Status) -> None:
    """Raise Internal unless a dataset may go from `current` to `new`."""
    if new not in _TRANSITIONS[current]:
        raise Internal(f"A dataset cannot go from {current} to {new}.")
