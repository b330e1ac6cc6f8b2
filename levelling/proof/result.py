"""What a proof found, as values and as JSON."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, replace
from typing import Any

from levelling.proof.intervals import Comparison
from levelling.proof.scores import Scores
from levelling.proof.values import ProofOptions
from levelling.proof.verdict import Verdict


@dataclass(frozen=True)
class RowCounts:
    """How many rows went into a proof; means over the seeds, rounded, from `training` on.

    Attributes
    ----------
    labelled, missing : int
        Rows of the dataset with and without a label; all and 0 for proxies.
    used : int
        Rows that were used; fewer than are labelled when there are more than `max_rows`.
    training, test : int
        Rows of both parts.
    dropped : int
        Held-out rows that were left out of the test part, as they are within `hold_out_distance`
        of a training row.
    trained_on : int
        Rows that each model was trained on, repeats counted, before and after levelling alike.
    """

    labelled: int
    missing: int
    used: int
    training: int = 0
    test: int = 0
    dropped: int = 0
    trained_on: int = 0


@dataclass(frozen=True)
class ModelResult:
    """What one model came to.

    Attributes
    ----------
    name, title : str
    metrics : dict of str to Comparison
        By the names of the fields of `Scores`.
    everything : Scores or None
        Means over the seeds, trained on the whole training part as it is; of the first model, and
        only where levelling leaves fewer or more rows than that.
    """

    name: str
    title: str
    metrics: dict[str, Comparison]
    everything: Scores | None = None


@dataclass(frozen=True)
class PartResult:
    """One class or cluster, its held-out rows of all seeds together.

    Attributes
    ----------
    name : str or int
        The label of the class, or the id of the cluster.
    rows : int
        Its rows among those used.
    test_rows : int
        Its held-out rows, summed over the seeds.
    before, after : float
        Share of right answers.
    """

    name: str | int
    rows: int
    test_rows: int
    before: float
    after: float


@dataclass(frozen=True)
class ConfusedPair:
    """Rows of one class that are taken for another; counts over all seeds."""

    label: str
    answer: str
    before: int
    after: int


@dataclass(frozen=True)
class Confusion:
    """Held-out rows by true class (rows) and answer (columns), summed over the seeds."""

    labels: tuple[str, ...]
    before: tuple[tuple[int, ...], ...]
    after: tuple[tuple[int, ...], ...]


@dataclass(frozen=True)
class AlphaResult:
    """What cluster sizes proportional to ``n ** alpha`` come to, at equal size.

    Attributes
    ----------
    alpha : float
        0 is flat, 1 unchanged.
    flatness : float
        Of the clusters of the training sets, mean over the seeds.
    effective_sample_share : float
        Kish's effective sample size of the training sets as a share of their rows.
    scores : Scores
        Means over the seeds.
    gain : Comparison
        Macro accuracy against the data before levelling.
    """

    alpha: float
    flatness: float
    effective_sample_share: float
    scores: Scores
    gain: Comparison


@dataclass(frozen=True)
class Proxies:
    """What can be said of a levelling without labels; it stands in for what a model would gain.

    Each is compared with as many rows drawn at random.

    Attributes
    ----------
    kept_rows : int
        Distinct rows of the levelled dataset, or of a tenth drawn from it by weight where
        levelling only weighs.
    coverage : Comparison
        Share of the dataset's rows within `coverage_distance` of a kept row.
    coverage_distance : float
        Cosine distance within which half of all rows have a row of the random draw.
    mean_distance : Comparison
        Mean cosine distance of the dataset's rows to the nearest kept row; less is better.
    novelty : Comparison
        Mean cosine distance of a kept row to the nearest other kept row.
    """

    kept_rows: int
    coverage: Comparison
    coverage_distance: float
    mean_distance: Comparison
    novelty: Comparison


@dataclass(frozen=True)
class Proof:
    """Whether levelling helps, measured.

    Attributes
    ----------
    verdict : Verdict
    notes : tuple of str
        What else the reader must know, in sentences.
    options : ProofOptions
    rows : RowCounts
    hold_out_distance : float or None
        A cosine distance: every held-out row is farther than this from every training row, whatever
        the levelling calls near-duplicates. None without labels, where nothing is held out.
    models : tuple of ModelResult
        Empty without labels, as are the next five.
    classes, clusters : tuple of PartResult
        Of the first model, worst before levelling first, at most 200; `classes` has those that
        were held out, `clusters` those with held-out rows.
    worst_class_before, worst_class_after, worst_cluster_before, worst_cluster_after : PartResult
        The worst with at least 5 held-out rows; None where there is none.
    confused : tuple of ConfusedPair
        The 20 most frequent mistakes, before and after together.
    confusion : Confusion or None
        Of the first model; None with more than 200 classes.
    curve : tuple of AlphaResult
        By rising alpha.
    best_alpha : float or None
        The point of the curve with the highest macro accuracy.
    proxies : Proxies or None
        Without labels.
    """

    verdict: Verdict
    notes: tuple[str, ...]
    options: ProofOptions
    rows: RowCounts
    hold_out_distance: float | None = None
    models: tuple[ModelResult, ...] = ()
    classes: tuple[PartResult, ...] = field(default=(), repr=False)
    clusters: tuple[PartResult, ...] = field(default=(), repr=False)
    worst_class_before: PartResult | None = None
    worst_class_after: PartResult | None = None
    worst_cluster_before: PartResult | None = None
    worst_cluster_after: PartResult | None = None
    confused: tuple[ConfusedPair, ...] = field(default=(), repr=False)
    confusion: Confusion | None = field(default=None, repr=False)
    curve: tuple[AlphaResult, ...] = ()
    best_alpha: float | None = None
    proxies: Proxies | None = None

    def to_json(self) -> dict[str, Any]:
        """Return the same as dicts, lists, strings, finite numbers and None."""
        whole: dict[str, Any] = asdict(replace(self, confusion=None))
        if self.confusion is not None:
            whole["confusion"] = {
                "labels": list(self.confusion.labels),
                "before": [list(row) for row in self.confusion.before],
                "after": [list(row) for row in self.confusion.after],
            }
        return {name: _as_lists(value) for name, value in whole.items()}


def _as_lists(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _as_lists(part) for name, part in value.items()}
    if isinstance(value, (tuple, list)):
        return [_as_lists(part) for part in value]
    return value
