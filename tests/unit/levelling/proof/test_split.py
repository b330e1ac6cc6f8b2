import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from levelling.proof.split import split_by_groups


@st.composite
def grouped_rows(draw):
    rows = draw(st.integers(1, 120))
    seed = draw(st.integers(0, 10_000))
    class_count = draw(st.integers(1, 8))
    group_count = draw(st.integers(1, rows))
    generator = np.random.default_rng(seed)
    classes = generator.integers(0, class_count, rows)
    groups = generator.integers(0, group_count, rows) * 7 + 3
    return classes, groups, draw(st.floats(0.05, 0.5)), seed


@given(grouped_rows())
@settings(max_examples=150, deadline=None)
def test_no_group_is_on_both_sides_and_the_seed_decides(drawn):
    classes, groups, share, seed = drawn
    held_out = split_by_groups(classes, groups, share, np.random.default_rng(seed))
    assert not set(groups[held_out]) & set(groups[~held_out])
    assert (~held_out).any()
    again = split_by_groups(classes, groups, share, np.random.default_rng(seed))
    np.testing.assert_array_equal(held_out, again)


@given(st.lists(st.integers(1, 40), min_size=1, max_size=10), st.integers(0, 1000))
@settings(max_examples=100, deadline=None)
def test_every_class_of_several_rows_is_on_both_sides_by_its_share(sizes, seed):
    classes = np.repeat(np.arange(len(sizes)), sizes)
    held_out = split_by_groups(classes, np.arange(len(classes)), 0.25, np.random.default_rng(seed))
    for code, size in enumerate(sizes):
        count = int(held_out[classes == code].sum())
        assert count == 0 if size == 1 else 1 <= count < size
        assert size == 1 or abs(count - 0.25 * size) <= 1


def test_a_large_group_does_not_swallow_the_held_out_part():
    classes = np.zeros(110, dtype=np.int64)
    groups = np.concatenate([np.zeros(100, dtype=np.int64), np.arange(1, 11)])
    for seed in range(20):
        held_out = split_by_groups(classes, groups, 0.25, np.random.default_rng(seed))
        assert not held_out[0]
        assert 1 <= held_out.sum() <= 10
