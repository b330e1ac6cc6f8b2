"""Plans of small datasets by hand: what is kept, how often, how heavy, and what is said of it."""

from dataclasses import replace

import numpy as np
import pytest

from levelling.errors import InvalidTarget
from levelling.plans.material import Material
from levelling.plans.picks import Selection
from levelling.plans.plan import advance, finish, make_plan, plan_curve, prepare, preview
from levelling.plans.reasons import Reason
from levelling.request import (
    BudgetUnit,
    DuplicateKind,
    DuplicatePolicy,
    LevelRequest,
    Mode,
    NoiseKind,
    NoisePolicy,
)
from levelling.targets import Target, TargetKind
from tests.support.materials import material_of
from tests.support.pickers import pick_at_random

UNIFORM = Target(TargetKind.UNIFORM)
UNCHANGED = Target(TargetKind.TEMPERED, 1.0)


def plan_of(material, **fields):
    return make_plan(material, LevelRequest(**fields), pick_at_random)


def lines(plan):
    return [int(plan.copies[plan.labels == one].sum()) for one in (*plan.cluster_ids, -1)]


def groups_of(material, *together):
    groups = np.arange(material.row_count, dtype=np.int32)
    for rows in together:
        groups[list(rows)] = rows[0]
    return replace(material, near_dup_groups=groups)


def test_uniform_weights_make_clusters_equal_and_leave_noise_as_it_is():
    plan = plan_of(material_of([6, 3], noise=1), target=UNIFORM)
    assert plan.cluster_weights == pytest.approx({0: 0.75, 1: 1.5})
    assert plan.noise_weight == 1
    assert plan.sample_weight == pytest.approx([0.75] * 6 + [1.5] * 3 + [1])
    assert plan.after.flatness == pytest.approx(1)
    assert plan.before.flatness == pytest.approx(2 / 3)
    assert plan.coverage is None


def test_a_budget_alone_takes_the_best_rows_over_all_clusters():
    material = material_of([50, 20], noise=10)
    prepared = prepare(material, LevelRequest(budget=30))
    assert prepared.task.counts is None
    assert prepared.task.budget == 30
    assert preview(prepared) is None
    rows = np.arange(5, 35)
    plan = finish(advance(prepared, Selection(rows, np.ones(3), 0.1)))
    assert np.flatnonzero(plan.copies).tolist() == rows.tolist()
    assert plan.solution is None
    assert plan.coverage.cluster_ids.tolist() == [0, 1, -1]


def test_a_budget_with_a_target_is_picked_to_quotas_and_noise_has_its_part():
    plan = plan_of(material_of([50, 20, 10], noise=20), target=UNIFORM, budget=30)
    assert lines(plan) == [8, 8, 8, 6]
    assert (plan.reasons[plan.copies == 0] == Reason.SURPLUS).all()


def test_limits_of_single_clusters_move_what_a_free_pick_took():
    material = material_of([60, 30, 10])
    tasks = []

    def pick(task):
        tasks.append(task)
        return pick_at_random(task)

    plan = make_plan(material, LevelRequest(budget=40, pinned={2: 1.0}, ceilings={0: 15}), pick)
    assert [task.counts is None for task in tasks] == [True, False]
    assert lines(plan) == [15, 15, 10, 0]


def test_without_a_budget_as_many_rows_are_kept_as_the_target_allows():
    even = lines(plan_of(material_of([50, 20, 10]), target=UNIFORM, mode=Mode.ROWS))[:3]
    assert even == [10, 10, 10]
    unchanged = plan_of(material_of([50, 20, 10]), target=UNCHANGED, mode=Mode.ROWS)
    assert lines(unchanged)[:3] == [50, 20, 10]
    flat = plan_of(
        material_of([500, 200, 100]), target=Target(TargetKind.FLATNESS, 0.8), mode=Mode.ROWS
    )
    assert flat.after.flatness >= 0.8 - 1e-9
    assert flat.after.row_count > 300


def test_repeats_fill_a_cluster_up_to_the_limit():
    plan = plan_of(material_of([50, 10]), target=UNIFORM, budget=60, max_repeat=2)
    assert lines(plan)[:2] == [40, 20]
    assert set(plan.copies[plan.labels == 1].tolist()) == {2}
    assert plan.after.max_repeat == 2


def test_a_budget_beyond_what_there_is_keeps_all_and_says_so():
    plan = plan_of(material_of([5, 3], noise=2), budget=100)
    assert plan.copies.tolist() == [1] * 10
    assert any("The budget of 100 rows is more than the 10" in note for note in plan.notes)


