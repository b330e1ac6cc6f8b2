"""One dataset in several layers: read, adjusted and exported in each."""

import csv
import io

import numpy as np
import pytest

from tests.support.rest_gateway import add_completed

# Terrain clusters 0 and 1 and noise; finer: 2 and 4 in 0, 3 in 1; coarser: 5, of both.
TERRAIN = [0] * 40 + [1] * 15 + [-1] * 5
FINE = [2] * 30 + [4] * 10 + [3] * 15 + [-1] * 5
COARSE = [5] * 55 + [-1] * 5


@pytest.fixture
def layered(gateway):
    """Return a dataset of three layers; the terrain's is the middle one."""
    return add_completed(gateway, TERRAIN, around=(FINE, COARSE))


def read(client, dataset_id, layer=None):
    params = {} if layer is None else {"layer": layer}
    return client.get(f"/api/terrain/{dataset_id}", params=params).json()


def adjust(client, dataset_id, adjustments, **params):
    return client.post(
        f"/api/adjust/{dataset_id}", json={"adjustments": adjustments}, params=params
    )


def export(client, dataset_id, **params):
    text = client.get(f"/api/export/{dataset_id}", params=params).text
    return list(csv.DictReader(io.StringIO(text)))


def weights_of(terrain):
    return {hill["cluster_id"]: hill["weight"] for hill in terrain["hills"]}


def test_the_terrain_layer_is_shown_unless_another_is_asked_for(client, layered):
    terrain = read(client, layered)
    assert terrain == read(client, layered, 1)
    assert terrain["layer"] == 1
    assert [layer["cluster_count"] for layer in terrain["layers"]] == [3, 2, 1]
    assert [layer["is_terrain_layer"] for layer in terrain["layers"]] == [False, True, False]
    assert [layer["first_cluster_id"] for layer in terrain["layers"]] == [2, 0, 5]
    assert terrain["layout"] == {"own_hill_fraction": 0.9, "neighbor_preservation": 0.4}


def test_every_layer_is_a_terrain_of_the_same_rows(client, layered):
    for layer in (0, 1, 2):
        terrain = read(client, layered, layer)
        assert terrain["layer"] == layer
        assert sum(hill["size"] for hill in terrain["hills"]) == 55
        assert len(terrain["hills"]) == terrain["metrics"]["cluster_count"]
        assert max(hill["height"] for hill in terrain["hills"]) == pytest.approx(10)
        assert np.max(terrain["heightData"]) == pytest.approx(10, abs=1e-3)
        assert terrain["noise"]["count"] == 5
    fine = {hill["cluster_id"]: hill["parent_id"] for hill in read(client, layered, 0)["hills"]}
    assert fine == {2: 0, 3: 1, 4: 0}


@pytest.mark.parametrize("layer", ["3", "-1", "x", "1.5", "99999999999999999999"])
def test_a_layer_that_is_not_there_is_refused(client, layered, layer):
    for path in ("terrain", "export"):
        params = {"layer": layer, "format": "clusters"}
        answer = client.get(f"/api/{path}/{layered}", params=params)
        assert answer.status_code == 422
        assert answer.headers["content-type"] == "application/problem+json"
    assert adjust(client, layered, {"0": 2}, layer=layer).status_code == 422
    assert read(client, layered)["revision"] == 0


def test_a_dataset_of_an_earlier_version_has_one_layer(client, dataset_id):
    terrain = read(client, dataset_id)
    assert [layer["cluster_count"] for layer in terrain["layers"]] == [3]
    assert read(client, dataset_id, 0) == terrain
    answer = client.get(f"/api/terrain/{dataset_id}?layer=1")
    assert answer.status_code == 422
    assert "only layer 0" in answer.json()["detail"]


def test_status_says_why_the_layer_and_the_noise(client, gateway, layered):
    outcome = {
        "algorithm": "communities",
        "reason": "It found 2 clusters.",
        "parameters": {"resolution": 1.0},
        "noise_count": 5,
        "graph_recall": 1.0,
        "eps_curve": [],
    }
    gateway.store.note(layered, clustering=outcome)  # as an earlier version stored it
    shown = client.get(f"/api/status/{layered}").json()["clustering"]
    assert outcome.items() <= shown.items()
    assert (shown["noise"], shown["layer_count"], shown["layer_reason"]) == (None, 1, "")
    noise = {"count": 5, "reason": "They lie apart.", "sparse_count": 4, "small_cluster_count": 1}
    outcome |= {"noise": noise, "layer_count": 3, "layer_reason": "2 hills are few."}
    gateway.store.note(layered, clustering=outcome)
    assert client.get(f"/api/status/{layered}").json()["clustering"] == outcome


