import json

import numpy as np
import pytest

from levelling.errors import InvalidProof
from levelling.proof import (
    HOLD_OUT_DISTANCE,
    MODELS,
    ProofData,
    ProofOptions,
    TrainingSet,
    VerdictKind,
    prove,
    tempered_weights,
    weight_leveller,
)
from tests.unit.levelling.proof.made_data import (
    flat_weights,
    long_tail,
    make_classes,
    make_data,
    named,
)

QUICK = ProofOptions(seeds=3, alphas=())


def even_leveller(clusters, share):
    """Picks the same number of rows of each cluster, as far as there are any."""

    def level(rows, alpha, size, seed):
        generator = np.random.default_rng(seed)
        wanted = size or round(share * len(rows))
        shuffled = generator.permutation(rows)
        _, index = np.unique(clusters[shuffled], return_inverse=True)
        order = np.argsort(index, kind="stable")
        places = np.empty(len(rows), dtype=np.int64)
        starts = np.searchsorted(index[order], index[order])
        places[order] = np.arange(len(rows)) - starts
        return TrainingSet(np.sort(shuffled[np.argsort(places, kind="stable")[:wanted]]))

    return level


def test_levelling_a_long_tail_helps_and_the_verdict_says_so():
    data = make_data(long_tail(largest=600), spread=0.3)
    options = ProofOptions(seeds=6, alphas=())
    found = prove(data, even_leveller(data.clusters, 0.25), options)
    assert found.verdict.kind is VerdictKind.HELPS
    assert "Levelling helps" in found.verdict.text
    macro = found.models[0].metrics["macro_accuracy"]
    assert macro.low is not None and 0 < macro.low <= macro.difference
    assert found.models[0].everything is not None
    assert found.rows.trained_on == round(0.25 * found.rows.training)


def test_levelling_what_is_level_makes_no_difference():
    data = make_data([60] * 8, spread=0.3)
    found = prove(data, weight_leveller(data.clusters, flat_weights(data.clusters)), QUICK)
    assert found.verdict.kind is VerdictKind.NO_DIFFERENCE
    assert "does not help" in found.verdict.text
    assert found.models[0].metrics["macro_accuracy"].difference == pytest.approx(0, abs=0.005)


def test_levelling_that_drops_the_small_classes_hurts():
    data = make_data([100] * 6 + [20] * 6, spread=0.3)
    clusters = data.clusters

    def level(rows, alpha, size, seed):
        return TrainingSet(rows[clusters[rows] < 6])

    found = prove(data, level, QUICK)
    assert found.verdict.kind is VerdictKind.HURTS
    assert "hurts" in found.verdict.text
    assert found.worst_class_after.after == 0


def test_the_curve_has_the_unchanged_data_at_one():
    data = make_data(long_tail(12, 120), spread=0.5)
    leveller = weight_leveller(data.clusters, flat_weights(data.clusters))
    found = prove(data, leveller, ProofOptions(seeds=2, alphas=(1.0, 0.0, 0.5)))
    assert [point.alpha for point in found.curve] == [0.0, 0.5, 1.0]
    flat, _, unchanged = found.curve
    before = found.models[0].metrics["macro_accuracy"]
    assert unchanged.gain.difference == 0
    assert unchanged.scores.macro_accuracy == before.before
    assert unchanged.effective_sample_share == pytest.approx(1)
    # Flat is what was asked for here too, by the sizes of all rows instead of the part's.
    assert flat.scores.macro_accuracy == pytest.approx(before.after, abs=0.05)
    assert flat.flatness == pytest.approx(1)
    assert flat.effective_sample_share < unchanged.effective_sample_share
    assert found.best_alpha in (0.0, 0.5, 1.0)


def test_equal_arguments_give_equal_json():
    data = make_data(long_tail(8, 80))
    leveller = even_leveller(data.clusters, 0.5)
    options = ProofOptions(seeds=2, models=("nearest_mean", "ridge"), alphas=(0.5,))
    first, again = (prove(data, leveller, options).to_json() for _ in range(2))
    assert first == again
    assert json.loads(json.dumps(first, allow_nan=False)) == first
    assert [model["name"] for model in first["models"]] == ["nearest_mean", "ridge"]
    other = prove(data, leveller, ProofOptions(seeds=2, seed=9, models=("ridge",), alphas=()))
    assert other.to_json()["models"][0] != first["models"][1]


def test_no_near_duplicate_of_a_held_out_row_is_trained_on():
    vectors, classes = make_classes([60, 60])
    groups = np.arange(120) // 3
    parts = []

    def level(rows, alpha, size, seed):
        parts.append(set(groups[rows].tolist()))
        return TrainingSet(rows)

    data = ProofData(vectors, classes.astype(np.int32), groups.astype(np.int32), named(classes))
    found = prove(data, level, QUICK)
    assert len(parts) == 3
    # Whole groups only: what is in a part's groups is in the part.
    assert all(3 * len(part) < 120 for part in parts)
    assert found.rows.training + found.rows.test == 120


