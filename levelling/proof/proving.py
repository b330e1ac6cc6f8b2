"""Whether levelling helps: the same simple model, trained before and after, at equal size."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from levelling.errors import InvalidProof
from levelling.proof.labels import Classes, read_classes, refuse_untestable
from levelling.proof.models import require_models
from levelling.proof.proxies import prove_by_proxies
from levelling.proof.result import AlphaResult, ModelResult, Proof, RowCounts
from levelling.proof.split import HOLD_OUT_DISTANCE
from levelling.proof.summary import (
    MAX_PARTS,
    add_up,
    class_results,
    cluster_results,
    compare_models,
    confused_pairs,
    draw_curve,
    whole_confusion,
    worst,
)
from levelling.proof.trials import Material, Trial, Trials
from levelling.proof.values import Leveller, ProofData, ProofOptions, Report
from levelling.proof.verdict import judge

LEAST_ROWS = 10


def prove(
    data: ProofData,
    leveller: Leveller,
    options: ProofOptions | None = None,
    report: Report | None = None,
) -> Proof:
    """Return what levelling does to a simple model, on rows that it was not trained on.

    For each seed: whole groups of near-duplicates are held out, about the same share of every
    class, and of these rows those are dropped that are within `HOLD_OUT_DISTANCE` of any row of
    the rest; the training part alone is levelled, without its labels; the model is trained on that,
    and on as many rows of the same part drawn at random; both answer the same held-out rows,
    which are never resampled. So the two differ in which rows and weights they saw, and in
    nothing else. Figures are paired by seed, with the corrected resampled t interval (see
    `levelling.proof.intervals.compare`).

    The clusters are those of the whole dataset. They were found without labels, but with the
    held-out vectors among the others.

    Parameters
    ----------
    data : ProofData
    leveller : Leveller
        Makes the levelled training set of a part of the rows.
    options : ProofOptions, optional
    report : callable, optional
        Called with how much is done and of how much; what it raises ends the proof.

    Returns
    -------
    Proof
        Equal for equal arguments and versions.

    Raises
    ------
    InvalidProof
        If the rows are too few, or no model can be tested on the labels.
    ProofNotInstalled
        If there are labels, and the extra ``proof`` is not installed.
    """
    options = options or ProofOptions()
    report = report or _say_nothing
    if len(data.vectors) < LEAST_ROWS:
        message = f"{len(data.vectors)} rows are too few for a proof; it takes {LEAST_ROWS}"
        raise InvalidProof(message, field="rows")
    units = _units(data.vectors)
    if data.labels is None:
        return prove_by_proxies(data, units, leveller, options, report)
    require_models()
    classes = read_classes(data.labels)
    material, names, ids = _make_material(data, units, classes, options)
    trials = Trials(material, leveller, options, report)
    found = [trials.run(index) for index in range(options.seeds)]
    return _summarise(found, material, names, ids, classes, options)


def _make_material(
    data: ProofData, units: NDArray[np.float32], classes: Classes, options: ProofOptions
) -> tuple[Material, tuple[str, ...], NDArray[np.int64]]:
    """Return the rows that are used, the names of their classes and the ids of their clusters."""
    rows = np.flatnonzero(classes.codes >= 0)
    if len(rows) < LEAST_ROWS:
        message = f"{len(rows)} rows with a label are too few for a proof; it takes {LEAST_ROWS}"
        raise InvalidProof(message, field="label")
    if len(rows) > options.max_rows:
        generator = np.random.default_rng(options.seed)
        rows = np.sort(generator.choice(rows, options.max_rows, replace=False))
    present, codes = np.unique(classes.codes[rows], return_inverse=True)
    refuse_untestable(codes, data.row_groups[rows])
    clusters = data.clusters[rows].astype(np.int64)
    ids = np.unique(clusters[clusters >= 0])
    places = np.where(clusters >= 0, np.searchsorted(ids, clusters), -1)
    material = Material(rows, units[rows], codes.astype(np.int64), data.row_groups[rows], places)
    return material, tuple(classes.names[code] for code in present), ids


def _summarise(
    trials: Sequence[Trial],
    material: Material,
    names: tuple[str, ...],
    ids: NDArray[np.int64],
    classes: Classes,
    options: ProofOptions,
) -> Proof:
    model = options.models[0]
    models = compare_models(trials, options.models)
    before, after = add_up(trials, model)
    inside = material.clusters[material.clusters >= 0]
    cluster_rows = np.bincount(inside, minlength=len(ids))
    by_class = class_results(before, after, names, np.bincount(material.classes))
    by_cluster = cluster_results(before, after, cluster_rows, ids)
    rows = _count_rows(trials, material, classes)
    curve = draw_curve(trials, model)
    metrics = models[0].metrics
    return Proof(
        judge(metrics["macro_accuracy"], metrics["accuracy"], rows.test, rows.trained_on),
        _notes(trials, rows, names, models[0], curve),
        options,
        rows,
        HOLD_OUT_DISTANCE,
        models,
        by_class[:MAX_PARTS],
        by_cluster[:MAX_PARTS],
        worst(by_class, "before"),
        worst(by_class, "after"),
        worst(by_cluster, "before"),
        worst(by_cluster, "after"),
        confused_pairs(before, after, names),
        whole_confusion(before, after, names),
        curve,
        _find_best(curve).alpha if curve else None,
    )


def _count_rows(trials: Sequence[Trial], material: Material, classes: Classes) -> RowCounts:
    return RowCounts(
        labelled=len(classes.codes) - classes.missing_count,
        missing=classes.missing_count,
        used=len(material.rows),
        training=round(float(np.mean([trial.training_rows for trial in trials]))),
        test=round(float(np.mean([trial.test_rows for trial in trials]))),
        dropped=round(float(np.mean([trial.dropped_rows for trial in trials]))),
        trained_on=round(float(np.mean([trial.size for trial in trials]))),
    )


def _notes(
    trials: Sequence[Trial],
    rows: RowCounts,
    names: Sequence[str],
    model: ModelResult,
    curve: Sequence[AlphaResult],
) -> tuple[str, ...]:
    notes = []
    if rows.missing:
        notes.append(f"{rows.missing:,} rows without a label were left out.")
    if rows.used < rows.labelled:
        notes.append(f"{rows.used:,} of {rows.labelled:,} labelled rows were drawn and used.")
    if rows.dropped:
        notes.append(
            f"{rows.dropped:,} more held-out rows for each seed were dropped: they are within a"
            f" cosine distance of {HOLD_OUT_DISTANCE:g} of a row of the training part."
        )
    tested = np.unique(np.concatenate([trial.tested_classes for trial in trials]))
    if untested := len(names) - len(tested):
        notes.append(
            f"{untested:,} of {len(names):,} classes have too few rows to hold one out,"
            " near-duplicates counted as one: they were trained on and not tested."
        )
    if model.everything is not None:
        notes.append(
            f"Trained on the whole training part as it is, {rows.training:,} rows, the same model"
            f" has a macro accuracy of {model.everything.macro_accuracy:.3f}."
        )
    if curve:
        notes.append(_about_curve(curve))
    return tuple(notes)


def _about_curve(curve: Sequence[AlphaResult]) -> str:
    best = _find_best(curve)
    opening = (
        f"Of the alphas tried, {best.alpha:g} came out best on these labels, with a flatness of"
        f" {best.flatness:.2f} and a macro accuracy of {best.scores.macro_accuracy:.3f}"
    )
    if best.gain.low is None or best.gain.low <= 0:
        return f"{opening}; it is not better than the data before levelling by more than chance."
    return f"{opening}; as the best of {len(curve)} it is a little flattered."


def _find_best(curve: Sequence[AlphaResult]) -> AlphaResult:
    """Return the point of the highest macro accuracy; of equal ones the least changed."""
    return max(curve, key=lambda point: (point.scores.macro_accuracy, point.alpha))


def _units(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    scaled: NDArray[np.float32] = (vectors / np.where(lengths > 0, lengths, 1)).astype(np.float32)
    return scaled


def _say_nothing(done: int, total: int) -> None:
    """Take no notice of progress."""
