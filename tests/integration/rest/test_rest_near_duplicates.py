"""Near-duplicates in a terrain: told of each hill, and counted once where that is asked for."""

import numpy as np
import pytest

from tests.integration.rest.conftest import LABELS
from tests.support.rest_gateway import add_completed

FINER = np.repeat([3, 4, 5, 6, -1], [20, 10, 15, 5, 10])


def groups_of(*copies):
    """Return groups of 60 rows in which each range (first, stop) is one."""
    groups = np.arange(60, dtype=np.int32)
    for first, stop in copies:
        groups[first:stop] = first
    return groups


@pytest.fixture
def copied_id(gateway):
    """Return a dataset: of 30 rows, 20 are copies of one; 4 of the noise are copies of one."""
    groups = groups_of((0, 21), (50, 55))
    return add_completed(gateway, LABELS, around=[FINER], arrays={"near_dup_groups": groups})


def read(client, dataset_id, **query):
    answer = client.get(f"/api/terrain/{dataset_id}", params=query)
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_hills_tell_their_copies(client, copied_id):
    hills = read(client, copied_id)["hills"]
    assert [hill["size"] for hill in hills] == [30, 15, 5]
    assert [hill["group_count"] for hill in hills] == [10, 15, 5]
    shares = [hill["near_duplicate_share"] for hill in hills]
    assert shares == pytest.approx([2 / 3, 0, 0], abs=1e-5)


def test_sizes_heights_and_figures_count_the_same_groups(client, copied_id):
    terrain = read(client, copied_id, count="groups")
    assert terrain["count"] == "groups"
    assert [hill["size"] for hill in terrain["hills"]] == [10, 15, 5]
    heights = [hill["height"] for hill in terrain["hills"]]
    assert heights == pytest.approx([20 / 3, 10, 10 / 3], abs=1e-3)
    assert np.max(terrain["heightData"]) == pytest.approx(10)
    assert terrain["noise"]["count"] == terrain["metrics"]["noise_count"] == 6
    assert terrain["noise"]["share"] == pytest.approx(6 / 36)
    assert terrain["metrics"]["row_count"] == 36
    assert terrain["metrics"]["gini"] == pytest.approx(2 * (5 + 20 + 45) / 90 - 4 / 3)
    rows = read(client, copied_id)
    assert (rows["count"], rows["metrics"]["row_count"]) == ("rows", 60)
    assert rows["metrics"]["gini"] > terrain["metrics"]["gini"]


def test_weights_act_on_groups_and_add_up_over_layers(client, copied_id):
    client.post(f"/api/adjust/{copied_id}", json={"adjustments": {"3": 0.5, "4": 3, "-1": 0}})
    fine = read(client, copied_id, count="groups", layer=0)
    coarse = read(client, copied_id, count="groups")
    # The finer cluster 3 has nothing but copies of the first row.
    sizes = {hill["cluster_id"]: hill["size"] for hill in fine["hills"]}
    assert sizes == {3: 1, 4: 9, 5: 15, 6: 5}
    effective = {hill["cluster_id"]: hill["effective_size"] for hill in fine["hills"]}
    assert effective == pytest.approx({3: 0.5, 4: 27, 5: 15, 6: 5})
    assert coarse["hills"][0]["effective_size"] == pytest.approx(27.5)
    assert coarse["hills"][0]["weight"] == pytest.approx(2.75)
    assert fine["metrics"]["row_count"] == coarse["metrics"]["row_count"] == 30
    original = coarse["metrics"]["original"]
    assert (original["row_count"], original["max_repeat"]) == (36, 1)


def test_a_group_counts_once_in_the_cluster_of_its_central_row(client, gateway):
    groups = groups_of((28, 32))  # two rows in the first cluster, two in the second
    dataset_id = add_completed(gateway, LABELS, arrays={"near_dup_groups": groups})
    hills = read(client, dataset_id, count="groups")["hills"]
    assert [hill["size"] for hill in hills] == [29, 13, 5]
    assert sum(hill["size"] for hill in hills) + 10 == len(np.unique(groups))


def test_a_dataset_of_an_earlier_version_says_so(client, dataset_id):
    hills = read(client, dataset_id)["hills"]
    assert {hill["group_count"] for hill in hills} == {None}
    assert {hill["near_duplicate_share"] for hill in hills} == {None}
    answer = client.get(f"/api/terrain/{dataset_id}?count=groups")
    assert (answer.status_code, answer.json()["reason"]) == (409, "DATASET_TOO_OLD")
    assert client.get(f"/api/terrain/{dataset_id}?count=words").status_code == 422
