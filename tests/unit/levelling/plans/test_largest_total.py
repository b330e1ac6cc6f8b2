"""How many whole rows are kept without a budget: as many as meet the target."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from levelling.plans.largest_total import solve_largest
from levelling.plans.plan import prepare, preview
from levelling.request import LevelRequest, Mode
from levelling.solver import Problem, solve
from levelling.targets import Target, TargetKind
from tests.support.materials import material_of

LEVEL = Target(TargetKind.FLATNESS, 1.0)
ROUNDING = 1e-9


def preview_of(sizes, **fields):
    return preview(prepare(material_of(sizes), LevelRequest(mode=Mode.ROWS, **fields)))


@pytest.mark.parametrize(
    "limits",
    [{}, {"floor": 100.0}, {"floor": 90.0}, {"pinned": dict.fromkeys(range(1, 10), 1.0)}],
)
def test_totals_that_floors_and_pins_make_too_small_are_passed_over(limits):
    plan = preview_of([1000] + 9 * [100], target=LEVEL, **limits)
    assert plan.sizes_after.tolist() == [100] * 10
    assert plan.solution.is_met


def test_a_target_that_rounding_would_miss_is_met_with_fewer_rows():
    target = Target(TargetKind.FLATNESS, 0.7921541555354066)
    plan = preview_of([67, 30, 7, 51, 78, 18], target=target)
    assert plan.sizes_after.tolist() == [29, 29, 7, 29, 29, 18]
    assert plan.after.flatness >= target.value


def test_a_target_out_of_reach_is_come_as_near_as_limits_let():
    plan = preview_of([1000, 100, 10], target=LEVEL, pinned={2: 1.0}, floors={1: 50})
    assert plan.sizes_after.tolist() == [50, 50, 10]
    assert not plan.solution.is_met


@settings(max_examples=25, deadline=None)
@given(st.lists(st.integers(1, 200), min_size=1, max_size=8))
def test_rows_without_more_words_are_as_level_as_weights_that_pay(sizes):
    plan = preview_of(sizes)
    weights = preview(prepare(material_of(sizes), LevelRequest()))
    assert plan.after.flatness >= weights.after.flatness - ROUNDING
    assert plan.solution.is_met
    assert not any("cannot be any flatter" in one for one in plan.solution.binding)


@st.composite
def problems(draw) -> Problem:
    """Draw up to 5 clusters, some of them empty, with floors, ceilings and pins."""
    rows = draw(st.lists(st.integers(0, 20), min_size=1, max_size=5).filter(any))
    lower, upper = np.zeros(len(rows)), np.full(len(rows), np.inf)
    for place, count in enumerate(rows):
        kind = draw(st.sampled_from(["free", "free", "floor", "ceiling", "pin"]))
        if kind in ("floor", "pin"):
            lower[place] = draw(st.integers(0, count))
        if kind in ("ceiling", "pin"):
            upper[place] = lower[place] if kind == "pin" else draw(st.integers(0, 20))
    kind = draw(st.sampled_from([TargetKind.FLATNESS, TargetKind.GINI]))
    return Problem(
        np.arange(len(rows)),
        np.array(rows),
        target=Target(kind, draw(st.integers(0, 100)) / 100),
        max_repeat=float(draw(st.integers(1, 3))),
        lower=lower,
        upper=upper,
        whole_numbers=True,
    )


def keeps(target, solution):
    if target.kind is TargetKind.GINI:
        return solution.gini <= target.value + ROUNDING
    return solution.flatness >= target.value - ROUNDING


@settings(max_examples=60, deadline=None)
@given(problems())
def test_no_larger_total_meets_the_target_and_where_none_does_none_is_nearer(problem):
    _, found = solve_largest(problem)
    most = int(solve(problem).total)
    others = [solve(replace(problem, total=float(one))) for one in range(1, most + 1)]
    meeting = [one.total for one in others if one.is_met and keeps(problem.target, one)]
    assert found.is_met == bool(meeting) or most == 0
    if meeting:
        assert keeps(problem.target, found)
        assert found.total == max(meeting)
    elif others:
        assert found.gini <= min(one.gini for one in others) + ROUNDING
