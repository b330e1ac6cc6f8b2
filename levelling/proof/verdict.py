"""The plain sentence that a proof ends in."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from levelling.proof.intervals import Comparison

MARGIN = 0.01
"""A difference in accuracy that nobody would act on."""
LEAST_TEST_ROWS = 30
"""With fewer held-out rows a seed, one row is more than most differences."""


class VerdictKind(StrEnum):
    """What a proof comes to."""

    HELPS = "helps"
    HURTS = "hurts"
    NO_DIFFERENCE = "no_difference"
    UNCLEAR = "unclear"
    TOO_SMALL = "too_small"
    PROXIES = "proxies"


@dataclass(frozen=True)
class Verdict:
    """What a proof comes to.

    Attributes
    ----------
    kind : VerdictKind
    text : str
        For people, with the figures it rests on.
    """

    kind: VerdictKind
    text: str


def judge(macro: Comparison, plain: Comparison, test_rows: int, trained_on: int) -> Verdict:
    """Return the verdict of macro accuracy, and what it costs in plain accuracy.

    Parameters
    ----------
    macro, plain : Comparison
        Of macro accuracy, which decides, and of accuracy.
    test_rows, trained_on : int
        Held-out rows, and rows trained on, for each seed.
    """
    kind = _kind(macro, test_rows)
    opening = _OPENINGS[kind].format(rows=f"{trained_on:,}", held_out=f"{test_rows:,}")
    parts = [opening, _written("macro accuracy", macro)]
    if kind not in (VerdictKind.TOO_SMALL, VerdictKind.HURTS) and _is_loss(plain):
        parts.append("It costs on data spread as yours are: " + _written("accuracy", plain))
    return Verdict(kind, " ".join(parts))


_OPENINGS = {
    VerdictKind.HELPS: "Levelling helps on {rows} rows of training data.",
    VerdictKind.HURTS: "Levelling hurts on {rows} rows of training data: leave the data as they"
    " are, or level less.",
    VerdictKind.NO_DIFFERENCE: "Levelling does not help on {rows} rows of training data: it makes"
    " no difference worth having.",
    VerdictKind.UNCLEAR: "Whether levelling helps on {rows} rows of training data cannot be said:"
    " the difference is within chance. More seeds or more labelled rows would narrow it.",
    VerdictKind.TOO_SMALL: "The data are too small to say whether levelling helps: {held_out} rows"
    " are held out for each seed, and it takes at least "
    f"{LEAST_TEST_ROWS} and two seeds.",
}


def _kind(macro: Comparison, test_rows: int) -> VerdictKind:
    if macro.low is None or macro.high is None or test_rows < LEAST_TEST_ROWS:
        return VerdictKind.TOO_SMALL
    if -MARGIN < macro.low and macro.high < MARGIN:
        return VerdictKind.NO_DIFFERENCE
    if macro.low > 0:
        return VerdictKind.HELPS
    return VerdictKind.HURTS if macro.high < 0 else VerdictKind.UNCLEAR


def _is_loss(plain: Comparison) -> bool:
    return plain.high is not None and plain.high < 0


def _written(name: str, found: Comparison) -> str:
    interval = ""
    if found.low is not None:
        interval = f", 95 % interval {found.low:+.3f} to {found.high:+.3f}"
    return (
        f"{name[0].upper()}{name[1:]} {found.before:.3f} before and {found.after:.3f} after"
        f" ({found.difference:+.3f}{interval})."
    )