def test_near_duplicates_that_no_graph_lists_are_dropped_and_said():
    # Two template's variants: 15 neighbours of each row are of its own half, so that a graph of
    # them joins nothing across, and the groups say that there are two.
    generator = np.random.default_rng(0)
    first = unit(generator.normal(size=64))
    second = around(first, 0.03, 1, generator)[0]
    halves = [around(centre, 0.003, 40, generator) for centre in (first, second)]
    others = unit(generator.normal(size=(160, 64)))
    vectors = np.vstack([*halves, others]).astype(np.float32)
    cross = 1 - vectors[:40] @ vectors[40:80].T
    assert 0.02 < cross.min() and cross.max() < HOLD_OUT_DISTANCE
    groups = np.concatenate([np.repeat([0, 40], 40), np.arange(80, 240)]).astype(np.int32)
    clusters = (np.arange(240) % 2).astype(np.int32)
    parts = []

    def level(rows, alpha, size, seed):
        parts.append(rows)
        return TrainingSet(rows)

    data = ProofData(vectors, clusters, groups, named(clusters))
    options = ProofOptions(seeds=6, alphas=(), test_share=0.5, models=("nearest_mean",))
    found = prove(data, level, options)
    straddled = [rows for rows in parts if (rows < 40).any() != np.isin(range(40, 80), rows).any()]
    assert straddled, "no seed had one half on each side"
    mean = np.mean([40 if any(rows is one for one in straddled) else 0 for rows in parts])
    assert found.rows.dropped == round(mean)
    assert found.rows.test + found.rows.training + found.rows.dropped == pytest.approx(240, abs=1)
    assert found.hold_out_distance == HOLD_OUT_DISTANCE
    assert any("held-out rows for each seed were dropped" in note for note in found.notes)


def test_rows_that_are_all_near_duplicates_leave_nothing_to_test():
    generator = np.random.default_rng(0)
    vectors = around(unit(generator.normal(size=32)), 0.001, 60, generator).astype(np.float32)
    classes = np.arange(60) % 2
    data = ProofData(vectors, classes.astype(np.int32), None, named(classes))
    with pytest.raises(InvalidProof, match="within a cosine distance"):
        prove(data, weight_leveller(data.clusters, np.ones(60)), QUICK)


def unit(vectors):
    return vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)


def around(centre, distance, count, generator):
    """Rows that are exactly so far from a row of length 1, in random directions."""
    aside = generator.normal(size=(count, len(centre)))
    aside = unit(aside - np.outer(aside @ centre, centre))
    angle = np.arccos(1 - distance)
    return np.cos(angle) * centre + np.sin(angle) * aside


def test_rows_without_a_label_are_left_out_and_said():
    vectors, classes = make_classes([60, 60, 60])
    labels = [None if row % 9 == 0 else " " if row % 9 == 1 else name
              for row, name in enumerate(named(classes))]  # fmt: skip
    data = ProofData(vectors, classes.astype(np.int32), None, labels)
    seen = []

    def level(rows, alpha, size, seed):
        seen.append(rows)
        return TrainingSet(rows)

    found = prove(data, level, QUICK)
    assert found.rows.missing == 40
    assert any("40 rows without a label" in note for note in found.notes)
    assert not any(labels[row] in (None, " ") for rows in seen for row in rows)


def test_many_rows_are_drawn_from():
    data = make_data([200, 200, 200])
    leveller = weight_leveller(data.clusters, flat_weights(data.clusters))
    found = prove(data, leveller, ProofOptions(seeds=2, alphas=(), max_rows=150))
    assert found.rows.used == 150
    assert any("150 of 600" in note for note in found.notes)


@pytest.mark.parametrize(
    ("labels", "says"),
    [
        (["a"] * 40, "same label"),
        ([None] * 40, "empty"),
        (["", " "] * 20, "empty"),
        ([f"row {row}" for row in range(40)], "one row only"),
        (["a", "b"] + [None] * 38, "too few"),
    ],
)
def test_labels_that_nothing_can_be_learnt_from_are_refused(labels, says):
    vectors, classes = make_classes([20, 20])
    data = ProofData(vectors, classes.astype(np.int32), None, labels)
    leveller = weight_leveller(data.clusters, np.ones(40))
    with pytest.raises(InvalidProof, match=says):
        prove(data, leveller, QUICK)


def test_tiny_data_are_too_small_to_say():
    data = make_data([12, 10])
    leveller = weight_leveller(data.clusters, flat_weights(data.clusters))
    found = prove(data, leveller, QUICK)
    assert found.verdict.kind is VerdictKind.TOO_SMALL
    assert "too small to say" in found.verdict.text
    with pytest.raises(InvalidProof, match="too few"):
        prove(make_data([3, 3]), leveller, QUICK)


