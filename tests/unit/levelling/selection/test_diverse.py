"""Diverse picks: the greedy ones, even over topics, and as good in blocks as by all pairs."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse import csr_array

from levelling.selection import select_rows
from levelling.selection.blocks import split_rows
from levelling.selection.choice import Choice
from levelling.selection.covers import UNIT, DenseCover, SparseCover, nearest_cosines, to_units
from levelling.selection.discounts import Discounts
from levelling.selection.diverse import EXPONENT, pick_diverse
from levelling.selection.greedy import pick_greedily
from levelling.selection.nested_cuts import cut_trees, link
from levelling.selection.projection import project
from tests.support.pick_tasks import graph_of, long_tail, task_of


def any_of(row_count, budget):
    return Choice(np.arange(row_count), np.zeros(row_count, np.int32), None, budget)


def diverse(vectors, budget, **options):
    """Any rows of all; `dense_rows=0` forces blocks."""
    return pick_diverse(any_of(len(vectors), budget), vectors, lambda fraction: None, **options)


def no_report(fraction):
    pass


def greedy_by_hand(similarities, cuts, choice):
    """The same greedy, every score computed anew for every pick."""
    best = np.zeros(len(similarities), np.int64)
    counts = [np.zeros(len(best), np.int64) for _ in cuts]
    left = None if choice.counts is None else choice.counts.copy()
    picked: list[int] = []
    for _ in range(choice.budget):
        scores = np.maximum(similarities - best, 0).sum(axis=1) + 1.0
        factors = np.ones(len(best))
        for cut, count in zip(cuts, counts, strict=True):
            factors *= (1.0 + count[cut]) ** -EXPONENT
        scores *= factors
        scores[picked] = 0
        if left is not None:
            scores[left[choice.slots] == 0] = 0
        row = int(scores.argmax())
        picked.append(row)
        best = np.maximum(best, similarities[row])
        for cut, count in zip(cuts, counts, strict=True):
            count[cut[row]] += 1
        if left is not None:
            left[choice.slots[row]] -= 1
    return picked


@st.composite
def greedy_tasks(draw):
    """Cosines of drawn rows, three nested cuts, and a choice."""
    size = draw(st.integers(2, 30))
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    rows = rng.standard_normal((size, 3)).astype(np.float32)
    rows[rng.integers(0, size, size // 3)] = rows[0]
    projected = project(rows, np.arange(size))
    cosines = projected @ projected.T
    cuts = cut_trees([link(cosines)], [1, 3, 7])
    slots = rng.integers(0, 3, size).astype(np.int32)
    counts = rng.integers(0, np.bincount(slots, minlength=3) + 1) if draw(st.booleans()) else None
    budget = draw(st.integers(1, size)) if counts is None else int(counts.sum())
    return cosines, cuts, Choice(np.arange(size), slots, counts, budget)


@settings(max_examples=60, deadline=None)
@given(greedy_tasks(), st.booleans())
def test_scores_kept_up_to_date_are_scores_computed_anew(drawn, is_sparse):
    cosines, cuts, choice = drawn
    units = to_units(cosines).astype(np.int64)
    if is_sparse:
        near = nearest_cosines(cosines, 4)
        units, cover = near.toarray().astype(np.int64), SparseCover(near)
    else:
        cover = DenseCover(to_units(cosines))
    discounts = Discounts(cuts, EXPONENT, choice.budget)
    bounds = np.array([0, len(cosines)])
    picked = pick_greedily(choice, cover, discounts, bounds, no_report)
    assert picked.tolist() == greedy_by_hand(units, cuts, choice)


@settings(max_examples=40, deadline=None)
@given(greedy_tasks(), st.integers(2, 5))
def test_blocks_that_share_nothing_are_picked_from_as_if_they_were_one(drawn, block_count):
    """With several blocks the best row of each is remembered; that must change nothing."""
    cosines, _, choice = drawn
    block_count = min(block_count, len(cosines))
    blocks = np.arange(len(cosines)) * block_count // len(cosines)
    apart = np.where(blocks[:, None] == blocks, to_units(cosines), 0).astype(np.int32)
    starts = np.searchsorted(blocks, np.arange(block_count + 1))
    for bounds in (starts, np.array([0, len(cosines)])):
        discounts = Discounts([blocks], EXPONENT, choice.budget)
        cover = SparseCover(csr_array(apart))
        picked = pick_greedily(choice, cover, discounts, bounds, no_report)
        assert picked.tolist() == greedy_by_hand(apart.astype(np.int64), [blocks], choice)


def test_equal_rows_have_the_similarity_of_one_unit():
    cosines = np.array([[1.0, -0.2], [-0.2, 1.0000001]], np.float32)
    assert to_units(cosines).tolist() == [[UNIT, 0], [0, UNIT]]


def test_cuts_are_nested_and_share_one_height_over_all_trees():
    vectors, _ = long_tail(9, 40)
    wide, tight = vectors[:60], vectors[60:61] + 0.01 * vectors[61:]
    tight /= np.linalg.norm(tight, axis=1, keepdims=True)
    cuts = cut_trees([link(wide @ wide.T), link(tight @ tight.T)], [2, 10, 30, len(vectors)])
    assert [len(set(cut.tolist())) for cut in cuts] == [2, 10, 30, len(wide) + len(tight)]
    for coarse, fine in pairwise(cuts):
        assert len(set(zip(fine.tolist(), coarse.tolist(), strict=True))) == len(set(fine.tolist()))
    assert len(set(cuts[2][60:].tolist())) == 1


@pytest.mark.parametrize("options", [{}, {"dense_rows": 100}])
def test_each_of_as_many_blobs_as_picks_gets_one(options):
    """However large the largest is, and however small the smallest."""
    rng = np.random.default_rng(0)
    centres = np.linalg.qr(rng.standard_normal((40, 12)))[0].T
    blobs = rng.permutation(np.repeat(np.arange(12), 400 // (1 + np.arange(12)) ** 2 + 1))
    vectors = centres[blobs] + 0.01 * rng.standard_normal((blobs.size, 40))
    picked = diverse(vectors.astype(np.float32), 12, **options)
    assert sorted(blobs[picked].tolist()) == list(range(12))


def topics_covered(topics, picked):
    return np.bincount(topics[picked], minlength=topics.max() + 1)


@pytest.mark.parametrize("seed", range(3))
def test_small_topics_get_more_than_their_share_and_large_ones_less(seed):
    vectors, topics = long_tail(40, 60, seed)
    budget = int(0.3 * len(vectors))
    picked = topics_covered(topics, diverse(vectors, budget))
    sizes = np.bincount(topics)
    assert picked[-13:].sum() > 1.2 * 0.3 * sizes[-13:].sum()
    assert picked[:5].sum() < 0.85 * 0.3 * sizes[:5].sum()
    assert picked.min() >= 1


def unevenness(topics, picked):
    shares = topics_covered(topics, picked) / picked.size
    return float((shares**2).sum() * shares.size)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("share", [0.05, 0.3])
def test_blocks_level_as_well_as_all_pairs(seed, share):
    """In one round for many rows, in two for few."""
    vectors, topics = long_tail(60, 120, seed)
    budget = int(share * len(vectors))
    dense, blocks = diverse(vectors, budget), diverse(vectors, budget, dense_rows=600)
    chance = np.random.default_rng(seed).permutation(len(vectors))[:budget]
    gained = unevenness(topics, chance) - unevenness(topics, dense)
    assert unevenness(topics, chance) - unevenness(topics, blocks) > 0.85 * gained > 0
    assert np.unique(blocks).size == budget


def test_few_rows_of_many_are_picked_in_two_rounds():
    vectors, topics = long_tail(60, 120)
    picked = diverse(vectors, 60, dense_rows=600)
    assert np.unique(picked).size == 60
    assert np.count_nonzero(topics_covered(topics, picked)) > 45
    counts = np.zeros(60, np.int64)
    counts[:9] = [5, 0, 1, 2, 3, 4, 5, 6, 7]
    choice = Choice(np.arange(len(vectors)), topics.astype(np.int32), counts, int(counts.sum()))
    rows = pick_diverse(choice, vectors, no_report, dense_rows=600)
    assert np.array_equal(topics_covered(topics, rows), counts)


def test_the_order_of_rows_shows_in_ties_alone():
    """Of two rows that stand for nobody but each other, either may be picked."""
    vectors, _ = long_tail(20, 50)
    order = np.random.default_rng(1).permutation(len(vectors))
    one, other = diverse(vectors, 90), order[diverse(vectors[order], 90)]
    assert np.intersect1d(one, other).size >= 80
    similarities = project(vectors, np.arange(len(vectors)))
    similarities = similarities @ similarities.T
    covered = similarities[one].max(axis=0).sum()
    assert similarities[other].max(axis=0).sum() == pytest.approx(covered, rel=1e-3)


def test_rows_near_those_of_another_slot_are_covered_by_them():
    """The slot of each row is drawn: what one slot picked the other need not pick again."""
    rng = np.random.default_rng(0)
    centres = np.linalg.qr(rng.standard_normal((20, 10)))[0].T
    blobs = np.repeat(np.arange(10), 8)
    vectors = (centres[blobs] + 0.01 * rng.standard_normal((80, 20))).astype(np.float32)
    task = task_of(np.tile([0, 1], 40), 10, counts=[5, 5])
    rows = select_rows(vectors, graph_of(vectors), task).rows
    assert sorted(blobs[rows].tolist()) == list(range(10))


def test_copies_that_a_policy_dropped_do_not_weigh():
    """A hundred copies of one row, dropped: the pick is that of the rest alone."""
    vectors, _ = long_tail(10, 30)
    copies = np.repeat(vectors[:1], 100, axis=0)
    both = np.concatenate([vectors, copies])
    candidates = np.arange(len(both)) < len(vectors)
    labels = np.zeros(len(both), np.int32)
    task = task_of(labels, 25, candidates=candidates)
    alone = select_rows(vectors, graph_of(vectors), task_of(labels[: len(vectors)], 25))
    assert np.array_equal(select_rows(both, graph_of(both), task).rows, alone.rows)


@pytest.mark.parametrize("block_rows", [1, 10, 50])
def test_blocks_have_all_rows_and_at_most_twice_as_many_as_wanted(block_rows):
    vectors, _ = long_tail(15, 60)
    blocks = split_rows(vectors, block_rows)
    assert max(block.size for block in blocks) <= 2 * block_rows
    assert np.array_equal(np.sort(np.concatenate(blocks)), np.arange(len(vectors)))
    assert all((np.diff(block) > 0).all() for block in blocks)
    same = split_rows(np.ones((100, 3), np.float32), block_rows)
    assert max(block.size for block in same) <= 2 * block_rows


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 60), st.sampled_from([1, 2, 3, 80]), st.booleans(), st.data())
def test_small_and_odd_input_in_blocks(size, dimensions, is_dense, data):
    rng = np.random.default_rng(data.draw(st.integers(0, 1000)))
    vectors = rng.integers(-1, 2, (size, dimensions)).astype(np.float32)
    budget = data.draw(st.integers(1, size))
    picked = diverse(vectors, budget, dense_rows=4000 if is_dense else 0)
    assert np.unique(picked).size == budget


def test_projected_rows_have_the_mean_of_two_cosines():
    rng = np.random.default_rng(0)
    low = rng.standard_normal((300, 64)) * np.linspace(3, 1, 64)
    turn = np.linalg.qr(rng.standard_normal((200, 64)))[0].T
    vectors = (low / np.linalg.norm(low, axis=1, keepdims=True)) @ turn + 0.0
    rows = np.arange(0, 300, 2)
    projected = project(vectors.astype(np.float32), rows)
    centred = vectors[rows] - vectors[rows].mean(axis=0)
    centred /= np.linalg.norm(centred, axis=1, keepdims=True)
    assert projected.shape == (150, 264)
    wanted = (centred @ centred.T + vectors[rows] @ vectors[rows].T) / 2
    assert projected @ projected.T == pytest.approx(wanted, abs=1e-4)
