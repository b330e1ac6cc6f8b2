import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.duplicate_counts import GroupCounts, count_hills, describe_near_duplicates
from gateway.layers import Layers

# Finer clusters 10..13 lie two by two in 0 and 1.
STORED = [
    {
        "layer_index": 0,
        "is_terrain_layer": False,
        "clusters": [{"cluster_id": 10 + n, "size": 0, "parent_id": n // 2} for n in range(4)],
    },
    {
        "layer_index": 1,
        "is_terrain_layer": True,
        "clusters": [{"cluster_id": n, "size": 0, "parent_id": -1} for n in range(2)],
    },
]


def layers_of(labels):
    """Return the layers with the sizes that labels of the finest give."""
    sizes = [int((labels == 10 + number).sum()) for number in range(4)]
    fine, coarse = ({**layer, "clusters": list(layer["clusters"])} for layer in STORED)
    fine["clusters"] = [
        {**one, "size": size} for one, size in zip(fine["clusters"], sizes, strict=True)
    ]
    coarse["clusters"] = [
        {**one, "size": sum(sizes[2 * place : 2 * place + 2])}
        for place, one in enumerate(coarse["clusters"])
    ]
    return Layers.from_stored([fine, coarse])


@st.composite
def rows(draw):
    """Labels of rows, and groups that are named by one of their rows."""
    count = draw(st.integers(1, 40))
    labels = draw(st.lists(st.sampled_from([-1, 10, 11, 12, 13]), min_size=count, max_size=count))
    parts = draw(st.lists(st.integers(0, count - 1), min_size=count, max_size=count))
    groups = np.zeros(count, dtype=np.int32)
    for part in set(parts):
        members = [row for row in range(count) if parts[row] == part]
        groups[members] = draw(st.sampled_from(members))
    return np.array(labels, dtype=np.int32), groups


@given(rows())
def test_every_group_counts_once_and_counts_add_up_over_layers(data):
    labels, groups = data
    layers = layers_of(labels)
    counts = GroupCounts.from_rows(groups, labels, layers.finest)
    assert counts.finest.sum() + counts.noise == len(np.unique(groups))
    coarse = counts.of(layers.layers[1])
    assert coarse.tolist() == [counts.finest[:2].sum(), counts.finest[2:].sum()]
    kept = labels[np.unique(groups)]  # the central rows
    assert counts.finest.tolist() == [(kept == 10 + number).sum() for number in range(4)]
    counted = counts.count_layers(layers)
    assert counted.layers[1].sizes.tolist() == coarse.tolist()


@given(rows())
def test_no_cluster_has_more_groups_than_rows(data):
    labels, groups = data
    layers = layers_of(labels)
    counts = GroupCounts.from_rows(groups, labels, layers.finest)
    hills = [{"cluster_id": n, "size": int(size)} for n, size in enumerate(layers.terrain.sizes)]
    described = describe_near_duplicates(hills, counts, layers.terrain)
    for hill in described:
        assert 0 <= hill["group_count"] <= hill["size"]
        assert 0 <= hill["near_duplicate_share"] <= 1
    heights = [hill["original_height"] for hill in count_hills(described)]
    assert max(heights) == (10 if any(hill["group_count"] for hill in described) else 0)


def test_what_was_not_looked_for_is_null():
    hills = describe_near_duplicates([{"cluster_id": 0}], None, layers_of(np.array([10])).terrain)
    assert hills == ({"cluster_id": 0, "group_count": None, "near_duplicate_share": None},)


def test_copies_are_a_share_of_rows():
    labels = np.array([10] * 4 + [11], dtype=np.int32)
    groups = np.array([0, 0, 0, 3, 4], dtype=np.int32)
    layers = layers_of(labels)
    counts = GroupCounts.from_rows(groups, labels, layers.finest)
    (first, _) = describe_near_duplicates([{"size": 5}, {"size": 0}], counts, layers.terrain)
    assert first["group_count"] == 3
    assert first["near_duplicate_share"] == pytest.approx(0.4)