def test_one_seed_gives_no_interval_and_no_verdict():
    data = make_data([100, 100])
    leveller = weight_leveller(data.clusters, flat_weights(data.clusters))
    found = prove(data, leveller, ProofOptions(seeds=1, alphas=()))
    assert found.verdict.kind is VerdictKind.TOO_SMALL
    assert found.models[0].metrics["accuracy"].low is None


def test_a_class_of_one_row_is_trained_on_and_not_tested():
    vectors, classes = make_classes([50, 50, 1])
    data = ProofData(vectors, classes.astype(np.int32), None, named(classes))
    found = prove(data, weight_leveller(data.clusters, np.ones(101)), QUICK)
    assert [part.name for part in found.classes if part.name == "class 02"] == []
    assert any("1 of 3 classes" in note for note in found.notes)


def test_near_duplicates_that_reach_across_all_classes_leave_nothing_to_test():
    vectors, classes = make_classes([20, 20])
    data = ProofData(
        vectors, classes.astype(np.int32), np.zeros(40, dtype=np.int32), named(classes)
    )
    with pytest.raises(InvalidProof):
        prove(data, weight_leveller(data.clusters, np.ones(40)), QUICK)


def test_without_labels_coverage_and_novelty_stand_in():
    # Forty texts, ten near-copies of each, of which one is kept.
    vectors, classes = make_classes([10] * 40, spread=0.02)
    data = ProofData(vectors, classes.astype(np.int32))
    found = prove(data, even_leveller(data.clusters, 0.1), QUICK)
    assert found.verdict.kind is VerdictKind.PROXIES
    assert "no labels" in found.verdict.text
    assert found.models == () and found.proxies is not None
    assert found.hold_out_distance is None
    assert found.proxies.mean_distance.after < found.proxies.mean_distance.before
    assert found.proxies.novelty.after > found.proxies.novelty.before
    assert found.proxies.coverage.after > found.proxies.coverage.before
    assert found.proxies.coverage.before == pytest.approx(0.5, abs=0.1)
    json.dumps(found.to_json(), allow_nan=False)
    weighed = prove(data, weight_leveller(data.clusters, flat_weights(data.clusters)), QUICK)
    assert weighed.proxies is not None and weighed.proxies.kept_rows <= len(vectors) / 10


def test_progress_rises_to_all_and_can_break_off():
    data = make_data([40, 40])
    leveller = weight_leveller(data.clusters, flat_weights(data.clusters))
    steps = []
    prove(data, leveller, QUICK, lambda done, total: steps.append((done, total)))
    assert steps == sorted(steps)
    assert steps[-1][0] == steps[-1][1] == 3 * (2 + 1)

    class Stopped(Exception):
        pass

    def stop(done, total):
        raise Stopped

    with pytest.raises(Stopped):
        prove(data, leveller, QUICK, stop)


@pytest.mark.parametrize(
    "asked",
    [
        {"seeds": 0},
        {"seed": -1},
        {"models": ("oracle",)},
        {"models": ()},
        {"test_share": 0.0},
        {"test_share": 0.6},
        {"alphas": (2.0,)},
        {"max_rows": 10},
    ],
)
def test_options_out_of_range_are_refused(asked):
    with pytest.raises(InvalidProof) as raised:
        ProofOptions(**asked)
    assert raised.value.metadata["field"] in asked


def test_parts_of_different_lengths_are_refused():
    with pytest.raises(InvalidProof):
        ProofData(np.zeros((3, 2), dtype=np.float32), np.zeros(2, dtype=np.int32))


def test_tempered_weights_make_sizes_a_power_of_rows():
    clusters = np.repeat(np.array([0, 1, 2, -1], dtype=np.int32), [100, 10, 1, 5])
    for alpha in (0.0, 0.5, 1.0):
        weights = tempered_weights(clusters, alpha)
        sizes = np.bincount(clusters[clusters >= 0], weights=weights[clusters >= 0])
        expected = np.array([100.0, 10.0, 1.0]) ** alpha
        np.testing.assert_allclose(sizes / sizes.sum(), expected / expected.sum())
        assert sizes.sum() == pytest.approx(111)
        assert (weights[clusters < 0] == 1).all()


def test_every_model_can_be_asked_for():
    data = make_data([40, 30, 20])
    leveller = weight_leveller(data.clusters, flat_weights(data.clusters))
    found = prove(data, leveller, ProofOptions(seeds=2, models=tuple(MODELS), alphas=()))
    assert [model.name for model in found.models] == list(MODELS)
    assert all(model.metrics["accuracy"].before > 0.6 for model in found.models)
