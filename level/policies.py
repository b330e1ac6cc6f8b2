"""Policies of a levelling as people write them: `cap=0.1`, `assign=0.4`, `uniform`."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import TypeVar

from levelling.errors import InvalidTarget
from levelling.request import (
    NEAR_DUPLICATE_DISTANCE,
    DuplicateKind,
    DuplicatePolicy,
    KeepStrategy,
    NoiseKind,
    NoisePolicy,
)
from levelling.targets import Target, TargetKind

Word = TypeVar("Word", bound=StrEnum)


def read_noise_policy(text: str) -> NoisePolicy:
    """Return a policy from `keep`, `drop`, `cap=SHARE`, `assign` or `assign=DISTANCE`.

    Raises
    ------
    InvalidTarget
        When it is none of them.
    """
    kind, _, value = text.partition("=")
    number = _read_number(value, "noise") if value else None
    if NoiseKind.CAP == kind:
        return NoisePolicy(NoiseKind.CAP, share=number)
    return NoisePolicy(read_word(NoiseKind, kind, "noise"), max_distance=number)


def make_duplicate_policy(
    kind: str, max_distance: float | None = None, keep: str | None = None
) -> DuplicatePolicy:
    """Return a policy for near-duplicates; None is the default of each.

    Raises
    ------
    InvalidTarget
        When a word is not known, or the distance is none.
    """
    return DuplicatePolicy(
        read_word(DuplicateKind, kind, "near_duplicates"),
        NEAR_DUPLICATE_DISTANCE if max_distance is None else float(max_distance),
        read_word(KeepStrategy, keep or KeepStrategy.CENTRAL, "keep"),
    )


def make_target(
    flatness: float | None = None,
    gini: float | None = None,
    alpha: float | None = None,
    distribution: str | Mapping[int, float] | None = None,
) -> Target:
    """Return the one target that is given, AUTO when none is.

    Parameters
    ----------
    flatness, gini, alpha : float, optional
        0 to 1.
    distribution : str or mapping of int to float, optional
        `uniform` or `auto`, or the share of each cluster by its id.

    Raises
    ------
    InvalidTarget
        When there are several, or one is out of range.
    """
    values = {
        TargetKind.FLATNESS: flatness,
        TargetKind.GINI: gini,
        TargetKind.TEMPERED: alpha,
    }
    given = [(kind, value) for kind, value in values.items() if value is not None]
    if len(given) + (distribution is not None) > 1:
        raise InvalidTarget("give one target: a flatness, a Gini, an alpha or a distribution")
    if isinstance(distribution, Mapping):
        shares = {int(cluster): float(share) for cluster, share in distribution.items()}
        return Target(TargetKind.CUSTOM, shares=shares)
    if distribution is not None:
        return Target(read_word(TargetKind, distribution, "target_distribution"))
    return Target(*((given[0][0], float(given[0][1])) if given else ()))


def read_word(words: type[Word], text: str, name: str) -> Word:
    """Return a member of an enumeration by its value; raise InvalidTarget when there is none."""
    try:
        return words(text)
    except ValueError:
        known = ", ".join(words)
        raise InvalidTarget(f"{name} must be one of {known}, not {text!r}", field=name) from None


def _read_number(text: str, name: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise InvalidTarget(f"{name}: {text!r} is not a number", field=name) from None
