"""What a levelled dataset is to look like: how its rows are to be spread over clusters."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from levelling.errors import InvalidTarget


class TargetKind(StrEnum):
    """How the spread over clusters is asked for."""

    AUTO = "auto"
    FLATNESS = "flatness"
    GINI = "gini"
    UNIFORM = "uniform"
    TEMPERED = "tempered"
    CUSTOM = "custom"


_RANGES = {TargetKind.FLATNESS: "flatness", TargetKind.GINI: "gini", TargetKind.TEMPERED: "alpha"}


@dataclass(frozen=True)
class Target:
    """How the rows of a levelled dataset are to be spread over its clusters.

    Parameters
    ----------
    kind : TargetKind
        AUTO: as flat as pays, see `levelling.curve`. FLATNESS, GINI: at least as level as `value`.
        UNIFORM: equal sizes. TEMPERED: sizes proportional to ``n ** value``. CUSTOM: sizes
        proportional to `shares`.
    value : float, optional
        0 to 1, for FLATNESS, GINI and TEMPERED, where 1 is flat, unequal and unchanged.
    shares : mapping of int to float
        For CUSTOM, by cluster id; at least 0, not all 0. A cluster that is not named gets nothing.

    Raises
    ------
    InvalidTarget
        If the value or the shares are missing, superfluous or out of range.
    """

    kind: TargetKind = TargetKind.AUTO
    value: float | None = None
    shares: Mapping[int, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Refuse a target that cannot be meant."""
        if self.kind in _RANGES:
            if self.value is None or not 0 <= self.value <= 1:
                message = f"a target of kind {self.kind} needs a {_RANGES[self.kind]} from 0 to 1"
                raise InvalidTarget(message, field="target.value")
        elif self.value is not None:
            raise InvalidTarget(f"a target of kind {self.kind} has no value", field="target.value")
        self._check_shares()

    def _check_shares(self) -> None:
        if self.kind is not TargetKind.CUSTOM:
            if self.shares:
                message = f"a target of kind {self.kind} has no shares"
                raise InvalidTarget(message, field="target.shares")
            return
        if any(not math.isfinite(share) or share < 0 for share in self.shares.values()):
            message = "shares must be finite and at least 0"
            raise InvalidTarget(message, field="target.shares")
        if not any(self.shares.values()):
            message = "give at least one cluster a share above 0"
            raise InvalidTarget(message, field="target.shares")
