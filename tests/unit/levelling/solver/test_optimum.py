"""The solver's sizes are the best ones: against a generic convex solver, and by hand."""

import numpy as np
import pytest

from benchmarks.solver import optimum
from benchmarks.solver_problems import random_problem
from levelling.solver import Problem, solve
from levelling.solver.fill import fill_to_total
from levelling.solver.frontier import Frontier, spread_of
from levelling.solver.items import Items
from levelling.solver.limits import limits_of
from levelling.solver.penalised import solve_penalised
from levelling.solver.row_frontier import RowFrontier
from levelling.targets import Target, TargetKind

EXACT = 1e-6


@pytest.mark.parametrize("seed", range(3))
def test_no_sizes_cost_less_than_a_generic_convex_solver_finds(seed):
    chance = np.random.default_rng(seed)
    found = [optimum(random_problem(chance, most_clusters=15), chance) for _ in range(50)]
    excesses = [one[0] for one in found if one is not None]
    assert len(excesses) > 15
    assert max(excesses) <= EXACT


def test_two_clusters_by_hand():
    # 400 rows at flatness 0.8: sizes apart by 0.2 * 400 / ... = 80, so 240 and 160.
    problem = Problem(np.arange(2), np.array([300, 100]), Target(TargetKind.FLATNESS, 0.8))
    solution = solve(problem)
    assert solution.sizes == pytest.approx([240, 160], rel=1e-12)
    assert solution.effective_sample_size == pytest.approx(400**2 / (240**2 / 300 + 160**2 / 100))


def test_a_flatness_that_is_there_already_changes_nothing():
    rows = np.array([40, 50, 60])
    solution = solve(Problem(np.arange(3), rows, Target(TargetKind.FLATNESS, 0.5)))
    assert solution.sizes == pytest.approx(rows)
    assert solution.effective_sample_size == pytest.approx(150)


@pytest.mark.parametrize("target_flatness", [0.3, 0.7, 0.95, 0.999])
def test_total_and_flatness_are_exact(target_flatness):
    rows = np.random.default_rng(0).zipf(1.4, 500).clip(20, 5_000)
    solution = solve(
        Problem(np.arange(500), rows, Target(TargetKind.FLATNESS, target_flatness), max_repeat=50.0)
    )
    assert solution.is_met
    assert solution.total == pytest.approx(rows.sum(), rel=1e-12)
    assert solution.flatness == pytest.approx(target_flatness, abs=1e-12)


def test_small_clusters_never_get_less_than_smaller_ones():
    rows = np.random.default_rng(1).integers(1, 1_000, 200)
    sizes = solve(Problem(np.arange(200), rows, Target(TargetKind.FLATNESS, 0.8))).sizes
    assert (np.diff(sizes[np.argsort(rows, kind="stable")]) >= -1e-9).all()


def test_the_unit_of_rows_does_not_matter():
    rows = np.array([900, 400, 70, 3])
    target = Target(TargetKind.FLATNESS, 0.6)
    once = solve(Problem(np.arange(4), rows, target)).sizes
    many = solve(Problem(np.arange(4), rows * 1_000_000, target)).sizes
    assert many == pytest.approx(once * 1_000_000, rel=1e-10)


def test_rows_with_weights_of_their_own_count_as_their_sample_size():
    rows = np.array([100, 100])
    problem = Problem(
        np.arange(2),
        rows,
        Target(TargetKind.FLATNESS, 0.0),
        base_sizes=np.array([50.0, 100.0]),
        sample_sizes=np.array([80.0, 100.0]),
        total=180.0,
    )
    solution = solve(problem)
    # Without a target the squares are least in proportion to sample sizes.
    assert solution.sizes == pytest.approx([80, 100])
    assert solution.weights == pytest.approx([1.6, 1])
    assert solution.effective_sample_size == pytest.approx(180)


