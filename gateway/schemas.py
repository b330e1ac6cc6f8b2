"""The REST surface as models: for the OpenAPI document, and to read an upload's fields by."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, Json

from gateway import schema_examples as examples
from gateway.schema_examples import EXAMPLE_ID as EXAMPLE_ID

ParameterScalar = bool | int | float | str


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
    min_samples: int | None = Field(
        None,
        ge=1,
        le=100_000,
        description="DBSCAN, HDBSCAN: rows that make a row the core of a cluster, itself counted;"
        " 1 to 200, 5 when not given.",
    )
    min_cluster_size: int | None = Field(
        None,
        ge=2,
        le=1_000_000,
        description="Rows of the smallest cluster, smaller ones become noise; when not given, the"
        " square root of the number of rows divided by 10, at least 3.",
    )
    resolution: float | None = Field(
        None,
        gt=0,
        le=1_000,
        description="communities: how fine; above 1 more and smaller ones, below 1 fewer and larger"
        " ones; 0.01 to 100, 1 when not given.",
    )
    exemplar_count: int = Field(
        5, ge=1, le=10, description="Typical rows shown of each cluster, 1 to 10."
    )
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

    index: int = Field(ge=0, description="Its position, from 0.")
    name: str = Field(description="Its name in the header.")
    reason: str = Field(description="How it was chosen.")


class DatasetStatus(BaseModel):
    """Where a dataset stands."""

    model_config = ConfigDict(json_schema_extra={"examples": [examples.STATUS]})

    dataset_id: str = Field(description="Names the dataset in every path; a UUID.")
    file_name: str = Field(description="The name that the file was uploaded under.")
    status: Literal["processing", "completed", "failed"] = Field(
        description="Where it stands as a whole; the last two are final."
    )
    progress: int = Field(ge=0, le=100, description="Percent; never falls.")
    stage: Literal["queued", "embedding", "clustering", "analyzing", "building_terrain"] | None = (
        Field(description="The earliest unfinished stage; null when none is left.")
    )
    error: str | None = Field(description="Why the dataset failed; null unless it did.")
    warnings: list[str] = Field(description="What its owner should know, in sentences.")
    text_column: TextColumn = Field(description="Which column is clustered, and why.")
    row_count: int = Field(description="Rows of the file, its header not counted.")
    cluster_count: int | None = Field(description="Clusters; null until they are known.")
    noise_count: int | None = Field(description="Rows in no cluster; null until they are known.")
    truncated_count: int | None = Field(
        description="Texts longer than the model reads; null until all are embedded."
    )
    counts: dict[str, int] = Field(description="Every count so far, by its name.")
    timings: dict[str, float] = Field(description="Seconds of each finished stage.")
    model: dict[str, Any] | None = Field(description="The embedding model; null until known.")
    clustering: dict[str, Any] | None = Field(
        description="The algorithm used, why, and its parameters; null until known."
    )
    parameters: dict[str, Any] = Field(description="What the upload asked for, with defaults.")
    revision: int = Field(ge=0, description="Of the weights; 0 is the original.")
    created_at: str = Field(description="When it was uploaded; ISO 8601, UTC.")
    completed_at: str | None = Field(
        description="When it was completed; ISO 8601, UTC; null unless it is."
    )
    expires_at: str | None = Field(
        description="When it is deleted unless used before; ISO 8601, UTC; null when datasets are"
        " kept for ever."
    )


class DatasetList(BaseModel):
    """Every dataset, newest first."""

    model_config = ConfigDict(json_schema_extra={"examples": [examples.DATASETS]})

    datasets: list[DatasetStatus] = Field(description="Their status, newest first.")


class Balance(BaseModel):
    """How level a dataset is at some weights, and what those weights cost."""

    gini: float = Field(
        description="How unequal the clusters' effective sizes are: 0 equal, to 1 - 1/K when one"
        " of K clusters has everything."
    )
    flatness: float = Field(
        description="1 - gini K / (K - 1), 0 to 1: 1 is level, 0 is one hill; 1 when K is 1."
    )
    cluster_count: int = Field(description="K: clusters, those without weight included.")
    effective_clusters: float = Field(
        description="How many clusters of equal size would be as even, 0 to K: the exponential of"
        " the entropy of the effective sizes."
    )
    row_count: int = Field(description="N: rows with a weight above 0, noise included.")
    noise_count: int = Field(description="Rows in no cluster, whatever their weight.")
    effective_sample_size: float = Field(
        description="How many rows of equal weight say as much as these, 0 to N (Kish)."
    )
    design_effect: float = Field(
        description="N / effective_sample_size, 1 or more: the factor by which the weights widen"
        " the variance of an estimate."
    )
    max_repeat: float = Field(
        description="The most often any row is repeated, 1 or more: the largest weight divided by"
        " the mean weight."
    )


class Metrics(Balance):
    """The balance at the current weights, and at weight 1."""

    original: Balance = Field(description="The same figures at weight 1.")


class Exemplar(BaseModel):
    """A typical row of a cluster."""

    row_id: int = Field(ge=0, description="The row's position below the header, from 0.")
    text: str = Field(description="Its text as it came, not escaped: show it as text only.")


class Hill(BaseModel):
    """A cluster as a hill."""

    cluster_id: int = Field(ge=0, description="Largest cluster first, from 0.")
    label: str = Field(description="The cluster's name, at most 80 characters.")
    description: str = Field(
        description="What its rows are about, in a sentence; empty when it is not known."
    )
    label_source: Literal["llm", "keywords", "generic"] = Field(
        description="Who named it: a language model, its keywords, or its number."
    )
    parent_id: int = Field(description="The cluster it lies in one layer up; -1 when in none.")
    x: float = Field(
        description="Centre: its column of heightData, in grid cells, 0 to gridSize - 1."
    )
    z: float = Field(description="Centre: its row of heightData, in grid cells, 0 to gridSize - 1.")
    radius: float = Field(
        description="Twice the standard deviation of its rows' positions along an axis, in grid"
        " cells, at least 1."
    )
    height: float = Field(
        description="original_height times weight: 10 is the largest cluster at weight 1."
    )
    original_height: float = Field(
        description="Height at weight 1, 0 to 10, in proportion to size."
    )
    weight: float = Field(
        description="0 to 1000000; 2 is as if each of its rows stood there twice."
    )
    size: int = Field(description="Rows.")
    effective_size: float = Field(description="size times weight, in rows.")
    spread: float = Field(description="Mean cosine distance of its rows to their centre, 0 to 2.")
    color: str = Field(description="#rrggbb; depends on the cluster_id alone.")
    keywords: list[str] = Field(
        description="The terms that tell it from the others, strongest first, at most 10."
    )
    exemplars: list[Exemplar] = Field(description="Rows nearest to its centre, nearest first.")
    stability: float | None = Field(
        description="How well it survives another seed and a bootstrap sample, 0 to 1; null where"
        " it was not measured."
    )


class Noise(BaseModel):
    """The rows in no cluster."""

    count: int = Field(description="Rows.")
    share: float = Field(description="count divided by all rows, 0 to 1.")
    weight: float = Field(description="0 to 1000000, as of a hill; 1 at first.")
    effective_size: float = Field(description="count times weight, in rows.")


class TerrainView(BaseModel):
    """A terrain at the current weights."""

    model_config = ConfigDict(json_schema_extra={"examples": [examples.TERRAIN]})

    hills: list[Hill] = Field(description="One for each cluster, by cluster_id.")
    heightData: list[list[float]] = Field(
        description="Height of the ground at [z][x], gridSize rows of gridSize cells; 0 to 10 at"
        " the original weights, on a scale that is fixed from then on."
    )
    gridSize: int = Field(description="Cells along each side of the ground, 2 to 2048.")
    metrics: Metrics = Field(description="How level the dataset is, and what that costs.")
    noise: Noise = Field(description="How many rows are in no cluster, and their weight.")
    revision: int = Field(ge=0, description="Of the weights; 0 is the original; also the ETag.")


class Adjustments(BaseModel):
    """Absolute weights by cluster id; clusters not named keep theirs."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [examples.ADJUSTMENTS]}
    )

    adjustments: dict[str, Annotated[float, Field(ge=0, le=1e6)]] = Field(
        description="New weight, 0 to 1000000, by cluster_id as a string, of noise as -1; at least"
        " one."
    )


