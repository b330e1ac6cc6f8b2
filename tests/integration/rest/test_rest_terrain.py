"""GET /api/terrain and POST /api/adjust."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from tests.support.rest_gateway import GRID_SIZE, add_completed, add_dataset

PROBLEM = "application/problem+json"


def adjust(client, dataset_id, adjustments, **headers):
    return client.post(
        f"/api/adjust/{dataset_id}", json={"adjustments": adjustments}, headers=headers
    )


def adjust_raw(client, dataset_id, body):
    headers = {"Content-Type": "application/json"}
    return client.post(f"/api/adjust/{dataset_id}", content=body, headers=headers)


def assert_unchanged(client, dataset_id):
    assert client.get(f"/api/terrain/{dataset_id}").json()["revision"] == 0


def test_terrain_shows_hills_ground_figures_and_noise(client, dataset_id):
    answer = client.get(f"/api/terrain/{dataset_id}")
    terrain = answer.json()
    assert answer.status_code == 200
    assert terrain["gridSize"] == GRID_SIZE
    assert np.shape(terrain["heightData"]) == (GRID_SIZE, GRID_SIZE)
    assert np.max(terrain["heightData"]) == pytest.approx(10)
    assert [hill["size"] for hill in terrain["hills"]] == [30, 15, 5]
    assert [hill["height"] for hill in terrain["hills"]] == pytest.approx([10, 5, 10 / 6])
    noise = {"count": 10, "share": 1 / 6, "weight": 1, "effective_size": 10}
    assert noise.items() <= terrain["noise"].items()
    assert terrain["metrics"]["row_count"] == 60
    assert terrain["metrics"]["original"]["gini"] == terrain["metrics"]["gini"]
    assert terrain["revision"] == 0


def test_terrain_that_has_not_changed_is_not_sent_again(client, dataset_id):
    first = client.get(f"/api/terrain/{dataset_id}")
    headers = {"If-None-Match": first.headers["etag"]}
    again = client.get(f"/api/terrain/{dataset_id}", headers=headers)
    assert (again.status_code, again.content) == (304, b"")
    adjust(client, dataset_id, {"0": 0.5})
    assert client.get(f"/api/terrain/{dataset_id}", headers=headers).status_code == 200


def test_lowering_a_hill_lowers_its_ground_and_leaves_the_rest(client, dataset_id):
    before = client.get(f"/api/terrain/{dataset_id}").json()
    answer = adjust(client, dataset_id, {"0": 0.5, "-1": 0})
    after = client.get(f"/api/terrain/{dataset_id}").json()
    assert answer.status_code == 200
    assert answer.json()["weights"] == {"0": 0.5, "1": 1, "2": 1, "-1": 0}
    assert answer.json()["metrics"] == after["metrics"]
    assert answer.json()["revision"] == after["revision"] == 1
    hill = after["hills"][0]
    assert (hill["height"], hill["original_height"]) == pytest.approx((5, 10))
    assert (hill["weight"], hill["effective_size"]) == (0.5, 15)
    assert np.max(after["heightData"]) < np.max(before["heightData"])
    assert np.all(np.array(after["heightData"]) <= np.array(before["heightData"]) + 1e-4)
    assert after["metrics"]["original"] == before["metrics"]["original"]
    assert after["metrics"]["row_count"] == 50


def test_clusters_that_are_not_named_keep_their_weights(client, dataset_id):
    adjust(client, dataset_id, {"0": 0.5})
    weights = adjust(client, dataset_id, {"1": 2}).json()["weights"]
    assert weights == {"0": 0.5, "1": 2, "2": 1, "-1": 1}


@pytest.mark.parametrize("weight", [0, -0.0, 5e-324, 1e-320, 1e6])
def test_extreme_weights_are_taken(client, dataset_id, weight):
    answer = adjust(client, dataset_id, {"0": weight})
    assert answer.status_code == 200
    assert answer.json()["weights"]["0"] == (weight if weight >= 1e-300 else 0)
    assert "-0.0" not in answer.text
    assert client.get(f"/api/terrain/{dataset_id}").status_code == 200


@pytest.mark.parametrize(
    "literal",
    ["NaN", "Infinity", "-Infinity", "1e400", '"nan"', '"1e3"', "-1", "-1e308", "1e308", "1e7"],
)
def test_what_is_no_finite_weight_in_range_is_refused(client, dataset_id, literal):
    assert_weight_refused(client, dataset_id, literal)


@pytest.mark.parametrize(
    "literal", ["true", "null", "[1]", "{}", "1" + "0" * 5_000, "-0.001", "1000000.0001"]
)
def test_what_is_no_number_in_range_is_refused(client, dataset_id, literal):
    assert_weight_refused(client, dataset_id, literal)


def assert_weight_refused(client, dataset_id, literal):
    answer = adjust_raw(client, dataset_id, f'{{"adjustments": {{"1": 2, "0": {literal}}}}}')
    assert answer.status_code == 422
    assert answer.headers["content-type"] == PROBLEM
    assert_unchanged(client, dataset_id)


@pytest.mark.parametrize(
    "key",
    [
        *("true", " 3 ", "3.0", "1_000", "01", "１", "-0", "+1", "", str(2**63), "9" * 5_000, "-2"),
        *("999999", "\\ud800", "__proto__", "\\u0000", "x" * 900_000, "<b>"),
    ],
)
def test_only_ids_that_exist_in_their_usual_spelling_are_taken(client, dataset_id, key):
    answer = adjust_raw(client, dataset_id, f'{{"adjustments": {{"0": 2, "{key}": 1}}}}'.encode())
    assert answer.status_code == 422
    assert answer.json()["reason"] == "WEIGHTS_REFUSED"
    assert len(answer.content) < 1_000
    assert_unchanged(client, dataset_id)


def test_at_most_ten_unknown_ids_are_named(client, dataset_id):
    answer = adjust(client, dataset_id, {str(number): 1 for number in range(100)})
    assert answer.status_code == 422
    assert '"3", "4"' in answer.json()["detail"]
    assert "and 87 more" in answer.json()["detail"]


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ('{"adjustments": {"1": 1, "1": 99}}', 400),
        ('{"adjustments": {"1": 1}, "adjustments": {"1": 2}}', 400),
        ("", 400),
        ("{", 400),
        ("adjustments=1", 400),
        (b'{"adjustments": {"1": \xff}}', 400),
        ("[" * 100_000, 400),
        ("[]", 422),
        ("1", 422),
        ("null", 422),
        ("{}", 422),
        ('{"adjustments": {}}', 422),
        ('{"adjustments": []}', 422),
        ('{"adjustments": null}', 422),
        ('{"adjustments": {"1": 1}, "status": "failed"}', 422),
        ('{"adjustments": {"0": 0, "1": 0, "2": 0}}', 422),
        ('{"adjustments": {"0": 0, "1": 0, "2": 0, "-1": 0}}', 422),
        (" " * 1_000_001, 413),
    ],
)
def test_what_is_no_adjustment_is_refused(client, dataset_id, body, status):
    answer = adjust_raw(client, dataset_id, body)
    assert answer.status_code == status
    assert answer.headers["content-type"] == PROBLEM
    assert_unchanged(client, dataset_id)


def test_two_million_keys_are_refused_unread(client, dataset_id):
    answer = adjust_raw(client, dataset_id, b'{"adjustments": {' + b'"1": 1, ' * 3_000_000)
    assert answer.status_code == 413
    assert_unchanged(client, dataset_id)


def test_noise_can_be_weighed_where_there_is_none(client, gateway):
    dataset_id = add_completed(gateway, [0] * 30 + [1] * 30)
    before = client.get(f"/api/terrain/{dataset_id}").json()
    answer = adjust(client, dataset_id, {"-1": 0})
    assert answer.status_code == 200
    assert answer.json()["weights"] == {"0": 1, "1": 1, "-1": 0}
    assert answer.json()["metrics"] == before["metrics"]
    assert client.get(f"/api/export/{dataset_id}").content.count(b",1.0\r\n") == 60
    assert adjust(client, dataset_id, {"0": 0, "1": 0, "-1": 5}).status_code == 422


def test_a_dataset_of_noise_alone_is_flat(client, gateway):
    dataset_id = add_completed(gateway, [-1] * 60)
    terrain = client.get(f"/api/terrain/{dataset_id}").json()
    assert terrain["hills"] == []
    assert np.max(terrain["heightData"]) == 0
    assert (terrain["metrics"]["gini"], terrain["metrics"]["flatness"]) == (0, 1)
    assert adjust(client, dataset_id, {"-1": 2}).status_code == 200
    assert adjust(client, dataset_id, {"-1": 0}).status_code == 422


def test_a_stale_revision_is_refused(client, dataset_id):
    etag = client.get(f"/api/terrain/{dataset_id}").headers["etag"]
    headers = {"If-Match": etag}
    assert adjust(client, dataset_id, {"0": 2}, **headers).status_code == 200
    assert adjust(client, dataset_id, {"0": 3}, **headers).status_code == 412
    assert adjust(client, dataset_id, {"0": 3}, **{"If-Match": "nonsense"}).status_code == 412
    assert adjust(client, dataset_id, {"0": 3}, **{"If-Match": '"7", "1"'}).status_code == 200
    assert adjust(client, dataset_id, {"0": 4}, **{"If-Match": "*"}).json()["revision"] == 3


def test_of_two_at_once_with_one_revision_one_wins(gateway, client, dataset_id):
    with ThreadPoolExecutor(2) as threads:
        calls = [
            threads.submit(adjust, client, dataset_id, {"0": weight}, **{"If-Match": '"0"'})
            for weight in (2, 3)
        ]
        statuses = sorted(call.result().status_code for call in calls)
    assert statuses == [200, 412]


def test_nothing_can_be_adjusted_before_completion_or_after_failure(client, gateway):
    dataset_id = add_dataset(gateway)
    for path in ("terrain", "export"):
        assert client.get(f"/api/{path}/{dataset_id}").status_code == 409
    assert adjust(client, dataset_id, {"0": 1}).status_code == 409
    gateway.store.fail(dataset_id, "The model is gone.")
    answer = adjust(client, dataset_id, {"0": 1})
    assert answer.status_code == 409
    assert "The model is gone." in answer.json()["detail"]
    client.delete(f"/api/datasets/{dataset_id}")
    assert adjust(client, dataset_id, {"0": 1}).status_code == 404


def test_many_hills_are_measured_and_drawn(client, gateway):
    labels = np.repeat(np.arange(200), 3)
    dataset_id = add_completed(gateway, labels)
    weights = {str(cluster): 1 / (cluster + 1) for cluster in range(200)}
    assert adjust(client, dataset_id, weights).json()["weights"] == {**weights, "-1": 1}
    terrain = client.get(f"/api/terrain/{dataset_id}").json()
    assert [hill["weight"] for hill in terrain["hills"]] == list(weights.values())
