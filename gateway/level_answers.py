"""What levellings and proofs are answered with, as models for the OpenAPI document."""

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from gateway import level_examples as examples
from gateway.terrain_schemas import Balance

_STATUS = Literal["processing", "completed", "failed"]


class Solution(BaseModel):
    """The weights or counts that meet a target with the largest effective sample size."""

    weights: dict[str, float] = Field(
        description="Effective size divided by rows, by cluster_id of the layer; noise as -1."
    )
    sizes: dict[str, float] = Field(description="Effective size of each cluster, in rows.")
    counts: dict[str, int] | None = Field(
        description="Rows of each cluster, repeats counted, where rows are chosen; else null."
    )
    is_met: bool = Field(description="Whether all that was asked for can be had.")
    unmet: list[str] = Field(
        description="What cannot be had, the nearest that can, and what would help, in sentences."
    )
    binding: list[str] = Field(description="Which limits hold the solution back, in sentences.")


class BeforeAfter(BaseModel):
    """The same figures twice."""

    before: Balance = Field(description="The dataset as it came.")
    after: Balance = Field(description="The levelled dataset.")


class NoiseEffect(BaseModel):
    """What one policy for noise would do to every figure."""

    policy: dict[str, Any] = Field(description="As `noise` of POST /api/level takes it.")
    dropped_count: int = Field(description="Noise that would be left out.")
    joined_count: int = Field(description="Noise that would join its nearest cluster.")
    metrics: Balance = Field(description="Every figure under this policy.")


class JobReference(BaseModel):
    """A job that was just recorded."""

    job_id: str = Field(description="Names the job; a UUID.")
    status: _STATUS = Field(description="processing at first.")


class Levelled(BaseModel):
    """What a levelling comes to."""

    model_config = ConfigDict(json_schema_extra={"examples": [examples.LEVELLED]})

    solution: Solution | None = Field(
        description="Null where only the choice of rows decides, as for a budget alone."
    )
    metrics: BeforeAfter | None = Field(description="Balance and cost; null as solution is.")
    notes: list[str] = Field(description="What else is to be known, in sentences.")
    layer: int = Field(ge=0, description="The layer_index of the clusters that are levelled.")
    noise_effects: list[NoiseEffect] = Field(
        description="What each policy for noise would do, at the weights of the solution."
    )
    request: dict[str, Any] = Field(
        description="The body that asks for the same again, defaults and the shares of a reference"
        " included."
    )
    revision: int = Field(ge=0, description="Of the weights; with apply, of those just set.")
    job: JobReference | None = Field(description="What chooses the rows; null without apply.")


class JobState(BaseModel):
    """Where a job stands."""

    job_id: str = Field(description="Names the job; a UUID.")
    status: _STATUS = Field(description="Where it stands; the last two are final.")
    progress: int = Field(ge=0, le=100, description="Percent; never falls.")
    error: str | None = Field(description="Why it failed; null unless it did.")
    revision: int = Field(ge=0, description="Of the weights that it belongs to.")
    is_current: bool = Field(description="Whether the weights are still those.")
    created_at: str = Field(description="When it was asked for; ISO 8601, UTC.")
    completed_at: str | None = Field(description="When it ended; ISO 8601, UTC; null before.")


class Coverage(BaseModel):
    """How well the rows that stay stand for those that do not."""

    max_distance: float = Field(description="A cosine distance, 0 to 2.")
    shares: dict[str, float] = Field(
        description="By cluster_id, the share of its rows within max_distance of one that stays."
    )


class LevelState(JobState):
    """The levelling that was last applied; null is what is not known before it is completed."""

    model_config = ConfigDict(json_schema_extra={"examples": [examples.LEVEL_STATE]})

    request: dict[str, Any] = Field(description="The body of POST that asks for the same again.")
    layer: int | None = Field(description="The layer_index of the clusters that are levelled.")
    solution: Solution | None = Field(description="As of POST.")
    metrics: BeforeAfter | None = Field(description="As of POST.")
    reasons: dict[str, int] | None = Field(
        description="Rows by what became of them: kept, surplus, noise, near_duplicate."
    )
    coverage: Coverage | None = Field(description="Null where no row was left out by choice.")
    notes: list[str] | None = Field(description="As of POST.")


class Curve(BaseModel):
    """What flatness costs: lists of equal length, from the cheapest step to the flattest."""

    model_config = ConfigDict(json_schema_extra={"examples": [examples.CURVE]})

    layer: int = Field(ge=0, description="The layer_index of the clusters that are levelled.")
    flatness: list[float] = Field(description="Flatness at each step.")
    gini: list[float] = Field(description="Gini coefficient at each step.")
    effective_clusters: list[float] = Field(description="Effective clusters at each step.")
    effective_sample_size: list[float] = Field(description="Effective sample size at each step.")
    effective_sample_share: list[float] = Field(
        description="The same as a share of all rows, 0 to 1."
    )
    design_effect: list[float] = Field(description="Design effect at each step.")
    max_repeat: list[float] = Field(description="Largest repeat at each step.")
    default_step: int = Field(
        ge=0,
        description="The step that target auto takes for weights, and for rows without a budget;"
        " with a budget below what there is it takes the best rows of all, which is on no step.",
    )


class ProofState(JobState):
    """A proof and how far it is."""

    model_config = ConfigDict(json_schema_extra={"examples": [examples.PROOF]})

    request: dict[str, Any] = Field(description="What is tested, and how.")
    result: dict[str, Any] | None = Field(
        description="Null until it is completed: `verdict` says in a sentence whether levelling"
        " helps; the rest are its figures with their confidence intervals."
    )