def test_rows_are_not_repeated_while_a_flatness_can_be_had_without():
    rows = np.array([400, 300, 50, 40])
    target = Target(TargetKind.FLATNESS, 0.6)
    solution = solve(Problem(np.arange(4), rows, target, 400.0, max_repeat=4.0, whole_numbers=True))
    assert solution.is_met and (solution.counts <= rows).all()
    assert solution.effective_sample_size == solution.total == 400


def test_a_flatness_that_needs_repeats_has_the_fewest():
    items = Items(np.array([100.0, 60.0, 10.0]), np.zeros(3), np.array([400.0, 240.0, 40.0]))
    frontier = RowFrontier(items, 120.0)
    spread = (frontier.least_spread + spread_of(np.array([55.0, 55.0, 10.0]))) / 2
    sizes = frontier.at(spread)
    # The two large ones stay equal: that is free; only the small one has repeats.
    assert sizes[0] == pytest.approx(sizes[1]) and sizes[2] > 10
    assert spread_of(sizes) == pytest.approx(spread)


def test_the_price_of_inequality_is_the_slope_of_the_cost():
    rows = np.array([300.0, 120, 80, 20, 4])
    items = Items(rows, np.zeros(5), np.full(5, np.inf))
    frontier = Frontier(items, rows.sum())
    low, high = frontier.least_spread, frontier.most_spread
    middle, step = (low + high) / 2, 1e-5 * (high - low)
    _, _, penalty = frontier.priced_at(middle)
    below, above = (items.squares(frontier.at(middle + one)) / 2 for one in (-step, step))
    assert (below - above) / (2 * step) == pytest.approx(penalty, rel=1e-6)


def test_pools_satisfy_the_conditions_of_the_optimum():
    chance = np.random.default_rng(3)
    capacity = chance.lognormal(2, 1, 300)
    items = Items(capacity, capacity * 0.2, capacity * chance.uniform(0.3, 3, 300))
    pools = solve_penalised(items.grouped, 1.0, 0.6)
    sizes = pools.sizes[items.grouped.group_of]

    def value(moved):
        return items.squares(moved) / 2 + 0.6 * spread_of(moved) - moved.sum()

    best = value(sizes)
    for _ in range(200):
        direction = chance.normal(size=300) * chance.choice([1e-4, 1e-2, 1])
        assert value(np.clip(sizes + direction, items.lower, items.upper)) >= best - 1e-12


@pytest.mark.parametrize("total", [0.5, 3.0, 7.5, 11.0, 40.0])
def test_shares_are_scaled_to_the_total_within_limits(total):
    shares, lower, upper = np.array([1.0, 2, 4, 0]), np.array([0, 1.0, 0, 0.5]), np.full(4, 5.0)
    sizes = fill_to_total(shares, lower, upper, total)
    reachable = np.clip(total, 1.5, 15.5)
    assert sizes.sum() == pytest.approx(reachable)
    free = (sizes > lower + 1e-9) & (sizes < upper - 1e-9)
    ratios = sizes[free] / shares[free]
    assert ratios.size == 0 or np.ptp(ratios) < 1e-9


def test_most_level_sizes_are_majorised_by_all_others():
    chance = np.random.default_rng(5)
    lower, upper = chance.uniform(0, 2, 30), chance.uniform(3, 9, 30)
    level = np.sort(fill_to_total(np.ones(30), lower, upper, 120.0))
    for _ in range(50):
        other = np.sort(fill_to_total(chance.uniform(0.1, 2, 30), lower, upper, 120.0))
        assert (np.cumsum(level) >= np.cumsum(other) - 1e-9).all()


def test_limits_come_from_repeats_rows_and_pins():
    problem = Problem(
        np.arange(4),
        np.array([10, 10, 0, 3]),
        max_repeat=2.5,
        lower=np.array([0, 4.4, 0, 50.0]),
        upper=np.array([5.7, 4.4, 9, 60.0]),
        whole_numbers=True,
    )
    limits = limits_of(problem)
    assert limits.items.lower.tolist() == [0, 4, 0, 6]
    assert limits.items.upper.tolist() == [5, 4, 0, 6]
    assert limits.overruled.tolist() == [False, False, False, True]
