"""The REST surface as models: for the OpenAPI document, and to read an upload's fields by."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, Json

ParameterScalar = bool | int | float | str
EXAMPLE_ID = "2c1f9a5e-7c0b-4d0e-9c0a-0f3f6d2b8a11"


class UploadFields(BaseModel):
    """The fields of an upload beside its file; empty ones count as not sent."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    text_column: str | None = Field(
        None, max_length=1_000, description="Column to cluster; detected when not given."
    )
    algorithm: str = Field(
        "auto",
        pattern=r"^[a-z0-9_]{1,32}$",
        description="auto, communities, dbscan, hdbscan or kmeans.",
    )
    seed: int = Field(0, ge=0, lt=2**32, description="Seed of every random choice.")
    eps: float | None = Field(None, gt=0, le=2, description="DBSCAN: cosine distance, 0 to 2.")
    auto_eps: bool = Field(
        True, description="DBSCAN: choose eps from the data; when false, DEFAULT_EPS is used."
    )
    min_samples: int | None = Field(None, ge=1, le=100_000)
    min_cluster_size: int | None = Field(None, ge=2, le=1_000_000)
    resolution: float | None = Field(None, gt=0, le=1_000, description="communities: how fine.")
    exemplar_count: int = Field(5, ge=1, le=10, description="Typical rows shown of each cluster.")
    description: str = Field("", max_length=2_000, description="What the texts are; helps naming.")
    language: str = Field(
        "",
        max_length=35,
        pattern=r"^([A-Za-z]{2,8}(-[A-Za-z0-9]{1,8})*)?$",
        description="Language of the names, as BCP 47; the texts' own when not given.",
    )
    keywords_only: bool = Field(False, description="Name by keywords; send nothing to an LLM.")
    parameters: Json[dict[Annotated[str, Field(max_length=64)], ParameterScalar]] | None = Field(
        None, description='A JSON object of any other parameters of the algorithm: {"k": 20}.'
    )


class TextColumn(BaseModel):
    """The column that is clustered."""

    index: int
    name: str
    reason: str = Field(description="How it was chosen.")


class DatasetStatus(BaseModel):
    """Where a dataset stands."""

    dataset_id: str = Field(examples=[EXAMPLE_ID])
    file_name: str = Field(examples=["messages.csv"])
    status: Literal["processing", "completed", "failed"]
    progress: int = Field(ge=0, le=100, description="Never falls.")
    stage: Literal["queued", "embedding", "clustering", "analyzing", "building_terrain"] | None = (
        Field(description="The earliest unfinished stage; null when none is left.")
    )
    error: str | None = Field(description="Why the dataset failed.")
    warnings: list[str]
    text_column: TextColumn
    row_count: int
    cluster_count: int | None = Field(description="null until clusters are known.")
    noise_count: int | None
    truncated_count: int | None = Field(description="Texts longer than the model reads.")
    counts: dict[str, int]
    timings: dict[str, float] = Field(description="Seconds of each finished stage.")
    model: dict[str, Any] | None = Field(description="The embedding model; null until known.")
    clustering: dict[str, Any] | None = Field(description="The algorithm used, and why.")
    parameters: dict[str, Any]
    revision: int = Field(description="Of the weights; 0 is the original.")
    created_at: str = Field(examples=["2026-11-21T06:00:00Z"])
    completed_at: str | None
    expires_at: str | None = Field(description="null when datasets are kept for ever.")


class DatasetList(BaseModel):
    """Every dataset, newest first."""

    datasets: list[DatasetStatus]


class Balance(BaseModel):
    """How level a dataset is at some weights, and what those weights cost."""

    gini: float
    flatness: float
    cluster_count: int
    effective_clusters: float
    row_count: int
    noise_count: int
    effective_sample_size: float
    design_effect: float
    max_repeat: float


class Metrics(Balance):
    """The balance at the current weights, and at weight 1."""

    original: Balance


class Exemplar(BaseModel):
    """A typical row of a cluster."""

    row_id: int
    text: str


class Hill(BaseModel):
    """A cluster as a hill."""

    cluster_id: int
    label: str
    description: str
    label_source: Literal["llm", "keywords", "generic"]
    parent_id: int
    x: float
    z: float
    radius: float
    height: float
    original_height: float
    weight: float
    size: int
    effective_size: float
    color: str = Field(examples=["#4477aa"])
    keywords: list[str]
    exemplars: list[Exemplar]
    stability: float | None


class Noise(BaseModel):
    """The rows in no cluster."""

    count: int
    share: float
    weight: float
    effective_size: float


class TerrainView(BaseModel):
    """A terrain at the current weights."""

    hills: list[Hill]
    heightData: list[list[float]] = Field(description="Height at [z][x].")
    gridSize: int
    metrics: Metrics
    noise: Noise
    revision: int


class Adjustments(BaseModel):
    """Absolute weights by cluster id; clusters not named keep theirs."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"adjustments": {"0": 0.4, "-1": 0}}]}
    )

    adjustments: dict[str, Annotated[float, Field(ge=0, le=1e6)]]


class Adjusted(BaseModel):
    """What an adjustment led to."""

    metrics: Metrics
    weights: dict[str, float] = Field(description="Of every cluster, and of noise as -1.")
    revision: int


class PartState(BaseModel):
    """Whether one part can work now."""

    ready: bool
    reason: str = Field("", description="Why not, and how to mend it.")
    details: dict[str, Any] = {}


class Health(BaseModel):
    """Whether the whole can work now."""

    status: Literal["healthy", "unhealthy"]
    version: str
    datasets_in_memory: int
    model_loaded: bool
    model: dict[str, Any] | None
    unhealthy_parts: list[str]
    parts: dict[str, PartState]


class Problem(BaseModel):
    """An error, as RFC 9457 has it."""

    type: str = Field(examples=["/problems/too-few-rows"])
    title: str = Field(examples=["Too few rows"])
    status: int = Field(examples=[400])
    detail: str = Field(examples=["The table has 3 rows below its header; at least 50 are needed."])
    reason: str = Field("", examples=["TOO_FEW_ROWS"])
    request_id: str = Field("", examples=["a3f1c2"])
    context: dict[str, str] = Field({}, examples=[{"row_count": "3", "minimum": "50"}])
    errors: list[dict[str, str]] = Field([], examples=[[]])