class Adjusted(BaseModel):
    """What an adjustment led to."""

    model_config = ConfigDict(json_schema_extra={"examples": [examples.ADJUSTED]})

    metrics: Metrics = Field(description="How level the dataset is now, and what that costs.")
    weights: dict[str, float] = Field(
        description="Of every cluster by its cluster_id, and of noise as -1."
    )
    revision: int = Field(ge=0, description="Of the weights; each adjustment raises it.")


class PartState(BaseModel):
    """Whether one part can work now."""

    ready: bool = Field(description="Whether it can work now.")
    reason: str = Field("", description="Why not, and how to mend it.")
    details: dict[str, Any] = Field({}, description="More that is known of it, as loading.")


class Health(BaseModel):
    """Whether the whole can work now."""

    model_config = ConfigDict(json_schema_extra={"examples": [examples.HEALTH]})

    status: Literal["healthy", "unhealthy"] = Field(
        description="healthy when every part can work now."
    )
    version: str = Field(description="Of Level.")
    datasets_in_memory: int = Field(description="Terrains kept ready in memory.")
    model_loaded: bool = Field(description="Whether the embedding model is ready for use.")
    model: dict[str, Any] | None = Field(description="The embedding model; null when not loaded.")
    unhealthy_parts: list[str] = Field(description="Names of the parts that cannot work now.")
    parts: dict[str, PartState] = Field(description="The state of every part, by its name.")


class Problem(BaseModel):
    """An error, as RFC 9457 has it."""

    model_config = ConfigDict(json_schema_extra={"examples": [examples.PROBLEM]})

    type: str = Field(description="Names the kind of problem; a relative reference.")
    title: str = Field(description="The kind of problem in a few words.")
    status: int = Field(description="The HTTP status.")
    detail: str = Field(description="What is wrong and what to do.")
    reason: str = Field("", description="The machine-readable reason, in capitals.")
    request_id: str = Field("", description="Under which the log has the request.")
    context: dict[str, str] = Field({}, description="Figures and names that belong to the reason.")
    errors: list[dict[str, str]] = Field([], description="What is wrong with which field.")
