"""All that a person can ask of a levelling, in one frozen value."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from numbers import Integral

from levelling.errors import InvalidTarget
from levelling.targets import Target

NEAR_DUPLICATE_DISTANCE = 0.05
"""The cosine distance up to which two rows are near-duplicates, unless another is asked for."""


class Mode(StrEnum):
    """What is changed: the weight of every row, or which rows there are and how often."""

    WEIGHTS = "weights"
    ROWS = "rows"


class BudgetUnit(StrEnum):
    """What a budget counts."""

    ROWS = "rows"
    TOKENS = "tokens"


class NoiseKind(StrEnum):
    """What becomes of rows in no cluster."""

    KEEP = "keep"
    DROP = "drop"
    CAP = "cap"
    ASSIGN = "assign"


class DuplicateKind(StrEnum):
    """What becomes of near-duplicates: they stay, one of each group stays, or they weigh as one."""

    KEEP = "keep"
    DROP = "drop"
    DISCOUNT = "discount"


class KeepStrategy(StrEnum):
    """Which row of a group of near-duplicates stays."""

    CENTRAL = "central"
    LONGEST = "longest"
    FIRST = "first"


class SamplingStrategy(StrEnum):
    """Which rows of a hill stay when it goes down."""

    DIVERSE = "diverse"
    CENTRAL = "central"
    RANDOM = "random"


@dataclass(frozen=True)
class NoisePolicy:
    """What becomes of rows in no cluster.

    Parameters
    ----------
    kind : NoiseKind
        KEEP all of them, or as large a part as of a budget; DROP all; CAP: keep at most `share` of
        the kept rows, drawn at random; ASSIGN: those within `max_distance` join their nearest
        cluster, the others stay noise.
    share : float, optional
        0 to 1, for CAP alone.
    max_distance : float, optional
        Cosine distance to the centroid of the nearest cluster, 0 to 2, for ASSIGN alone; without a
        limit when not given.
    """

    kind: NoiseKind = NoiseKind.KEEP
    share: float | None = None
    max_distance: float | None = None

    def __post_init__(self) -> None:
        """Refuse what does not fit the kind."""
        if (self.kind is NoiseKind.CAP) != (self.share is not None):
            message = "a noise policy has a share when its kind is cap, and only then"
            raise InvalidTarget(message, field="noise.share")
        _check_range(self.share, "noise.share", 0, 1)
        if self.max_distance is not None and self.kind is not NoiseKind.ASSIGN:
            message = "a noise policy has a max_distance only when its kind is assign"
            raise InvalidTarget(message, field="noise.max_distance")
        _check_range(self.max_distance, "noise.max_distance", 0, 2)


@dataclass(frozen=True)
class DuplicatePolicy:
    """What becomes of near-duplicates.

    Parameters
    ----------
    kind : DuplicateKind
        DROP: one row of each group stays, wherever the others are. DISCOUNT: rows of a cluster
        that are in one group count as one together: each weighs one over how many they are; where
        rows are picked, one is picked before any of its copies.
    max_distance : float
        Cosine distance up to which rows are near-duplicates, 0 to 2. Rows whose normalised texts
        are equal are near-duplicates at any distance.
    keep : KeepStrategy
        Which row of a group stays, for DROP, and the one that is picked first otherwise; of rows
        in a cluster and noise always one in a cluster.
    """

    kind: DuplicateKind = DuplicateKind.KEEP
    max_distance: float = NEAR_DUPLICATE_DISTANCE
    keep: KeepStrategy = KeepStrategy.CENTRAL

    def __post_init__(self) -> None:
        """Refuse a distance that is none."""
        _check_range(self.max_distance, "duplicates.max_distance", 0, 2)


@dataclass(frozen=True)
class LevelRequest:
    """What a dataset is to be levelled to; the defaults are what the command line does.

    Parameters
    ----------
    target : Target
    mode : Mode, optional
        WEIGHTS unless a budget is given, which needs ROWS.
    budget : int, optional
        How much is kept, in `budget_unit`, at least 1. When not given, as much as there is; where
        rows are picked, as much as there may be for the target to be met.
    budget_unit : BudgetUnit
    max_repeat : float, optional
        The most that a row may count, in multiples of the mean of the kept rows, or be repeated; at
        least 1; rounded down for ROWS. Without a limit for WEIGHTS when not given; 1, no repeats,
        for ROWS. With discounted near-duplicates it is the most that a group may count. Pins, and
        noise at weight 1, come before it.
    pinned : mapping of int to float
        Weights that must stay as they are, by cluster id of `layer`, -1 for noise; at least 0. Of
        the rows that the policies leave; before every other limit.
    floor, ceiling : float, optional
        The least and most effective size of every cluster, in rows. A cluster that has fewer rows
        than the floor keeps what it has, unless repeats fill it.
    floors, ceilings : mapping of int to float
        The same for single clusters, by id, before `floor` and `ceiling`.
    layer : int, optional
        The layer that is levelled, 0 is the finest; the terrain layer when not given. Finer
        clusters share what their parent gets: its weight, or its number of rows as `sampling`
        picks them.
    noise : NoisePolicy
    duplicates : DuplicatePolicy
    sampling : SamplingStrategy
    seed : int
        Of every random choice, at least 0.

    Raises
    ------
    InvalidTarget
        If a field is out of range or fields contradict each other.
    """

    target: Target = field(default_factory=Target)
    mode: Mode | None = None
    budget: int | None = None
    budget_unit: BudgetUnit = BudgetUnit.ROWS
    max_repeat: float | None = None
    pinned: Mapping[int, float] = field(default_factory=dict)
    floor: float | None = None
    ceiling: float | None = None
    floors: Mapping[int, float] = field(default_factory=dict)
    ceilings: Mapping[int, float] = field(default_factory=dict)
    layer: int | None = None
    noise: NoisePolicy = field(default_factory=NoisePolicy)
    duplicates: DuplicatePolicy = field(default_factory=DuplicatePolicy)
    sampling: SamplingStrategy = SamplingStrategy.DIVERSE
    seed: int = 0

    def __post_init__(self) -> None:
        """Refuse what cannot be meant."""
        if self.budget is not None and self.mode is Mode.WEIGHTS:
            message = "a budget chooses rows; leave it out, or leave mode=weights out"
            raise InvalidTarget(message, field="budget")
        if isinstance(self.budget, bool) or not isinstance(self.budget, Integral | None):
            raise InvalidTarget("budget must be a whole number of at least 1", field="budget")
        _check_range(self.budget, "budget", 1, math.inf)
        _check_range(self.max_repeat, "max_repeat", 1, math.inf)
        _check_range(self.seed, "seed", 0, 2**63 - 1)
        _check_range(self.floor, "floor", 0, math.inf)
        _check_range(self.ceiling, "ceiling", 0, math.inf)
        for name in ("pinned", "floors", "ceilings"):
            for cluster_id, value in getattr(self, name).items():
                _check_range(value, f"{name}.{cluster_id}", 0, math.inf)

    @property
    def chooses_rows(self) -> bool:
        """Whether rows are picked and repeated; otherwise all stay and only weights change."""
        return self.mode is Mode.ROWS or self.budget is not None


def _check_range(value: float | None, field_name: str, lowest: float, highest: float) -> None:
    if value is None:
        return
    # An infinity is no number that a person can mean, even where there is no upper end.
    if not math.isfinite(value) or not lowest <= value <= highest:
        limit = f"at least {lowest}" if highest == math.inf else f"from {lowest} to {highest}"
        raise InvalidTarget(f"{field_name} must be a number {limit}", field=field_name)
