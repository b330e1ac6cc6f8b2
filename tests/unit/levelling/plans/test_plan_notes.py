"""What a plan says of itself, in sentences."""

import numpy as np

from levelling.plans.picks import Selection
from levelling.plans.plan import make_plan, prepare, preview
from levelling.plans.plan_notes import plan_notes
from levelling.request import (
    BudgetUnit,
    DuplicateKind,
    DuplicatePolicy,
    LevelRequest,
    NoiseKind,
    NoisePolicy,
)
from levelling.targets import Target, TargetKind
from tests.support.materials import material_of
from tests.support.pickers import pick_at_random

UNIFORM = Target(TargetKind.UNIFORM)


def notes_of(material, **fields):
    plan = make_plan(material, LevelRequest(**fields), pick_at_random)
    assert plan_notes(plan) == plan.notes
    return plan.notes


def test_it_says_first_what_is_kept_and_what_becomes_of_flatness():
    notes = notes_of(material_of([50, 20, 10]), target=UNIFORM, budget=30)
    assert notes[0] == "30 of 80 rows are kept."
    assert notes[1] == ("Flatness goes from 0.500 to 1.000; the rows are worth 30 equal ones.")
    assert notes[-1].startswith("Cluster 0 is covered least: 20% of its rows")


def test_it_says_why_the_best_subset_may_be_less_even():
    # All of the second cluster is one group of near-duplicates, which one row stands for.
    groups = np.concatenate([np.arange(40), np.full(20, 40)]).astype(np.int32)
    material = material_of([40, 20], near_dup_groups=groups)

    def keepers_first(task):
        rows = np.flatnonzero(task.keepers)[: task.budget]
        return Selection(np.sort(rows), np.ones(task.slot_count), 0.1)

    plan = make_plan(material, LevelRequest(budget=41), keepers_first)
    assert plan.after.flatness < plan.before.flatness
    assert any("not the most even ones" in note for note in plan.notes)
    level = make_plan(material, LevelRequest(budget=30, target=UNIFORM), pick_at_random)
    assert not any("not the most even ones" in note for note in level.notes)


def test_a_preview_does_not_speak_of_coverage():
    request = LevelRequest(budget=30, target=UNIFORM)
    shown = preview(prepare(material_of([50, 20, 10]), request))
    assert shown is not None and shown.coverage is None
    assert not any("covered least" in note for note in shown.notes)


def test_it_says_what_was_dropped_and_why():
    material = material_of(
        [4, 4], noise=2, near_dup_groups=np.array([0, 0, 2, 3, 4, 4, 4, 7, 8, 9], np.int32)
    )
    notes = notes_of(
        material,
        target=Target(TargetKind.TEMPERED, 1.0),
        noise=NoisePolicy(NoiseKind.CAP, share=0.2),
        duplicates=DuplicatePolicy(DuplicateKind.DROP),
    )
    assert "1 row of noise is dropped." in notes
    assert "3 rows are dropped as near-duplicates of rows that are kept." in notes


def test_it_says_how_often_rows_are_repeated():
    notes = notes_of(material_of([50, 10]), target=UNIFORM, budget=60, max_repeat=2)
    assert "10 rows are repeated, at most 2 times." in notes


def test_it_says_how_many_tokens_were_spent():
    material = material_of([50, 10], row_tokens=np.full(60, 3))
    notes = notes_of(material, target=UNIFORM, budget=31, budget_unit=BudgetUnit.TOKENS)
    assert "They have 30 tokens, of a budget of 31." in notes


def test_many_emptied_clusters_are_counted_after_the_first():
    material = material_of([1] * 6, near_dup_groups=np.zeros(6, np.int32))
    notes = notes_of(material, duplicates=DuplicatePolicy(DuplicateKind.DROP))
    assert "Clusters 1, 2, 3 and 2 more have no rows left." in notes


def test_it_says_which_limits_cannot_be_met():
    notes = notes_of(material_of([30, 12]), target=UNIFORM, budget=42, floors={1: 20})
    assert any("1" in note and "20" in note for note in notes[2:])
