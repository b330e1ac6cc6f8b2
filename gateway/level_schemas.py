"""What a levelling is asked with, as models: to read bodies by, and for the OpenAPI document."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from gateway import level_examples as examples
from gateway.adjustments import MAX_WEIGHT
from levelling.request import (
    NEAR_DUPLICATE_DISTANCE,
    BudgetUnit,
    DuplicateKind,
    KeepStrategy,
    Mode,
    NoiseKind,
    SamplingStrategy,
)
from levelling.targets import TargetKind

# Larger numbers mean nothing that a dataset could have, and would overflow on the way.
LARGEST = 1e15
Number = Annotated[float, Field(strict=True, ge=0, le=LARGEST, allow_inf_nan=False)]
Weight = Annotated[float, Field(strict=True, ge=0, le=MAX_WEIGHT, allow_inf_nan=False)]
Share = Annotated[float, Field(strict=True, ge=0, le=1, allow_inf_nan=False)]
Distance = Annotated[float, Field(strict=True, ge=0, le=2, allow_inf_nan=False)]
Whole = Annotated[int, Field(strict=True, ge=0)]
_STRICT = ConfigDict(extra="forbid", frozen=True)


class TargetBody(BaseModel):
    """How rows are to be spread over clusters."""

    model_config = _STRICT

    kind: TargetKind = Field(
        TargetKind.AUTO,
        description="auto: as flat as pays, the default point of the curve. flatness, gini: at"
        " least as level as value. uniform: equal sizes. tempered: sizes in proportion to their"
        " rows to the power of value. custom: sizes in proportion to shares.",
    )
    value: Share | None = Field(
        None, description="0 to 1, for flatness, gini and tempered; tempered 1 changes nothing."
    )
    shares: dict[str, Number] = Field(
        {}, description="custom: by cluster_id; a cluster that is not named gets nothing."
    )


class NoiseBody(BaseModel):
    """What becomes of rows in no cluster."""

    model_config = _STRICT

    kind: NoiseKind = Field(
        NoiseKind.KEEP,
        description="keep or drop all of them; cap: keep at most share of the kept rows; assign:"
        " those within max_distance join their nearest cluster.",
    )
    share: Share | None = Field(None, description="cap: 0 to 1 of the kept rows.")
    max_distance: Distance | None = Field(
        None, description="assign: cosine distance to the cluster's centre, 0 to 2; null: any."
    )


class DuplicatesBody(BaseModel):
    """What becomes of near-duplicates."""

    model_config = _STRICT

    kind: DuplicateKind = Field(
        DuplicateKind.KEEP,
        description="keep them; drop all but one of each group; discount: the rows of a group"
        " weigh as one.",
    )
    max_distance: Distance = Field(
        NEAR_DUPLICATE_DISTANCE,
        description="Cosine distance up to which rows are near-duplicates, 0 to 2; rows of equal"
        " normalised text always are.",
    )
    keep: KeepStrategy = Field(
        KeepStrategy.CENTRAL, description="The row of a group that stays, or is picked first."
    )


class LevelQuestion(BaseModel):
    """What a dataset is to be levelled to."""

    model_config = _STRICT

    target: TargetBody = Field(TargetBody(), description="How rows are to be spread.")
    mode: Mode | None = Field(
        None,
        description="weights: every row stays and weighs more or less. rows: rows are left out and"
        " repeated. By default weights, and rows where a budget is given.",
    )
    budget: Annotated[int, Field(strict=True, ge=1, le=10**12)] | None = Field(
        None, description="How much is kept, in budget_unit; as much as there is when null."
    )
    budget_unit: BudgetUnit = Field(BudgetUnit.ROWS, description="The unit of the budget.")
    max_repeat: (
        Annotated[float, Field(strict=True, ge=1, le=LARGEST, allow_inf_nan=False)] | None
    ) = Field(
        None,
        description="The most that a row may weigh or be repeated; when null, no limit for weights"
        " and 1, no repeats, for rows.",
    )
    pinned: dict[str, Weight] = Field(
        {}, description="Weights that stay so, 0 to 1000000, by cluster_id; noise as -1."
    )
    floor: Number | None = Field(
        None, description="The least effective size of every cluster, in rows."
    )
    ceiling: Number | None = Field(
        None, description="The greatest effective size of every cluster, in rows."
    )
    floors: dict[str, Number] = Field({}, description="floor of single clusters, by cluster_id.")
    ceilings: dict[str, Number] = Field(
        {}, description="ceiling of single clusters, by cluster_id."
    )
    layer: Whole | None = Field(
        None,
        description="The layer_index of the clusters that are levelled, and whose ids are named;"
        " the terrain layer when null. Finer clusters share what theirs gets.",
    )
    noise: NoiseBody = Field(NoiseBody(), description="The policy for rows in no cluster.")
    duplicates: DuplicatesBody = Field(
        DuplicatesBody(), description="The policy for near-duplicates."
    )
    sampling: SamplingStrategy = Field(
        SamplingStrategy.DIVERSE, description="Which of its rows a hill keeps when it goes down."
    )
    seed: Annotated[int, Field(strict=True, ge=0, lt=2**63)] = Field(
        0, description="Seed of every random choice."
    )


class LevelBody(LevelQuestion):
    """What a dataset is to be levelled to, and whether that is to be done."""

    model_config = ConfigDict(json_schema_extra={"examples": [examples.LEVEL]})

    reference_dataset_id: str | None = Field(
        None,
        max_length=36,
        description="A completed dataset embedded by the same model, whose spread over this one's"
        " clusters is the target: its rows give the shares of a custom target.",
    )
    apply: Annotated[bool, Field(strict=True)] = Field(
        False,
        description="false: only answer what it would come to. true: set the weights as well, and"
        " begin to choose rows.",
    )
