import numpy as np
import pytest

from levelling.plans.material import Material
from levelling.proof import ProofOptions, plan_leveller, prove
from levelling.proof.plan_leveller import take_material
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
from tests.support.pickers import pick_at_random
from tests.unit.levelling.proof.made_data import long_tail, make_data

UNIFORM = Target(TargetKind.UNIFORM)


@pytest.fixture
def material():
    """Two layers, some noise, and each row from 200 on a near-duplicate of the one before."""
    finest = np.repeat(np.arange(8), [120, 80, 40, 30, 20, 10, 60, 40]).astype(np.int32)
    finest[::17] = -1
    groups = np.arange(400, dtype=np.int32)
    groups[201::2] = groups[200::2]
    return Material(
        labels=(np.where(finest >= 0, finest + 4, -1).astype(np.int32), np.minimum(finest, 3)),
        terrain_layer=1,
        near_dup_groups=groups,
        row_tokens=np.full(400, 10, dtype=np.int64),
    )


@pytest.fixture
def part():
    return np.sort(np.random.default_rng(0).permutation(400)[:200])


def test_the_material_of_a_part_names_groups_by_its_own_rows(material, part):
    taken = take_material(material, part)
    assert taken.row_count == 200
    groups, whole = taken.near_dup_groups, material.near_dup_groups[part]
    same = groups[:, None] == groups
    np.testing.assert_array_equal(same, whole[:, None] == whole)
    assert all(groups[group] == group for group in groups)
    central = part[groups] == whole
    assert central[np.isin(whole, part)].all()


def test_a_budget_shrinks_with_the_part_and_only_its_rows_are_kept(material, part):
    level = plan_leveller(material, LevelRequest(target=UNIFORM, budget=100), pick_at_random)
    found = level(part, None, None, 0)
    assert found.weights is None
    assert len(found.rows) == 50 == len(set(found.rows.tolist()))
    assert set(found.rows.tolist()) <= set(part.tolist())
    assert found.rows.tolist() == level(part, None, None, 0).rows.tolist()


@pytest.mark.parametrize("alpha", [0.0, 0.5, 1.0])
def test_an_alpha_makes_sizes_a_power_of_rows(material, part, alpha):
    request = LevelRequest(budget=40, noise=NoisePolicy(NoiseKind.DROP))
    found = plan_leveller(material, request, pick_at_random)(part, alpha, 40, 0)
    clusters = material.labels[1]
    sizes = np.bincount(clusters[part][clusters[part] >= 0])
    picked = np.bincount(clusters[found.rows], minlength=4)
    expected = sizes**alpha / (sizes**alpha).sum() * 40
    assert len(found.rows) == 40
    assert np.abs(picked - expected).max() <= 1


def test_weights_change_and_rows_stay(material, part):
    request = LevelRequest(target=UNIFORM, mode=Mode.WEIGHTS)
    level = plan_leveller(material, request, pick_at_random)
    found = level(part, None, None, 0)
    assert found.rows.tolist() == part.tolist()
    unchanged = level(part, 1.0, len(part), 0)
    np.testing.assert_allclose(unchanged.weights, 1)


def test_tokens_limits_and_near_duplicates_are_those_of_the_part(material, part):
    request = LevelRequest(
        target=UNIFORM,
        budget=1000,
        budget_unit=BudgetUnit.TOKENS,
        ceilings={0: 20, 2: 400},
        floors={3: 10},
        duplicates=DuplicatePolicy(DuplicateKind.DROP),
    )
    found = plan_leveller(material, request, pick_at_random)(part, None, None, 0)
    groups = material.near_dup_groups[found.rows]
    assert len(set(groups.tolist())) == len(groups)
    assert 10 * len(found.rows) <= 500
    assert np.count_nonzero(material.labels[1][found.rows] == 0) <= 10


def test_limits_on_clusters_without_a_row_in_the_part_fall_away(material):
    part = np.flatnonzero(material.labels[1] != 2)
    request = LevelRequest(
        target=Target(TargetKind.CUSTOM, shares={0: 1, 1: 1, 2: 5}), budget=50, floors={2: 3}
    )
    found = plan_leveller(material, request, pick_at_random)(part, None, None, 0)
    assert set(material.labels[1][found.rows].tolist()) <= {-1, 0, 1}


def test_a_whole_proof_by_the_plan():
    data = make_data(long_tail(10, 150), spread=0.4)
    material = Material(labels=(data.clusters,))
    level = plan_leveller(material, LevelRequest(target=UNIFORM, budget=120), pick_at_random)
    found = prove(data, level, ProofOptions(seeds=2, alphas=(0.0, 1.0)))
    assert found.rows.trained_on == pytest.approx(90, abs=5)
    assert found.models[0].metrics["macro_accuracy"].difference > 0
    assert found.curve[0].flatness > found.curve[1].flatness
