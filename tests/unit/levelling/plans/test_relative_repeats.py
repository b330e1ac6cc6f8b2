"""The most that a row may count is a multiple of the mean, whatever lowers the mean."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from levelling.plans.plan import plan_curve, prepare, preview
from levelling.request import LevelRequest
from levelling.targets import Target, TargetKind
from tests.support.materials import material_of, open_targets

SIZES = [1000] + 10 * [50]
TARGETS = [Target(), Target(TargetKind.UNIFORM), Target(TargetKind.FLATNESS, 0.9)]


def plan_of(sizes, noise=0, **fields):
    return preview(prepare(material_of(sizes, noise), LevelRequest(**fields)))


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("limits", [{"ceiling": 60.0}, {"pinned": {0: 0.1}}])
def test_the_limit_holds_where_ceilings_and_pins_lower_the_mean(target, limits):
    plan = plan_of(SIZES, target=target, max_repeat=2.0, **limits)
    assert plan.sample_weight.max() == pytest.approx(2)
    assert plan.after.flatness == pytest.approx(1 - 4 / 15)
    assert plan.solution.is_met == (target.kind is TargetKind.AUTO)
    assert plan.solution.sizes == pytest.approx(plan.sizes_after)
    assert plan.solution.total == pytest.approx(plan.sizes_after.sum())


def test_pins_keep_their_weights_and_what_that_does_to_the_limit_is_told():
    plan = plan_of(SIZES, max_repeat=2.0, pinned={0: 0.1, 1: 1.0})
    assert (plan.cluster_weights[0], plan.cluster_weights[1]) == (0.1, 1.0)
    told = f"Rows count up to {plan.after.max_repeat:.3g} times the mean, more than max_repeat 2"
    assert any(told in one for one in plan.notes) and not plan.solution.is_met


def test_noise_keeps_its_weight_and_what_that_does_to_the_limit_is_told():
    plan = plan_of(SIZES, noise=10, max_repeat=2.0, ceiling=60.0)
    assert plan.noise_weight == 1
    assert any("more than max_repeat 2" in one for one in plan.solution.unmet)


def test_the_curve_keeps_the_limit_too():
    request = LevelRequest(max_repeat=2.0, ceiling=60.0)
    curve = plan_curve(material_of(SIZES), request, 5)
    assert np.max(curve.flatness) <= 1 - 4 / 15 + 1e-9


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.integers(1, 60), min_size=1, max_size=6),
    open_targets,
    st.floats(1, 5),
    st.none() | st.floats(1, 60),
    st.none() | st.floats(0, 1, allow_subnormal=False),
    st.integers(0, 20),
)
def test_no_row_counts_more_than_the_limit_or_it_is_told(
    sizes, target, repeats, ceiling, pin, noise
):
    pinned = {} if pin is None else {0: pin}
    if pin == 0 and len(sizes) == 1 and not noise:
        return
    plan = plan_of(sizes, noise, target=target, max_repeat=repeats, ceiling=ceiling, pinned=pinned)
    is_kept = plan.sample_weight.max() <= repeats * (1 + 1e-6)
    is_told = any("more than max_repeat" in one for one in plan.solution.unmet)
    assert is_kept or is_told
    if not noise and not pinned:
        assert is_kept
