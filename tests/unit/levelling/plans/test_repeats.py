"""Copies spread evenly over the units of a slot and the rows of a unit."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from levelling.plans.repeats import spread_repeats


@st.composite
def slots_and_units(draw):
    units = np.array(draw(st.lists(st.integers(0, 8), min_size=1, max_size=40)))
    slots = (units % 3).astype(np.int32)
    used = np.array(draw(st.lists(st.booleans(), min_size=units.size, max_size=units.size)))
    ranks = np.array(draw(st.permutations(range(units.size))))
    has_rows = np.bincount(slots[used], minlength=3) > 0
    counts = np.array(draw(st.lists(st.integers(0, 60), min_size=3, max_size=3))) * has_rows
    return counts, slots, units, ranks, np.flatnonzero(used)


@given(slots_and_units(), st.integers(0, 2**63 - 1))
def test_copies_sum_up_to_the_counts_and_are_spread_evenly(drawn, seed):
    counts, slots, units, ranks, rows = drawn
    copies = spread_repeats(counts, slots, units, ranks, rows, seed)
    assert copies.dtype == np.int32
    assert np.delete(copies, rows).sum() == 0
    for slot, count in enumerate(counts):
        of_slot = rows[slots[rows] == slot]
        assert copies[of_slot].sum() == count
        of_units = [copies[of_slot[units[of_slot] == one]] for one in set(units[of_slot].tolist())]
        sums = [int(one.sum()) for one in of_units]
        assert not sums or max(sums) - min(sums) <= 1
        assert all(one.max() - one.min() <= 1 for one in of_units)


@given(slots_and_units())
def test_within_a_unit_the_rows_that_are_kept_first_have_the_odd_copies(drawn):
    counts, slots, units, ranks, rows = drawn
    copies = spread_repeats(counts, slots, units, ranks, rows, 0)
    for unit in set(units[rows].tolist()):
        of_unit = rows[units[rows] == unit]
        in_order = copies[of_unit[np.argsort(ranks[of_unit])]]
        assert (np.diff(in_order) <= 0).all()


def test_which_units_have_the_odd_copies_is_drawn_from_the_seed():
    rows = np.arange(100)
    slots, counts = np.zeros(100, np.int32), np.array([150])
    first = spread_repeats(counts, slots, rows, rows, rows, 1)
    assert np.array_equal(first, spread_repeats(counts, slots, rows, rows, rows, 1))
    assert not np.array_equal(first, spread_repeats(counts, slots, rows, rows, rows, 2))
