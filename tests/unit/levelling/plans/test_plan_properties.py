"""What holds of every plan, whatever is asked and of whichever dataset."""

from dataclasses import replace
from math import floor

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from levelling.errors import InvalidTarget
from levelling.measures import Balance
from levelling.plans.noise_effects import noise_effects
from levelling.plans.plan import make_plan, prepare, preview
from levelling.plans.plan_types import Plan
from levelling.plans.pool import fill_pool
from levelling.plans.reasons import Reason
from levelling.request import (
    BudgetUnit,
    DuplicateKind,
    LevelRequest,
    Mode,
    NoiseKind,
)
from levelling.targets import Target, TargetKind
from tests.support.materials import materials, noise_policies, row_requests, weight_requests
from tests.support.pickers import pick_at_random

UNCHANGED = Target(TargetKind.TEMPERED, 1.0)
REPEATS_OF_NONE = 1
few = settings(max_examples=25, deadline=None)


def planned(material, request) -> Plan:
    """The plan, where there is one: the drawn request may leave no row."""
    try:
        return make_plan(material, request, pick_at_random)
    except InvalidTarget as error:
        assert "no row would be left" in str(error)
        assume(False)
        raise


def lines_of(plan, cluster):
    return int(plan.copies[plan.labels == cluster].sum())


def equal(one: Balance, other: Balance):
    for name in one.__dataclass_fields__:
        assert getattr(one, name) == pytest.approx(getattr(other, name), rel=1e-9, abs=1e-9), name


@few
@given(materials(), weight_requests | row_requests)
def test_rows_are_kept_with_a_weight_or_dropped_for_a_reason(material, request):
    plan = planned(material, request)
    kept = plan.copies > 0
    assert kept.any()
    assert ((plan.sample_weight > 0) == kept).all()
    assert ((plan.reasons == Reason.KEPT) == kept).all()
    assert plan.sample_weight[kept].mean() == pytest.approx(1)
    assert plan.after.row_count == kept.sum()
    assert plan.after.dropped_row_count == (~kept).sum()
    assert plan.after.duplicate_count == (plan.reasons == Reason.NEAR_DUPLICATE).sum()
    noise_kept = kept & (plan.labels == -1)
    assert plan.after.noise_count == noise_kept.sum()
    was_noise = material.labels[0] == -1
    assert was_noise[plan.reasons == Reason.NOISE].all()


@few
@given(materials(), weight_requests | row_requests)
def test_a_near_duplicate_is_dropped_only_where_another_of_its_group_is_kept(material, request):
    plan = planned(material, request)
    groups = material.near_dup_groups
    kept_groups = set(groups[plan.copies > 0].tolist())
    if request.noise.kind is not NoiseKind.CAP:
        copies = groups[plan.reasons == Reason.NEAR_DUPLICATE]
        in_rows = request.chooses_rows and request.duplicates.kind is DuplicateKind.DROP
        assert in_rows or set(copies.tolist()) <= kept_groups | _weightless(plan, groups)
    if request.duplicates.kind is DuplicateKind.DROP:
        assert np.bincount(groups[plan.copies > 0]).max() == 1


def _weightless(plan, groups):
    return set(groups[plan.reasons == Reason.SURPLUS].tolist())


@few
@given(materials(), weight_requests | row_requests)
def test_the_same_material_request_and_picks_give_the_same_bytes(material, request):
    one, other = planned(material, request), planned(material, request)
    for name in ("copies", "sample_weight", "reasons", "labels", "sizes_after"):
        assert getattr(one, name).tobytes() == getattr(other, name).tobytes()
    assert (one.cluster_weights, one.noise_weight) == (other.cluster_weights, other.noise_weight)
    assert (one.notes, one.after) == (other.notes, other.after)


@few
@given(materials(), row_requests)
def test_picked_rows_stand_whole_and_never_more_often_than_allowed(material, request):
    plan = planned(material, request)
    assert plan.copies.max() <= int(request.max_repeat or REPEATS_OF_NONE)
    assert plan.after.max_repeat == plan.copies.max()
    kept = plan.copies > 0
    shares = plan.sample_weight[kept] / plan.copies[kept]
    assert shares == pytest.approx(shares[0])


@few
@given(materials(), row_requests)
def test_a_budget_of_rows_is_kept_exactly_as_far_as_there_are_rows(material, request):
    assume(request.budget is not None and request.noise.kind is not NoiseKind.CAP)
    request = replace(request, floor=None, ceiling=None)
    layer = material.find_layer(request.layer)
    units = fill_pool(material, request, layer).count_units()
    repeats = int(request.max_repeat or REPEATS_OF_NONE)
    may_be = int(units[:-1].sum()) * repeats + int(units[-1])
    plan = planned(material, request)
    assert plan.copies.sum() == min(request.budget, may_be)


