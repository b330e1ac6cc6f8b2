"""The REST surface as models: for the OpenAPI document, and to read an upload's fields by."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, Json

from gateway import schema_examples as examples
from gateway.embedded_texts import LongTexts
from gateway.pipeline_types import ExemplarKind
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
        description="Rows of the smallest cluster; smaller ones join the cluster they are most tied"
        " to, or become noise. When not given, the square root of the number of rows divided by 10,"
        " at least 3; DBSCAN and k-means then keep them all.",
    )
    resolution: float | None = Field(
        None,
        gt=0,
        le=1_000,
        description="communities: how fine; higher gives more and smaller ones; 0.01 to 100. When"
        " not given, the one at which random halves of the rows agree best.",
    )
    exemplar_count: int = Field(
        5, ge=1, le=10, description="Typical rows shown of each cluster, 1 to 10."
    )
    exemplar_kind: ExemplarKind = Field(
        ExemplarKind.CENTRAL,
        description="Which rows those are. central: the nearest to the cluster's centre. diverse:"
        " rows that together lie near all of its rows.",
    )
    description: str = Field("", max_length=2_000, description="What the texts are; helps naming.")
    language: str = Field(
        "",
        max_length=35,
        pattern=r"^([A-Za-z]{2,8}(-[A-Za-z0-9]{1,8})*)?$",
        description="Language of the names, as BCP 47; the texts' own when not given.",
    )
    keywords_only: bool = Field(False, description="Name by keywords; send nothing to an LLM.")
    long_texts: LongTexts = Field(
        LongTexts.TRUNCATE,
        description="What counts of a text longer than the embedding model reads. truncate: only"
        " its beginning. mean: all of it, embedded in pieces whose mean is taken; slower.",
    )
    parameters: Json[dict[Annotated[str, Field(max_length=64)], ParameterScalar]] | None = Field(
        None,
        description="A JSON object of any other parameters of the algorithm, as"
        ' {"noise_threshold": 3}.',
    )


class TextColumn(BaseModel):
    """The column that is clustered."""

    index: int = Field(ge=0, description="Its position, from 0.")
    name: str = Field(description="Its name in the header.")
    reason: str = Field(description="How it was chosen.")


class EmbeddingState(BaseModel):
    """How far the embedding is and how fast it goes; each distinct text is embedded once."""

    rows_done: int = Field(ge=0, description="Distinct texts embedded so far; never falls.")
    row_count: int = Field(ge=0, description="Distinct texts in all.")
    token_count: int = Field(ge=0, description="Tokens that the model computed for them.")
    rows_per_second: float | None = Field(
        description="Texts a second over the last 15 seconds; over the whole when it is finished;"
        " null until known."
    )
    seconds_left: float | None = Field(
        description="How long it will take at that rate; null until known."
    )
    cached_count: int = Field(
        ge=0, description="Texts whose vectors the embedder had kept from earlier calls."
    )
    cache_hit_rate: float | None = Field(
        ge=0, le=1, description="Their share of rows_done; null while that is 0."
    )


class NoiseOutcome(BaseModel):
    """Which rows are in no cluster, and why."""

    count: int = Field(description="Rows in no cluster; the same rows in every layer.")
    reason: str = Field(description="Which rows these are and why, in a sentence.")
    sparse_count: int = Field(description="Those of them that lie in sparse regions.")
    small_cluster_count: int = Field(
        description="Those of them that lay in clusters smaller than the smallest allowed."
    )


class ClusteringOutcome(BaseModel):
    """How the rows were clustered, and why so."""

    model_config = ConfigDict(extra="allow")

    algorithm: str = Field(description="The one that was used; of auto, the one it chose.")
    reason: str = Field(description="Why this one and what it found, in a sentence.")
    parameters: dict[str, Any] = Field(
        description="Every parameter in effect, defaults and automatic choices included."
    )
    noise_count: int = Field(description="Rows in no cluster.")
    noise: NoiseOutcome | None = Field(
        None, description="Which rows are in no cluster; null for a dataset of an earlier version."
    )
    layer_count: int = Field(1, description="Layers of clusters, from fine to coarse.")
    layer_reason: str = Field(
        "", description="Why the terrain layer is the one it is, in a sentence."
    )
    graph_recall: float = Field(
        description="Share of true nearest neighbours that the graph has, 0 to 1, on a sample."
    )
    eps_curve: list[dict[str, Any]] = Field(
        description="What an automatic eps was chosen from: eps, cluster_count, noise_fraction,"
        " largest_cluster_fraction; empty without one."
    )


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
        description="Distinct texts longer than the model reads, whose beginning alone counts; null"
        " until all are embedded."
    )
    chunked_count: int | None = Field(
        description="Distinct texts embedded in pieces, as long_texts=mean asks; null until all are"
        " embedded."
    )
    embedding: EmbeddingState | None = Field(
        description="How far the embedding is; null until it begins."
    )
    counts: dict[str, int] = Field(description="Every count so far, by its name.")
    timings: dict[str, float] = Field(description="Seconds of each finished stage.")
    model: dict[str, Any] | None = Field(description="The embedding model; null until known.")
    clustering: ClusteringOutcome | None = Field(
        description="The algorithm used, why, and what it found; null until known."
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
