import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from threadpoolctl import threadpool_limits

from benchmarks.labelled import LabelledSet
from benchmarks.outcome import BALANCED, LEVEL, METHODS, RANDOM, run_seed
from benchmarks.outcome_frontier import FRONTIER
from benchmarks.outcome_protocol import (
    TEST_ROWS,
    draw_task,
    largest_class,
    pick_balanced,
    prepare_set,
    recovered_share,
    share_evenly,
)
from benchmarks.outcome_rivals import RIVALS, cover_greedily


@pytest.fixture(autouse=True)
def one_thread():
    with threadpool_limits(1):
        yield


@pytest.fixture(scope="module")
def chosen():
    """Twelve classes of a hundred rows, overlapping a little."""
    generator = np.random.default_rng(0)
    centres = generator.normal(size=(12, 32))
    classes = np.repeat(np.arange(12), 100).astype(np.int32)
    vectors = centres[classes] + generator.normal(size=(1200, 32)) * 1.1
    names = tuple(f"class {code}" for code in range(12))
    return LabelledSet("made", vectors.astype(np.float32), classes, (), names)


def test_a_pool_falls_as_the_protocol_says_and_the_test_part_is_balanced(chosen):
    task = draw_task(chosen, seed=3)
    sizes = np.sort(np.bincount(task.classes))[::-1]
    np.testing.assert_array_equal(sizes, [max(3, round(80 / (1 + 0.15 * r))) for r in range(12)])
    assert np.bincount(task.test_classes).tolist() == [TEST_ROWS] * 12
    assert task.pool.budget == int(0.3 * sizes.sum())
    assert sorted(np.bincount(task.classes)[task.rare]) == sorted(sizes)[:4]
    rows = {vector.tobytes() for vector in task.pool.vectors}
    assert not rows & {vector.tobytes() for vector in task.test_vectors}
    again = draw_task(chosen, seed=3)
    np.testing.assert_array_equal(task.pool.vectors, again.pool.vectors)
    assert len(draw_task(chosen, 3, largest_class(12, 200)).classes) <= 200


def test_what_takes_no_part_is_said(chosen):
    rows = np.concatenate([np.arange(1100), np.arange(1100, 1130)])
    kept, sentences = prepare_set(chosen.take(rows), ["class 3"])
    assert kept.class_count == 10
    assert "class 3" not in kept.class_names and "class 11" not in kept.class_names
    assert len(sentences) == 2
    with pytest.raises(SystemExit):
        prepare_set(chosen, [f"class {code}" for code in range(10)])


@given(st.lists(st.integers(0, 30), min_size=1, max_size=12), st.data())
@settings(max_examples=200, deadline=None)
def test_an_even_share_is_as_even_as_sizes_allow(sizes, data):
    sizes = np.array(sizes)
    budget = data.draw(st.integers(0, int(sizes.sum())))
    counts = share_evenly(sizes, budget, np.random.default_rng(0))
    assert counts.sum() == budget
    assert ((counts >= 0) & (counts <= sizes)).all()
    most = counts.max(initial=0)
    assert all(
        count >= most - 1 or count == size for count, size in zip(counts, sizes, strict=True)
    )


@pytest.mark.parametrize("name", [*RIVALS, *list(FRONTIER)[::5]])
def test_a_rival_picks_as_many_different_rows_as_the_budget(chosen, name):
    pool = draw_task(chosen, 1).pool
    picked = ({**RIVALS, **FRONTIER})[name](pool)
    assert len(picked) == pool.budget == len(np.unique(picked))
    assert 0 <= picked.min() and picked.max() < len(pool.vectors)


def test_the_lazy_greedy_pick_is_the_greedy_one():
    similarities = np.random.default_rng(0).random((60, 60)).astype(np.float32)
    similarities = (similarities + similarities.T) / 2
    np.fill_diagonal(similarities, 1)
    covered = np.zeros(60, dtype=np.float32)
    greedy = []
    for _ in range(20):
        gains = np.maximum(similarities - covered, 0).sum(axis=1)
        gains[greedy] = -1
        greedy.append(int(gains.argmax()))
        covered = np.maximum(covered, similarities[greedy[-1]])
    assert cover_greedily(similarities, 20).tolist() == greedy


def test_a_pick_that_breaks_the_rules_is_refused(chosen):
    task = draw_task(chosen, 0)
    with pytest.raises(ValueError, match="different"):
        task.judge(np.zeros(task.pool.budget, dtype=np.int64))
    with pytest.raises(ValueError, match="different"):
        task.judge(np.arange(task.pool.budget - 1))


def test_the_balanced_pick_knows_the_labels_and_gains(chosen):
    task = draw_task(chosen, 0)
    generator = np.random.default_rng(0)
    counts = np.bincount(task.classes[pick_balanced(task.classes, task.pool.budget, generator)])
    assert counts.max() - counts.min() <= 1 or counts.min() == np.bincount(task.classes).min()


def test_recovered_share_and_its_interval():
    random, balanced = np.full(20, 0.5), np.full(20, 0.7)
    assert recovered_share(random, random, balanced).share == 0
    assert recovered_share(balanced, random, balanced).share == pytest.approx(1)
    noisy = 0.6 + np.random.default_rng(0).normal(size=20) * 0.02
    found = recovered_share(noisy, random, balanced)
    assert found.low < found.share < found.high
    assert found.share == pytest.approx(0.5, abs=0.05)


def test_a_small_run_tells_every_method(chosen):
    prepared, _ = prepare_set(chosen, [])
    quick = [LEVEL, "facility location", "k-centre greedy"]
    found = run_seed(prepared, quick, 400, 10.0, 0)
    assert set(found) == {RANDOM, BALANCED, *quick}
    assert all(0 < outcome.accuracy <= 1 for outcome in found.values())
    assert found[BALANCED].rare_accuracy > found[RANDOM].rare_accuracy
    assert set(quick) <= set(METHODS)
