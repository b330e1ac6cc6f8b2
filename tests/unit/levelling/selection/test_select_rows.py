"""What holds for every selection, whatever the strategy; and coverage."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from level_rpc.errors import FieldInvalid
from levelling.plans.picks import PickTask
from levelling.request import SamplingStrategy
from levelling.selection import coverage as coverage_module
from levelling.selection import select_rows
from levelling.selection.coverage import coverage_distance, find_coverage
from tests.support.pick_tasks import graph_of, long_tail, pick_tasks, task_of

EVERY = list(SamplingStrategy)


def rows_of(vectors, task, graph=None):
    return select_rows(vectors, graph or graph_of(vectors), task).rows


def usable(task: PickTask):
    return task.candidates & (task.labels >= 0)


@settings(max_examples=80, deadline=None)
@given(pick_tasks())
def test_the_rows_are_those_that_were_asked_for(drawn):
    vectors, task = drawn
    answer = select_rows(vectors, graph_of(vectors), task)
    assert answer.rows.dtype == np.int64 and answer.rows.size == task.budget
    assert (np.diff(answer.rows) > 0).all() and usable(task)[answer.rows].all()
    if task.counts is not None:
        picked = np.bincount(task.labels[answer.rows], minlength=task.slot_count)
        assert np.array_equal(picked, task.counts)
    assert answer.coverage.shape == (task.slot_count,) and answer.coverage.dtype == np.float64
    assert ((answer.coverage >= 0) & (answer.coverage <= 1)).all()
    assert np.array_equal(rows_of(vectors, task), answer.rows)


@settings(max_examples=60, deadline=None)
@given(pick_tasks())
def test_every_group_has_a_row_before_a_copy_is_picked(drawn):
    """In each slot, or in all of them where there are no counts."""
    vectors, task = drawn
    picked = np.zeros(task.labels.size, bool)
    picked[rows_of(vectors, task)] = True
    missed, copies = usable(task) & task.keepers & ~picked, picked & ~task.keepers
    if task.counts is None:
        assert not (missed.any() and copies.any())
    else:
        assert not np.intersect1d(task.labels[missed], task.labels[copies]).size


@settings(max_examples=40, deadline=None)
@given(pick_tasks(), st.randoms(use_true_random=False))
def test_coverage_is_what_a_look_at_all_pairs_finds_and_more_rows_never_lower_it(drawn, chance):
    vectors, task = drawn
    graph = graph_of(vectors, 2)
    distance = chance.choice([0.0, 0.1, 0.5, 1.0, 1.7])
    playing = np.flatnonzero(task.labels >= 0).tolist()
    rows = np.array(sorted(chance.sample(playing, chance.randint(0, len(playing)))), np.int64)
    found = find_coverage(vectors, graph, task, rows, distance)
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    units = vectors / np.where(lengths > 0, lengths, 1)
    near = 1 - units @ units[rows].T <= distance + 1e-6
    near = near.any(axis=1) | (vectors[:, None] == vectors[rows]).all(axis=2).any(axis=1)
    for slot in range(task.slot_count):
        own = task.labels == slot
        # Zero vectors and equal vectors are at the graph's distance, all others at the vectors'.
        assert found[slot] == pytest.approx(
            near[own & (task.labels >= 0)].mean() if own.any() else 1
        )
    further = np.union1d(rows, chance.sample(playing, len(playing) // 2))
    more = find_coverage(vectors, graph, task, further.astype(np.int64), distance)
    assert (more >= found).all()


@pytest.mark.parametrize("exact_rows", [0, 20_000])
def test_all_rows_cover_all_and_none_covers_nothing(exact_rows, monkeypatch):
    monkeypatch.setattr(coverage_module, "EXACT_ROWS", exact_rows)
    vectors, topics = long_tail(5, 40)
    task = task_of(topics, 0, slot_count=7)
    graph = graph_of(vectors)
    distance = coverage_distance(graph[2])
    everything = find_coverage(vectors, graph, task, np.arange(len(vectors)), distance)
    assert everything.tolist() == [1.0] * 7
    nothing = find_coverage(vectors, graph, task, np.zeros(0, np.int64), distance)
    assert nothing.tolist() == [0.0] * 5 + [1.0] * 2


def test_coverage_by_slots_is_a_lower_bound_and_close(monkeypatch):
    vectors, topics = long_tail(12, 80)
    task, graph = task_of(topics, 150), graph_of(vectors, 3)
    exact = select_rows(vectors, graph, task)
    monkeypatch.setattr(coverage_module, "EXACT_ROWS", 0)
    by_slots = select_rows(vectors, graph, task)
    assert np.array_equal(by_slots.rows, exact.rows)
    assert (by_slots.coverage <= exact.coverage).all()
    assert by_slots.coverage == pytest.approx(exact.coverage, abs=0.02)


def test_the_coverage_distance_is_that_of_the_fifth_neighbour():
    distances = np.tile(np.array([0.3, 0.1, 0.2, 0.5, 0.4, 0.6], np.float32), (9, 1))
    assert coverage_distance(distances) == pytest.approx(0.5)
    assert coverage_distance(distances[:, :2]) == pytest.approx(0.3)
    assert coverage_distance(distances[:, :0]) == coverage_distance(distances[:0]) == 0


@pytest.mark.parametrize("strategy", EVERY)
@pytest.mark.parametrize("vectors", [np.ones((6, 4)), np.zeros((6, 4)), np.eye(6)[:, :1]])
@pytest.mark.parametrize("budget", [0, 1, 5, 6])
def test_rows_that_nothing_tells_apart(strategy, vectors, budget):
    vectors = vectors.astype(np.float32)
    answer = select_rows(vectors, graph_of(vectors), task_of([0] * 6, budget, strategy=strategy))
    assert answer.rows.size == budget
    if strategy is not SamplingStrategy.RANDOM and not np.ptp(vectors, axis=0).any():
        assert answer.rows.tolist() == list(range(budget))


@pytest.mark.parametrize("strategy", EVERY)
def test_one_row(strategy):
    vectors = np.array([[3.0, 4.0]], np.float32)
    graph = (np.zeros(1, np.int32), np.zeros((1, 0), np.int32), np.zeros((1, 0), np.float32))
    answer = select_rows(vectors, graph, task_of([0], 1, strategy=strategy))
    assert (answer.rows.tolist(), answer.coverage.tolist()) == ([0], [1.0])


@pytest.mark.parametrize("strategy", EVERY)
def test_very_long_and_very_short_vectors_have_directions_too(strategy):
    vectors, topics = long_tail(4, 20)
    scales = np.resize(np.array([1e-30, 1.0, 1e30], np.float32), len(vectors))[:, None]
    task = task_of(topics, 12, strategy=strategy)
    graph = graph_of(vectors)
    plain, other = (select_rows(one, graph, task) for one in (vectors, vectors * scales))
    assert np.array_equal(plain.rows, other.rows)
    assert plain.coverage == pytest.approx(other.coverage)


def test_central_rows_are_those_nearest_to_the_mean_direction():
    degrees = np.array([0, 10, 20, 30, 40, 100, 130, 160])
    vectors = np.stack([np.cos(np.radians(degrees)), np.sin(np.radians(degrees))], axis=1)
    vectors = vectors.astype(np.float32) * np.array([[5], [1], [1], [1], [5], [1], [1], [1]], "f4")
    labels = [0] * 5 + [1] * 3
    central = partial_task(labels, strategy=SamplingStrategy.CENTRAL)
    assert rows_of(vectors, central(4, counts=[3, 1])).tolist() == [1, 2, 3, 6]
    # Without counts slots take turns.
    assert rows_of(vectors, central(2)).tolist() == [2, 6]


def partial_task(labels, **fixed):
    return lambda budget, **more: task_of(labels, budget, **fixed, **more)


def test_a_random_pick_depends_on_its_seed_and_each_row_is_as_likely():
    vectors = np.random.default_rng(0).standard_normal((30, 3)).astype(np.float32)
    graph = graph_of(vectors)
    task = task_of([0] * 10 + [1] * 20, 9, counts=[5, 4], strategy=SamplingStrategy.RANDOM)
    hits = np.zeros(30)
    for seed in range(300):
        hits[rows_of(vectors, replace(task, seed=seed), graph)] += 1
    assert np.abs(hits[:10] / 300 - 0.5).max() < 0.1 and np.abs(hits[10:] / 300 - 0.2).max() < 0.08


def test_a_random_pick_of_one_slot_does_not_depend_on_the_others():
    vectors = np.random.default_rng(0).standard_normal((30, 3)).astype(np.float32)
    few = task_of([0] * 10 + [1] * 20, 6, counts=[5, 1], strategy=SamplingStrategy.RANDOM)
    many = replace(few, counts=np.array([5, 12]), budget=17)
    first, second = rows_of(vectors, few), rows_of(vectors, many)
    assert first[first < 10].tolist() == second[second < 10].tolist()
    assert set(first) <= set(second)


@pytest.mark.parametrize("strategy", EVERY)
def test_progress_rises_to_one(strategy):
    vectors, topics = long_tail(8, 60)
    said: list[float] = []
    task = task_of(topics, 40, strategy=strategy)
    select_rows(vectors, graph_of(vectors), task, said.append)
    assert said == sorted(said) and said[0] >= 0 and said[-1] == 1


def test_a_memory_map_is_read_as_an_array_is(tmp_path):
    vectors, topics = long_tail(8, 60)
    np.save(tmp_path / "vectors.npy", vectors)
    mapped = np.load(tmp_path / "vectors.npy", mmap_mode="r")
    task = task_of(topics, 40)
    assert np.array_equal(rows_of(vectors, task), rows_of(mapped, task, graph_of(vectors)))


def test_arrays_of_other_rows_are_refused():
    vectors, topics = long_tail(8, 60)
    with pytest.raises(FieldInvalid, match="same rows"):
        select_rows(vectors[1:], graph_of(vectors), task_of(topics, 4))