def test_dropped_near_duplicates_leave_one_of_each_group_and_may_empty_a_cluster():
    material = groups_of(material_of([3, 2]), (0, 1, 3, 4))
    plan = plan_of(material, target=UNCHANGED, duplicates=DuplicatePolicy(DuplicateKind.DROP))
    assert plan.copies.tolist() == [1, 0, 1, 0, 0]
    assert plan.reasons[[1, 3, 4]].tolist() == [Reason.NEAR_DUPLICATE] * 3
    assert plan.sizes_after.tolist() == [2, 0]
    assert plan.after.cluster_count == 2
    assert plan.after.duplicate_count == 3
    assert plan.cluster_weights == {0: pytest.approx(2 / 3), 1: 0}
    assert "Cluster 1 has no rows left." in plan.notes


def test_discounted_near_duplicates_weigh_as_one_row_together():
    material = groups_of(material_of([4, 2]), (0, 1, 2))
    plan = plan_of(material, target=UNIFORM, duplicates=DuplicatePolicy(DuplicateKind.DISCOUNT))
    assert plan.copies.tolist() == [1] * 6
    assert plan.sample_weight == pytest.approx(np.array([1, 1, 1, 3, 3, 3]) / 2)
    assert plan.sizes_after == pytest.approx([2, 2])


def test_in_rows_discounted_copies_go_first_and_repeats_are_shared_by_the_group():
    material = groups_of(material_of([4, 1]), (0, 1, 2))
    discount = DuplicatePolicy(DuplicateKind.DISCOUNT)
    plan = plan_of(material, target=UNCHANGED, budget=3, duplicates=discount)
    assert plan.copies.tolist() == [1, 0, 0, 1, 1]
    assert plan.reasons[[1, 2]].tolist() == [Reason.NEAR_DUPLICATE] * 2
    again = plan_of(material, target=UNCHANGED, budget=6, max_repeat=2, duplicates=discount)
    assert again.copies.tolist() == [1, 1, 0, 2, 2]


def test_a_weight_of_0_drops_the_rows():
    plan = plan_of(material_of([4, 3]), target=UNCHANGED, pinned={1: 0.0})
    assert plan.copies.tolist() == [1] * 4 + [0] * 3
    assert plan.reasons[4:].tolist() == [Reason.SURPLUS] * 3
    assert plan.after.dropped_row_count == 3
    assert plan.cluster_weights[1] == 0


def test_noise_may_be_pinned_like_a_cluster():
    material = material_of([8], noise=4)
    plan = plan_of(material, target=UNCHANGED, pinned={-1: 0.5})
    assert plan.noise_weight == 0.5
    assert plan.sample_weight[-1] / plan.sample_weight[0] == pytest.approx(0.5)
    rows = plan_of(material, target=UNCHANGED, mode=Mode.ROWS, pinned={-1: 0.5})
    assert lines(rows) == [8, 2]


def test_a_dataset_of_noise_alone_is_kept_or_picked_from_but_not_dropped():
    material = material_of([], noise=9)
    plan = plan_of(material)
    assert plan.sample_weight.tolist() == [1] * 9
    assert plan.after.cluster_count == 0
    assert lines(plan_of(material, budget=4)) == [4]
    assert lines(plan_of(material, budget=4, target=UNIFORM)) == [4]
    with pytest.raises(InvalidTarget, match="every row is noise"):
        plan_of(material, noise=NoisePolicy(NoiseKind.DROP))
    with pytest.raises(InvalidTarget, match="no row would be left"):
        plan_of(material, noise=NoisePolicy(NoiseKind.CAP, share=0.5), mode=Mode.ROWS)


def test_one_cluster_is_level_already():
    plan = plan_of(material_of([7]), target=UNIFORM)
    assert plan.sample_weight.tolist() == [1] * 7
    assert plan.before == plan.after
    assert lines(plan_of(material_of([7]), target=UNIFORM, budget=3))[0] == 3


def test_a_coarser_layer_shares_its_weight_with_the_clusters_in_it():
    fine = np.repeat([0, 1, 2], [6, 2, 2]).astype(np.int32)
    coarse = np.repeat([3, 3, 4], [6, 2, 2]).astype(np.int32)
    plan = plan_of(Material((fine, coarse)), target=UNIFORM, layer=1)
    assert plan.cluster_ids.tolist() == [3, 4]
    assert plan.cluster_weights == pytest.approx({0: 0.625, 1: 0.625, 2: 2.5})


def test_assigned_noise_levels_with_its_new_cluster():
    material = material_of([4, 2], noise=2)
    nearest = np.array([0, 0, 0, 0, 1, 1, 1, 1], np.int32)
    plan = plan_of(
        replace(material, nearest=nearest), target=UNIFORM, noise=NoisePolicy(NoiseKind.ASSIGN)
    )
    assert plan.labels.tolist() == nearest.tolist()
    assert plan.sample_weight.tolist() == [1] * 8
    assert plan.after.noise_count == 0
    assert "2 rows of noise are assigned to the nearest cluster." in plan.notes


