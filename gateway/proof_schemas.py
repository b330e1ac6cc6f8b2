"""What a proof is asked with, as models: to read bodies by, and for the OpenAPI document."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from gateway import level_examples as examples
from gateway.level_schemas import LevelQuestion, Share
from levelling.proof import ProofOptions

_DEFAULTS = ProofOptions()


class ProveBody(BaseModel):
    """What a levelling is to be tested on, and how."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, json_schema_extra={"examples": [examples.PROVE]}
    )

    label_column: str | None = Field(
        None,
        max_length=1_000,
        description="The column of the classes that a model is to learn; without one, coverage and"
        " novelty stand in for what a model would gain.",
    )
    level: LevelQuestion | None = Field(
        None,
        description="The levelling that is tested; the one last applied when null, else the"
        " default one.",
    )
    seeds: Annotated[int, Field(strict=True, ge=1, le=100)] = Field(
        _DEFAULTS.seeds, description="How many times rows are split, levelled and learnt anew."
    )
    seed: Annotated[int, Field(strict=True, ge=0, lt=2**63)] = Field(
        _DEFAULTS.seed, description="Seed of every random choice."
    )
    models: list[Annotated[str, Field(max_length=64)]] = Field(
        list(_DEFAULTS.models),
        min_length=1,
        max_length=8,
        description="Which models are trained; the verdict is of the first.",
    )
    test_share: Annotated[float, Field(strict=True, gt=0, le=0.5)] = Field(
        _DEFAULTS.test_share, description="The part of each class that is held out."
    )
    alphas: list[Share] = Field(
        list(_DEFAULTS.alphas),
        max_length=21,
        description="The points of the curve: cluster sizes in proportion to their rows to the"
        " power of alpha, so that 0 is flat and 1 unchanged.",
    )
    max_rows: Annotated[int, Field(strict=True, ge=50, le=1_000_000)] = Field(
        _DEFAULTS.max_rows, description="At most so many rows are used, drawn at random."
    )
