"""Groups of near-duplicates: stars on the neighbour graph, never chains; and what they count."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from level_rpc.errors import FieldInvalid
from levelling.duplicates.keepers import find_keepers, rank_rows
from levelling.duplicates.near_duplicates import (
    copy_shares,
    find_near_duplicates,
    near_duplicate_chains,
)
from levelling.request import KeepStrategy


def graph_of(vectors, neighbor_count):
    """The exact neighbour graph: row_nodes, indices, distances; equal vectors are one node."""
    nodes, row_nodes = np.unique(vectors, axis=0, return_inverse=True)
    distances = np.clip(1 - nodes @ nodes.T, 0, 2)
    np.fill_diagonal(distances, np.inf)
    indices = np.argsort(distances, axis=1, kind="stable")[:, : min(neighbor_count, len(nodes) - 1)]
    found = np.take_along_axis(distances, indices, axis=1).astype(np.float32)
    return row_nodes.reshape(-1).astype(np.int32), indices.astype(np.int32), found


def on_circle(degrees):
    angles = np.radians(np.asarray(degrees, np.float64))
    return np.stack([np.cos(angles), np.sin(angles)], axis=1)


def distance_of(degrees):
    return 1 - np.cos(np.radians(degrees))


def members(groups):
    return {tuple(np.flatnonzero(groups == group).tolist()) for group in set(groups.tolist())}


@st.composite
def rows_on_circle(draw):
    degrees = draw(st.lists(st.integers(0, 90), min_size=2, max_size=40))
    return on_circle(degrees), draw(st.integers(1, 6)), draw(st.sampled_from([0, 1.5, 3.5, 10.5]))


@settings(max_examples=50)
@given(rows_on_circle())
def test_every_row_is_within_the_distance_of_its_central_row(drawn):
    vectors, neighbor_count, degrees = drawn
    found = find_near_duplicates(*graph_of(vectors, neighbor_count), distance_of(degrees))
    cosines = np.einsum("ij,ij->i", vectors, vectors[found.groups])
    assert (1 - cosines <= distance_of(degrees) + 1e-6).all()
    assert (found.groups[found.groups] == found.groups).all()
    assert found.group_count + found.copy_count == len(vectors)
    assert (found.sizes == np.bincount(found.groups, minlength=len(vectors))[found.groups]).all()


@settings(max_examples=50)
@given(rows_on_circle(), st.randoms(use_true_random=False))
def test_which_rows_are_together_does_not_depend_on_their_order(drawn, random):
    vectors, neighbor_count, degrees = drawn
    row_nodes, indices, distances = graph_of(vectors, neighbor_count)
    order = list(range(len(vectors)))
    random.shuffle(order)
    texts = np.arange(len(vectors)) // 3
    found = find_near_duplicates(row_nodes, indices, distances, distance_of(degrees), texts)
    moved = find_near_duplicates(
        row_nodes[order], indices, distances, distance_of(degrees), texts[order]
    )
    back = {tuple(sorted(order[row] for row in group)) for group in members(moved.groups)}
    assert members(found.groups) == back


@settings(max_examples=50)
@given(rows_on_circle())
def test_chains_hold_whole_groups_and_every_near_pair_of_the_graph(drawn):
    vectors, neighbor_count, degrees = drawn
    row_nodes, indices, distances = graph_of(vectors, neighbor_count)
    graph = row_nodes, indices, distances
    chains = near_duplicate_chains(*graph, distance_of(degrees))
    groups = find_near_duplicates(*graph, distance_of(degrees)).groups
    assert (chains == chains[groups]).all()
    chain_of_node = np.zeros(len(indices), int)
    chain_of_node[row_nodes] = chains
    nodes, places = np.nonzero(distances <= distance_of(degrees))
    assert (chain_of_node[nodes] == chain_of_node[indices[nodes, places]]).all()


def test_a_chain_of_steps_within_the_distance_is_not_one_group():
    vectors = on_circle(range(0, 90, 3))
    graph = graph_of(vectors, 5)
    found = find_near_duplicates(*graph, distance_of(3.1))
    assert max(len(group) for group in members(found.groups)) == 3
    assert set(near_duplicate_chains(*graph, distance_of(3.1)).tolist()) == {0}


def test_a_template_has_few_groups_though_the_graph_holds_few_of_its_neighbours():
    # 61 variants, of which each lists its two nearest alone; a star reaches 15 to each side.
    vectors = on_circle(np.linspace(-6, 6, 61))
    found = find_near_duplicates(*graph_of(vectors, 2), distance_of(3.01))
    assert found.group_count <= 4
    assert found.sizes.max() >= 16


def test_equal_vectors_are_one_group_at_distance_0_and_its_first_row_is_central():
    vectors = on_circle([40, 10, 40, 70, 40])
    found = find_near_duplicates(*graph_of(vectors, 2), 0)
    assert found.groups.tolist() == [0, 1, 0, 3, 0]
    assert found.copy_count == 2


def test_rows_of_one_text_are_a_group_however_far_apart_and_rows_of_others_are_not():
    vectors = on_circle([0, 80, 40, 41])
    keys = np.array([7, 7, -1, 0])
    found = find_near_duplicates(*graph_of(vectors, 3), distance_of(0.5), keys)
    assert members(found.groups) == {(0, 1), (2,), (3,)}


def test_the_central_row_is_the_one_with_most_rows_around_it():
    vectors = on_circle([0, 3, 6, 6])
    found = find_near_duplicates(*graph_of(vectors, 3), distance_of(3.01))
    assert found.groups.tolist() == [1, 1, 1, 1]


@pytest.mark.parametrize("max_distance", [-0.1, 2.1, float("nan")])
def test_a_distance_out_of_range_is_refused(max_distance):
    with pytest.raises(FieldInvalid, match="from 0 to 2"):
        find_near_duplicates(*graph_of(on_circle([0, 9]), 1), max_distance)


def test_arrays_that_do_not_fit_together_are_refused():
    row_nodes, indices, distances = graph_of(on_circle([0, 9, 18]), 2)
    with pytest.raises(FieldInvalid, match="fit together"):
        find_near_duplicates(row_nodes, indices, distances[:, :1])
    with pytest.raises(FieldInvalid, match="not one of the graph's"):
        find_near_duplicates(row_nodes + 1, indices, distances)
    with pytest.raises(FieldInvalid, match="text keys"):
        find_near_duplicates(row_nodes, indices, distances, text_keys=np.zeros(2, np.int64))


def test_a_single_row_and_a_graph_without_neighbours_are_groups_of_their_own():
    found = find_near_duplicates(
        np.zeros(1, np.int32), np.empty((1, 0), np.int32), np.empty((1, 0), np.float32)
    )
    assert found.groups.tolist() == [0]


def test_the_share_of_copies_counts_rows_beyond_the_first_of_a_group_in_each_cluster():
    groups = np.array([0, 0, 0, 3, 4, 4, 6, 6], np.int32)
    labels = np.array([2, 2, 5, 5, 5, 5, -1, -1], np.int32)
    shares = copy_shares(groups, labels)
    assert shares.cluster_ids.tolist() == [2, 5]
    assert shares.row_counts.tolist() == [2, 4]
    assert shares.group_counts.tolist() == [1, 3]
    assert shares.shares.tolist() == [0.5, 0.25]


@pytest.mark.parametrize(
    ("keep", "kept"),
    [(KeepStrategy.CENTRAL, [1, 3]), (KeepStrategy.LONGEST, [2, 3]), (KeepStrategy.FIRST, [0, 3])],
)
def test_of_each_group_the_row_stays_that_was_asked_for(keep, kept):
    groups = np.array([1, 1, 1, 3, 3], np.int32)
    ranks = rank_rows(groups, keep, row_lengths=np.array([5, 4, 9, 7, 7]))
    assert np.flatnonzero(find_keepers(groups, ranks, np.ones(5, bool))).tolist() == kept


def test_when_the_central_row_may_not_stay_the_one_nearest_to_the_centroid_does():
    groups = np.array([1, 1, 1], np.int32)
    away = np.array([0.3, 0.0, 0.2], np.float32)
    ranks = rank_rows(groups, KeepStrategy.CENTRAL, centroid_distances=away)
    kept = find_keepers(groups, ranks, np.array([True, False, True]))
    assert kept.tolist() == [False, False, True]