def test_a_budget_of_tokens_buys_more_of_short_rows_and_is_not_passed():
    tokens = np.repeat([10, 2], [100, 100])
    material = material_of([100, 100], row_tokens=tokens)
    plan = plan_of(material, target=UNIFORM, budget=480, budget_unit=BudgetUnit.TOKENS)
    assert 470 <= plan.token_count <= 480
    assert abs(lines(plan)[0] - lines(plan)[1]) <= 1
    with pytest.raises(InvalidTarget, match="row tokens"):
        plan_of(material_of([3]), budget=5, budget_unit=BudgetUnit.TOKENS)
    with pytest.raises(InvalidTarget, match="buy none"):
        plan_of(material, budget=1, budget_unit=BudgetUnit.TOKENS)


def test_when_picked_rows_cost_more_than_was_thought_they_are_picked_again():
    tokens = np.tile([1, 9], 100)
    material = material_of([200], row_tokens=tokens)

    def pick_long(task):
        rows = np.flatnonzero(task.candidates)
        rows = rows[np.argsort(-tokens[rows], kind="stable")][: task.budget]
        return Selection(np.sort(rows), np.ones(2), 0.0)

    request = LevelRequest(budget=300, budget_unit=BudgetUnit.TOKENS)
    plan = make_plan(material, request, pick_long)
    assert 290 < plan.token_count <= 300
    assert plan.copies.sum() == 33


def test_clusters_that_there_are_not_are_refused():
    for fields in ({"pinned": {9: 1.0}}, {"floors": {9: 1.0}}, {"ceilings": {9: 1.0}}):
        with pytest.raises(InvalidTarget, match="9"):
            plan_of(material_of([4, 3]), **fields)
    with pytest.raises(InvalidTarget, match="there is no layer 3"):
        plan_of(material_of([4, 3]), layer=3)


def test_rows_that_were_not_asked_for_are_refused():
    prepared = prepare(material_of([10, 10]), LevelRequest(budget=4, target=UNIFORM))
    for rows in ([0, 1, 10], [0, 1, 2, 10], [1, 0, 10, 11], [0, 1, 10, 99]):
        with pytest.raises(InvalidTarget, match="not those that were asked for"):
            advance(prepared, Selection(np.array(rows), np.ones(3), 0.0))
    with pytest.raises(InvalidTarget, match="still to be picked"):
        finish(prepared)
    with pytest.raises(InvalidTarget, match="no rows to pick"):
        advance(prepare(material_of([4]), LevelRequest()), Selection(np.arange(0), np.ones(1), 0))


def test_another_seed_repeats_and_caps_other_rows():
    material = material_of([40, 100], noise=100)
    request = LevelRequest(
        mode=Mode.ROWS, budget=250, max_repeat=3, target=UNIFORM, noise=NoisePolicy(NoiseKind.DROP)
    )
    one = make_plan(material, request, pick_at_random)
    other = make_plan(material, replace(request, seed=1), pick_at_random)
    assert lines(one) == lines(other)
    assert not np.array_equal(one.copies, other.copies)


def test_the_curve_is_that_of_the_request_with_its_policies():
    material = material_of([50, 20, 10], noise=20)
    curve = plan_curve(material, LevelRequest(), 5)
    assert curve.flatness.size == 5
    assert curve.flatness[-1] == pytest.approx(1, abs=1e-6)
    limited = plan_curve(material, LevelRequest(max_repeat=1.5), 5)
    assert limited.max_repeat.max() <= 1.5 + 1e-9
    picked = plan_curve(material, LevelRequest(budget=50), 5)
    assert np.isfinite(picked.flatness).all()


def test_pins_that_need_more_than_the_budget_are_told():
    plan = plan_of(material_of([5, 30, 40]), budget=3, pinned={0: 1.0})
    assert lines(plan) == [5, 0, 0, 0]
    assert not plan.solution.is_met and any("need at least 5" in note for note in plan.notes)


@pytest.mark.parametrize(
    ("target", "budget", "lengths"),
    [(Target(), 200, [1, 9]), (UNIFORM, 150, [1, 1, 1, 50]), (UNIFORM, 300, [1, 1, 1, 50])],
)
def test_a_cap_on_noise_holds_after_a_budget_of_tokens_takes_rows_away(target, budget, lengths):
    tokens = np.resize(lengths, 60)
    material = material_of([20, 20], noise=20, row_tokens=tokens)
    for seed in range(10):
        plan = plan_of(
            material,
            target=target,
            budget=budget,
            budget_unit=BudgetUnit.TOKENS,
            noise=NoisePolicy(NoiseKind.CAP, share=0.1),
            seed=seed,
        )
        assert lines(plan)[-1] <= 0.1 * plan.copies.sum()
        assert plan.token_count <= budget
