"""What is asked is kept, or what cannot be kept is said: totals, limits, targets, whole rows."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.solver_problems import broken_promises, random_problem
from levelling.errors import InvalidTarget
from levelling.measures import flatness
from levelling.request import LevelRequest, Mode
from levelling.solver import Problem, level_curve, make_problem, share_out, solve
from levelling.targets import Target, TargetKind

ROWS = np.array([300, 100, 50, 20, 5])
IDS = np.arange(5)


def flat(value):
    return Target(TargetKind.FLATNESS, value)


@settings(max_examples=120, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_every_limit_total_and_flatness_is_kept(seed):
    problem = random_problem(np.random.default_rng(seed), most_clusters=12)
    solution = solve(problem)
    assert broken_promises(problem, solution) == []


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_what_is_said_to_be_out_of_reach_is(seed):
    problem = random_problem(np.random.default_rng(seed), most_clusters=8)
    solution = solve(problem)
    if (
        problem.target.kind is not TargetKind.FLATNESS
        or solution.is_met
        or problem.row_costs is not None
    ):
        return
    # The flattest there is at this total, and no flatter.
    closest = solve(Problem(**{**vars(problem), "target": Target(TargetKind.FLATNESS, 0.0)}))
    assert solution.flatness >= min(closest.flatness, problem.target.value) - 1e-9


def test_equal_input_gives_equal_sizes():
    problem = random_problem(np.random.default_rng(11))
    assert (solve(problem).sizes == solve(problem).sizes).all()


@pytest.mark.parametrize("budget", [1.0, 7.0, 100.0, 474.0])
@pytest.mark.parametrize("target", [Target(), flat(0.7), Target(TargetKind.UNIFORM)])
def test_a_budget_is_met_to_the_row(budget, target):
    solution = solve(Problem(IDS, ROWS, target, budget, whole_numbers=True))
    assert solution.counts.sum() == budget
    assert (solution.counts <= ROWS).all()


def test_without_a_target_a_budget_is_spread_as_evenly_as_rows_allow():
    solution = solve(Problem(IDS, ROWS, total=100.0, whole_numbers=True))
    assert solution.counts.tolist() == [25, 25, 25, 20, 5]
    assert solution.effective_sample_size == 100


def test_whole_counts_are_within_a_row_of_the_best_sizes():
    shares = Target(TargetKind.TEMPERED, 0.5)
    best = solve(Problem(IDS, ROWS * 1_000, shares, total=1_001.0)).sizes
    counts = solve(Problem(IDS, ROWS * 1_000, shares, total=1_001.0, whole_numbers=True)).counts
    assert (np.abs(counts - best) < 1).all()


def test_the_flattest_whole_counts_are_met_and_said_to_be_the_flattest():
    solution = solve(Problem(np.arange(10), np.full(10, 9), flat(1.0), 55.0, whole_numbers=True))
    assert sorted(solution.counts.tolist()) == [5] * 5 + [6] * 5
    assert solution.is_met and solution.binding == ("Whole rows cannot be any flatter than this.",)


@pytest.mark.parametrize("budget", [100.0, 5_000.0, 12_345.0])
def test_tokens_are_not_overspent_and_nearly_spent(budget):
    costs = np.array([10.0, 25, 40, 5, 80])
    solution = solve(Problem(IDS, ROWS, Target(), budget, row_costs=costs, whole_numbers=True))
    assert solution.cost <= budget
    assert solution.cost > budget - 3 * costs.max() or (solution.counts == ROWS).all()


def test_long_rows_and_short_ones_are_treated_alike():
    costs = np.array([1.0, 100])
    rows = np.array([500, 500])
    solution = solve(Problem(np.arange(2), rows, flat(0.0), 5_050.0, row_costs=costs))
    assert solution.sizes == pytest.approx([50, 50])


def test_a_pin_holds_and_the_others_share_the_rest():
    pinned = np.array([0.0, 200, 0, 0, 0])
    upper = np.array([np.inf, 200, np.inf, np.inf, np.inf])
    solution = solve(Problem(IDS, ROWS, flat(0.5), lower=pinned, upper=upper))
    assert solution.sizes[1] == 200 and solution.total == pytest.approx(575)
    assert solution.binding == ("Cluster 1 is pinned.",)


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"target": flat(0.9), "max_repeat": 2.0}, ("0.9", "raise max_repeat")),
        ({"total": 600.0, "whole_numbers": True}, ("600", "475", "max_repeat")),
        ({"total": 10.0, "lower": np.full(5, 4.0)}, ("10", "20", "pins and floors")),
        ({"lower": np.full(5, 30.0), "max_repeat": 2.0}, ("max_repeat", "6 times")),
        ({"target": Target(TargetKind.UNIFORM), "max_repeat": 1.5}, ("share", "max_repeat")),
        (
            {"target": flat(0.9), "lower": ROWS * 1.0, "upper": np.append(ROWS[:4] * 1.0, np.inf)},
            ("0.9", "pins"),
        ),
    ],
)
def test_what_cannot_be_met_is_said_with_what_would_help(fields, words):
    solution = solve(Problem(IDS, ROWS, **fields))
    assert not solution.is_met
    assert all(word in solution.unmet[0] for word in words), solution.unmet
    assert np.isfinite(solution.sizes).all()


def test_the_flattest_is_given_when_the_flatness_is_out_of_reach():
    solution = solve(Problem(IDS, ROWS, flat(0.9), max_repeat=3.0))
    level = solution.sizes[:3]
    assert np.ptp(level) < 1e-9 and solution.sizes[3:] == pytest.approx([60, 15])


def test_empty_clusters_stay_empty():
    rows = np.array([30, 0, 10])
    for whole in (False, True):
        solution = solve(
            Problem(np.arange(3), rows, Target(TargetKind.UNIFORM), whole_numbers=whole)
        )
        assert solution.sizes[1] == solution.weights[1] == 0


@pytest.mark.parametrize("rows", [[], [0, 0]])
def test_without_rows_there_is_nothing_to_level(rows):
    counts = np.array(rows, np.int64)
    problem = Problem(np.arange(counts.size), counts)
    solution = solve(problem)
    assert solution.total == 0 and solution.effective_sample_size == 0
    assert solution.is_met == (counts.size == 0)
    assert level_curve(problem).flatness.size == 0


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"row_counts": np.array([1, 2])}, "row_counts"),
        ({"row_counts": np.array([1, 2, 3, 4, -1])}, "row_counts"),
        ({"cluster_ids": np.zeros(5, np.int64)}, "cluster_ids"),
        ({"lower": np.array([0, 0, 0, 0, math.nan])}, "lower"),
        ({"lower": np.full(5, np.inf)}, "lower"),
        ({"lower": np.full(5, 2.0), "upper": np.full(5, 1.0)}, "lower"),
        ({"upper": np.full(5, -1.0)}, "upper"),
        ({"total": math.inf}, "total"),
        ({"total": 0.0}, "total"),
        ({"max_repeat": 0.9}, "max_repeat"),
        ({"row_costs": np.zeros(5)}, "row_costs"),
        ({"target": Target(TargetKind.CUSTOM, shares={9: 1.0})}, "target.shares"),
        ({"base_sizes": np.ones(5), "whole_numbers": True}, "whole_numbers"),
    ],
)
def test_a_problem_that_is_none_is_refused(fields, field):
    with pytest.raises(InvalidTarget) as caught:
        Problem(**{"cluster_ids": IDS, "row_counts": ROWS, **fields})
    assert caught.value.metadata["field"] == field


def test_a_request_becomes_a_problem():
    request = LevelRequest(
        target=flat(0.5),
        mode=Mode.ROWS,
        max_repeat=2.0,
        pinned={1: 0.5},
        floor=30.0,
        floors={0: 40.0},
        ceiling=200.0,
        ceilings={2: 60.0},
    )
    problem = make_problem(request, IDS, ROWS, total=300.0)
    # The fourth and fifth cannot reach the floor: twice their rows is all that they can have.
    assert problem.lower.tolist() == [40, 50, 30, 30, 10]
    assert problem.upper.tolist() == [200, 50, 60, 200, 200]
    assert problem.whole_numbers and problem.total == 300
    assert solve(problem).counts.sum() == 300


@pytest.mark.parametrize("name", ["pinned", "floors", "ceilings"])
def test_a_request_that_names_another_cluster_is_refused(name):
    with pytest.raises(InvalidTarget) as caught:
        make_problem(LevelRequest(**{name: {7: 1.0}}), IDS, ROWS)
    assert caught.value.metadata == {"field": name, "cluster_id": "7"}


def test_the_curve_goes_from_the_cheapest_to_the_most_level_and_has_the_default():
    problem = Problem(IDS, ROWS)
    curve = level_curve(problem, 15)
    assert curve.flatness.size == 15
    assert (np.diff(curve.flatness) >= 0).all() and (np.diff(curve.gini) <= 1e-12).all()
    assert (np.diff(curve.effective_sample_size) <= 1e-9).all()
    assert curve.flatness[0] == pytest.approx(flatness(ROWS)) and curve.flatness[-1] == 1
    assert curve.effective_sample_share[0] == pytest.approx(1)
    assert curve.max_repeat[-1] == pytest.approx(95 / 5)
    assert curve.design_effect == pytest.approx(475 / curve.effective_sample_size)
    assert curve.flatness[curve.default_step] == pytest.approx(solve(problem).flatness)


def test_at_the_default_step_a_step_gives_as_large_a_share_as_it_costs():
    curve = level_curve(Problem(IDS, ROWS), 400)
    worth = np.log(curve.effective_clusters) + np.log(curve.effective_sample_size)
    assert worth[curve.default_step] >= worth.max() - 1e-6


def test_repeats_are_taken_as_long_as_they_pay():
    kept = solve(Problem(IDS, ROWS, whole_numbers=True))
    repeated = solve(Problem(IDS, ROWS, max_repeat=4.0, whole_numbers=True))
    assert kept.counts.tolist() == ROWS.tolist()
    assert repeated.flatness > kept.flatness and (repeated.counts <= 4 * ROWS).all()
    curve = level_curve(Problem(IDS, ROWS, max_repeat=4.0, whole_numbers=True), 12)
    assert (np.diff(curve.effective_sample_size) <= 1e-6).all()


def test_a_curve_without_a_choice_has_one_step():
    curve = level_curve(Problem(IDS, ROWS, whole_numbers=True))
    assert curve.flatness.size == 1 and curve.default_step == 0


def test_children_share_what_their_parent_gets():
    sizes = share_out(np.array([90.0, 10.0]), np.array([0, 1, 0, 0]), np.array([10, 7, 20, 30]))
    assert sizes == pytest.approx([15, 10, 30, 45])


def test_what_a_child_cannot_hold_goes_to_its_siblings():
    shares = np.array([1.0, 1.0, 1.0])
    sizes = share_out(np.array([60.0]), np.zeros(3, int), np.array([5, 40, 40]), 2.0, shares=shares)
    assert sizes == pytest.approx([10, 25, 25])
    assert share_out(np.array([900.0]), np.zeros(3, int), np.array([5, 40, 40]), 2.0).sum() == 170


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 3), st.integers(0, 50)), max_size=30),
    st.lists(st.integers(0, 200), min_size=4, max_size=4),
    st.sampled_from([None, 1.0, 2.5]),
)
def test_whole_children_sum_to_their_parent_or_all_they_can_hold(children, parents, max_repeat):
    places = np.array([place for place, _ in children], np.int64)
    rows = np.array([count for _, count in children], np.int64)
    sizes = share_out(np.array(parents, float), places, rows, max_repeat, whole_numbers=True)
    assert sizes.dtype == np.int64 and (sizes >= 0).all()
    reach = rows * (10**9 if max_repeat is None else math.floor(max_repeat))
    assert (sizes <= reach).all()
    for parent, size in enumerate(parents):
        held = sizes[places == parent].sum()
        assert held == min(size, reach[places == parent].sum())


def test_a_parent_that_is_none_is_refused():
    with pytest.raises(InvalidTarget):
        share_out(np.array([1.0]), np.array([1]), np.array([5]))
    with pytest.raises(InvalidTarget):
        share_out(np.array([math.nan]), np.array([0]), np.array([5]))