def test_a_weight_is_seen_from_every_layer(client, layered):
    answer = adjust(client, layered, {"4": 5})
    assert answer.json()["weights"] == {"0": 2, "1": 1, "-1": 1}
    assert weights_of(read(client, layered, 0)) == {2: 1, 3: 1, 4: 5}
    assert weights_of(read(client, layered)) == {0: 2, 1: 1}
    assert weights_of(read(client, layered, 2)) == {5: pytest.approx(95 / 55)}
    hill = read(client, layered)["hills"][0]
    assert (hill["height"], hill["effective_size"]) == (pytest.approx(20), 80)


def test_a_hill_of_the_terrain_moves_what_is_in_it(client, layered):
    adjust(client, layered, {"4": 5})
    answer = adjust(client, layered, {"0": 0.5}, layer=0)
    assert answer.json()["weights"] == {"2": 0.25, "3": 1, "4": 1.25, "-1": 1}
    assert answer.json()["metrics"] == read(client, layered, 0)["metrics"]
    assert weights_of(read(client, layered)) == {0: 0.5, 1: 1}


def test_figures_of_each_layer_count_its_own_hills_and_the_same_rows(client, layered):
    adjust(client, layered, {"2": 0, "4": 4, "-1": 0})
    seen = [read(client, layered, layer)["metrics"] for layer in (0, 1, 2)]
    for name in ("row_count", "effective_sample_size", "design_effect", "max_repeat"):
        assert len({metrics[name] for metrics in seen}) == 1
    assert [metrics["cluster_count"] for metrics in seen] == [3, 2, 1]
    assert seen[1]["row_count"] == 25
    assert seen[1]["gini"] == pytest.approx((40 - 15) / (2 * 55))
    assert seen[2]["flatness"] == 1


def test_clusters_that_lie_in_each_other_are_refused_together(client, layered):
    answer = adjust(client, layered, {"0": 2, "4": 1})
    assert (answer.status_code, answer.json()["reason"]) == (422, "WEIGHTS_REFUSED")
    assert adjust(client, layered, {"5": 0}).status_code == 422
    assert read(client, layered)["revision"] == 0
    assert adjust(client, layered, {"0": 2, "3": 1}).status_code == 200


def test_exported_weights_are_those_of_the_finest_layer(client, layered):
    adjust(client, layered, {"4": 3, "1": 0})
    weights = [float(row["weight"]) for row in export(client, layered)]
    relative = np.array(weights) / weights[0]
    assert relative == pytest.approx([1] * 30 + [3] * 10 + [0] * 15 + [1] * 5)
    assert np.mean(weights) == pytest.approx(1)
    drawn = export(client, layered, format="resampled")
    assert not {row["id"] for row in drawn} & {f"{row:03}" for row in range(40, 55)}


def test_clusters_are_listed_by_row_in_any_layer(client, layered):
    for layer, labels in ((None, TERRAIN), (0, FINE), (1, TERRAIN), (2, COARSE)):
        params = {} if layer is None else {"layer": layer}
        rows = export(client, layered, format="clusters", **params)
        assert [int(row["cluster_id"]) for row in rows] == labels
        assert rows[0]["cluster_label"] == f"Topic {labels[0]}"
        assert rows[-1]["cluster_label"] == "noise"


def test_layers_are_listed_with_a_line_for_each_cluster(client, layered):
    adjust(client, layered, {"4": 5})
    lines = export(client, layered, format="layers")
    shown = [
        tuple(line[name] for name in ("layer_index", "cluster_id", "parent_id", "weight"))
        for line in lines
    ]
    assert shown[:3] == [("0", "2", "0", "1.0"), ("0", "3", "1", "1.0"), ("0", "4", "0", "5.0")]
    assert shown[3] == ("1", "0", "5", "2.0")
    assert [line["is_terrain_layer"] for line in lines] == ["false"] * 3 + ["true"] * 2 + ["false"]
    assert lines[3]["effective_size"] == "80.0"
    assert lines[3]["keywords"] == "word, other"


@pytest.mark.parametrize("kind", ["weighted", "resampled", "layers"])
def test_a_layer_is_refused_where_it_means_nothing(client, layered, kind):
    answer = client.get(f"/api/export/{layered}", params={"format": kind, "layer": 0})
    assert answer.status_code == 422
    assert "format=clusters" in answer.json()["detail"]
