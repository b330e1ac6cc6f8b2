"""Whether a difference over several seeds is more than chance."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import stdtrit

CONFIDENCE = 0.95


@dataclass(frozen=True)
class Comparison:
    """One figure before and after levelling, on the same held-out rows.

    Attributes
    ----------
    before, after : float
        Means over the seeds.
    difference : float
        ``after - before``.
    low, high : float or None
        The 95 % interval of the difference; None with one seed.
    before_by_seed, after_by_seed : tuple of float
    """

    before: float
    after: float
    difference: float
    low: float | None
    high: float | None
    before_by_seed: tuple[float, ...]
    after_by_seed: tuple[float, ...]


def compare(before: Sequence[float], after: Sequence[float], test_share: float) -> Comparison:
    """Return the paired comparison of figures by seed, with the corrected resampled t interval.

    The seeds split the same rows again and again, so that their differences hang together and the
    plain t interval is too narrow. The correction of Nadeau and Bengio adds the ratio of held-out
    to training rows to the 1 / n of the variance of the mean.

    Parameters
    ----------
    before, after : sequence of float
        In the order of the seeds, at least one.
    test_share : float
        The held-out part of the rows, 0 to 1, exclusive.

    References
    ----------
    Nadeau, C. and Bengio, Y. (2003). Inference for the generalization error. Machine Learning
    52(3), 239-281.
    """
    first, second = np.asarray(before, dtype=np.float64), np.asarray(after, dtype=np.float64)
    differences = second - first
    mean, low, high = float(differences.mean()), None, None
    if differences.size > 1:
        inflation = 1 / differences.size + test_share / (1 - test_share)
        error = math.sqrt(inflation * float(differences.var(ddof=1)))
        reach = float(stdtrit(differences.size - 1, (1 + CONFIDENCE) / 2)) * error
        low, high = mean - reach, mean + reach
    return Comparison(
        float(first.mean()),
        float(second.mean()),
        mean,
        low,
        high,
        tuple(first.tolist()),
        tuple(second.tolist()),
    )