@few
@given(materials(), row_requests)
def test_a_capped_plan_has_no_more_noise_than_its_share(material, request):
    assume(request.noise.kind is NoiseKind.CAP)
    plan = planned(material, request)
    noise = plan.copies[plan.labels == -1].sum()
    assert noise <= request.noise.share * plan.copies.sum() + 1e-6
    assert request.budget is None or plan.copies.sum() <= request.budget


@few
@given(materials(), row_requests)
def test_clusters_keep_their_floors_and_ceilings(material, request):
    assume(request.budget is None or request.budget > 350)
    plan = planned(material, request)
    units = fill_pool(material, request, plan.layer).count_units()
    repeats = int(request.max_repeat or REPEATS_OF_NONE)
    for cluster, count in zip(plan.cluster_ids.tolist(), units[:-1].tolist(), strict=True):
        lines = lines_of(plan, cluster)
        if request.ceiling is not None:
            assert lines <= request.ceiling
        if request.floor is not None and request.budget is None:
            assert lines >= min(floor(request.floor), count * repeats)


@few
@given(materials(), row_requests)
def test_copies_of_a_cluster_that_goes_up_are_spread_evenly(material, request):
    request = replace(request, duplicates=LevelRequest().duplicates)
    plan = planned(material, request)
    for cluster in (-1, *plan.cluster_ids.tolist()):
        copies = plan.copies[(plan.labels == cluster) & (plan.reasons != Reason.NOISE)]
        if copies.size:
            assert copies.max() - copies.min() <= 1


@few
@given(materials(), st.floats(0, 3, allow_subnormal=False), st.integers(0, 1), st.booleans())
def test_a_pinned_cluster_keeps_its_weight_exactly(material, weight, layer, chooses_rows):
    pinned = int(material.cluster_ids(layer)[0])
    mode = Mode.ROWS if chooses_rows else Mode.WEIGHTS
    repeats = 3.0 if chooses_rows else None
    request = LevelRequest(mode=mode, pinned={pinned: weight}, layer=layer, max_repeat=repeats)
    plan = planned(material, request)
    rows = int((material.labels[layer] == pinned).sum())
    if chooses_rows:
        assert abs(lines_of(plan, pinned) - weight * rows) <= 0.5 + 1e-9
    else:
        inside = material.labels[0][material.labels[layer] == pinned]
        assert {plan.cluster_weights[int(one)] for one in inside} == {weight}


@few
@given(materials(), weight_requests)
def test_weights_keep_the_limit_and_finer_clusters_share_the_weight_of_their_parent(
    material, request
):
    plan = planned(material, request)
    if request.duplicates.kind is DuplicateKind.DISCOUNT:
        return
    limit = request.max_repeat or np.inf
    assert plan.sample_weight.max() <= limit * (1 + 1e-9)
    for cluster in plan.cluster_ids.tolist():
        weights = plan.sample_weight[(plan.labels == cluster) & (plan.copies > 0)]
        assert weights.size == 0 or np.ptp(weights) <= 1e-12


@few
@given(materials(), row_requests, st.integers(1, 4000))
def test_a_budget_of_tokens_is_never_passed(material, request, budget):
    request = replace(request, budget=budget, budget_unit=BudgetUnit.TOKENS)
    try:
        plan = make_plan(material, request, pick_at_random)
    except InvalidTarget as error:
        assert any(part in str(error) for part in ("buy none", "no row would be left"))
        return
    assert plan.token_count == (plan.copies * material.row_tokens).sum()
    assert plan.token_count <= budget


@few
@given(materials(), row_requests)
def test_a_preview_shows_the_figures_of_the_plan(material, request):
    plan = planned(material, request)
    shown = preview(prepare(material, request))
    if shown is None:
        assert request.target.kind is TargetKind.AUTO and request.budget is not None
        return
    assert shown.coverage is None
    equal(shown.before, plan.before)
    equal(replace(shown.after, duplicate_count=plan.after.duplicate_count), plan.after)
    assert shown.sizes_after == pytest.approx(plan.sizes_after)


@few
@given(materials(), noise_policies, st.integers(0, 1), st.integers(0, 2**40))
def test_the_effects_of_a_noise_policy_are_those_of_a_plan_with_it(material, policy, layer, seed):
    (effect,) = noise_effects(material, [policy], layer=layer, seed=seed)
    request = LevelRequest(target=UNCHANGED, noise=policy, layer=layer, seed=seed)
    plan = planned(material, request)
    equal(effect.balance, plan.after)
    assert effect.dropped == plan.after.dropped_row_count
    assert effect.joined == (material.labels[layer] == -1).sum() - (plan.labels == -1).sum()
