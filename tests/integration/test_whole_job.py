"""One dataset through the whole running system: what REST promises of it."""

import csv
import io
import json
import time
from collections import Counter
from itertools import pairwise

import pytest

from levelling import compute_gini_coefficient, flatness


def read_csv(text: str) -> list[list[str]]:
    return list(csv.reader(io.StringIO(text, newline="")))


def test_status_tells_what_was_done(http, sample_id):
    status = http.get(f"/api/status/{sample_id}").json()
    assert (status["status"], status["progress"], status["stage"]) == ("completed", 100, None)
    assert status["error"] is None
    assert set(status["timings"]) >= {"embedding", "clustering", "analyzing", "building_terrain"}
    assert status["model"]["dimension_count"] > 0
    assert status["clustering"]["algorithm"] and status["clustering"]["reason"]
    embedding, counts = status["embedding"], status["counts"]
    assert embedding["rows_done"] == embedding["row_count"]
    assert embedding["row_count"] == status["row_count"] - counts["duplicate_text_count"]
    assert embedding["token_count"] > 0 or embedding["cache_hit_rate"] == 1
    assert status["model"]["precision"] and status["model"]["choice_reason"]
    assert status["expires_at"] > status["created_at"]


def test_metrics_and_health_tell_of_the_embedding(http, sample_id):
    texts = http.get(f"/api/status/{sample_id}").json()["embedding"]["row_count"]
    lines = http.get("/metrics").text.splitlines()
    figures = dict(line.rsplit(" ", 1) for line in lines if not line.startswith("#"))
    assert float(figures["level_embedding_texts_total"]) >= texts
    assert float(figures["level_embedding_seconds_total"]) > 0
    assert http.get("/health").json()["model"]["precision"]


def test_hills_and_figures_agree_with_each_other(http, sample_id):
    terrain = http.get(f"/api/terrain/{sample_id}").json()
    hills, metrics = terrain["hills"], terrain["metrics"]
    sizes = [hill["size"] for hill in hills]
    assert [hill["cluster_id"] for hill in hills] == list(range(len(hills)))
    assert sizes == sorted(sizes, reverse=True)
    assert sum(sizes) + terrain["noise"]["count"] == metrics["row_count"]
    assert metrics["gini"] == pytest.approx(compute_gini_coefficient(sizes))
    assert metrics["flatness"] == pytest.approx(flatness(sizes))
    assert metrics["effective_sample_size"] == pytest.approx(metrics["row_count"])
    assert hills[0]["height"] == hills[0]["original_height"] == 10
    assert len({hill["label"] for hill in hills}) == len(hills)
    assert all(hill["label_source"] == "keywords" for hill in hills)
    assert all(1 <= len(hill["exemplars"]) <= 5 for hill in hills)


def test_layers_are_the_same_rows_finer_and_coarser(http, sample_id):
    default = http.get(f"/api/terrain/{sample_id}").json()
    terrains = [
        http.get(f"/api/terrain/{sample_id}?layer={one['layer_index']}").json()
        for one in default["layers"]
    ]
    assert [one["layer"] for one in terrains if one["layer"] == default["layer"]]
    counts = [len(one["hills"]) for one in terrains]
    assert (
        counts
        == sorted(counts, reverse=True)
        == [one["cluster_count"] for one in default["layers"]]
    )
    for fine, coarse in pairwise(terrains):
        sizes = Counter()
        for hill in fine["hills"]:
            sizes[hill["parent_id"]] += hill["size"]
            assert hill["label"] and hill["exemplars"]
            assert hill["stability"] is None or 0 <= hill["stability"] <= 1
        assert sizes == {hill["cluster_id"]: hill["size"] for hill in coarse["hills"]}
    assert {hill["parent_id"] for hill in terrains[-1]["hills"]} == {-1}
    assert 0.5 < default["layout"]["own_hill_fraction"] <= 1
    clustering = http.get(f"/api/status/{sample_id}").json()["clustering"]
    assert clustering["layer_count"] == len(terrains) and clustering["layer_reason"]
    assert clustering["noise"]["count"] == default["noise"]["count"]
    assert clustering["noise"]["reason"] == default["noise"]["reason"]


def test_highest_ground_is_ten(http, sample_id):
    terrain = http.get(f"/api/terrain/{sample_id}").json()
    heights = terrain["heightData"]
    assert len(heights) == terrain["gridSize"] == 100
    assert {len(row) for row in heights} == {100}
    assert max(map(max, heights)) == pytest.approx(10, abs=0.01)
    assert min(map(min, heights)) >= 0


def test_clusters_export_has_a_line_for_every_row_in_input_order(http, sample_id, sample_file):
    rows = read_csv(http.get(f"/api/export/{sample_id}?format=clusters").text)
    assert rows[0] == [
        "row_id",
        "cluster_id",
        "nearest_cluster_id",
        "cluster_label",
        "cluster_membership_prob",
        "projection_x",
        "projection_y",
    ]
    given = read_csv(sample_file.read_text("utf-8"))
    assert [row[0] for row in rows[1:]] == [str(row) for row in range(len(given) - 1)]
    hills = http.get(f"/api/terrain/{sample_id}").json()["hills"]
    counts = Counter(row[1] for row in rows[1:])
    assert {hill["cluster_id"]: hill["size"] for hill in hills} == {
        int(cluster): count for cluster, count in counts.items() if cluster != "-1"
    }
    assert all(0 <= float(row[4]) <= 1 for row in rows[1:])


def test_exemplars_are_rows_of_their_cluster(http, sample_id, sample_file):
    rows = read_csv(http.get(f"/api/export/{sample_id}?format=clusters").text)[1:]
    given = read_csv(sample_file.read_text("utf-8"))[1:]
    for hill in http.get(f"/api/terrain/{sample_id}").json()["hills"]:
        for exemplar in hill["exemplars"]:
            assert rows[exemplar["row_id"]][1] == str(hill["cluster_id"])
            assert given[exemplar["row_id"]][3] == exemplar["text"]


def test_lowering_a_hill_levels_the_dataset_and_shows_the_cost(http, sample_id, sample_file):
    before = http.get(f"/api/terrain/{sample_id}").json()
    try:
        answer = http.post(f"/api/adjust/{sample_id}", json={"adjustments": {"0": 0.25}})
        assert answer.status_code == 200, answer.text
        metrics = answer.json()["metrics"]
        assert metrics["gini"] < before["metrics"]["gini"]
        assert metrics["effective_sample_size"] < before["metrics"]["effective_sample_size"]
        assert metrics["original"]["gini"] == pytest.approx(before["metrics"]["gini"])
        after = http.get(f"/api/terrain/{sample_id}").json()
        assert after["revision"] == before["revision"] + 1
        assert after["hills"][0]["height"] == pytest.approx(2.5)
        assert after["hills"][1]["height"] == before["hills"][1]["height"]
        weights = [row[-1] for row in read_csv(http.get(f"/api/export/{sample_id}").text)[1:]]
        clusters = read_csv(http.get(f"/api/export/{sample_id}?format=clusters").text)[1:]
        low = {weight for weight, row in zip(weights, clusters, strict=True) if row[1] == "0"}
        high = {weight for weight, row in zip(weights, clusters, strict=True) if row[1] != "0"}
        assert len(low) == len(high) == 1
        assert float(low.pop()) == pytest.approx(float(high.pop()) / 4)
        assert sum(map(float, weights)) / len(weights) == pytest.approx(1)
    finally:
        http.post(f"/api/adjust/{sample_id}", json={"adjustments": {"0": 1}})


def test_weighted_export_is_the_file_plus_one_column(http, sample_id, sample_file):
    exported = read_csv(http.get(f"/api/export/{sample_id}").text)
    given = read_csv(sample_file.read_text("utf-8"))
    assert [row[:-1] for row in exported] == given
    assert exported[0][-1] == "weight"


def test_resampled_export_at_weight_one_is_a_permutation(http, sample_id, sample_file):
    exported = read_csv(http.get(f"/api/export/{sample_id}?format=resampled&seed=3").text)
    given = read_csv(sample_file.read_text("utf-8"))
    assert exported[0] == given[0]
    assert sorted(exported[1:]) == sorted(given[1:])
    assert exported[1:] != given[1:]


def test_events_replay_the_last_state_and_end(http, sample_id):
    with http.stream("GET", f"/api/status/{sample_id}/events", timeout=10) as answer:
        assert answer.headers["content-type"].startswith("text/event-stream")
        lines = list(answer.iter_lines())
    data = [json.loads(line.removeprefix("data:")) for line in lines if line.startswith("data:")]
    assert data[-1]["status"] == "completed"


def test_equal_input_gives_an_equal_result(http, sample_id, sample_file, finish):
    with sample_file.open("rb") as file:
        again = http.post("/api/upload", files={"file": file}).json()["dataset_id"]
    assert finish(http, again)["status"] == "completed"
    try:
        for kind in ("clusters", "weighted", "resampled"):
            first, second = (
                http.get(f"/api/export/{one}?format={kind}").content for one in (sample_id, again)
            )
            assert first == second, kind
    finally:
        assert http.delete(f"/api/datasets/{again}").status_code == 204
    assert http.get(f"/api/status/{again}").status_code == 404


def test_progress_never_falls(http, sample_file, finish):
    with sample_file.open("rb") as file:
        dataset_id = http.post("/api/upload", files={"file": file}).json()["dataset_id"]
    seen = []
    while not seen or seen[-1]["status"] == "processing":
        seen.append(http.get(f"/api/status/{dataset_id}").json())
        time.sleep(0.02)
    http.delete(f"/api/datasets/{dataset_id}")
    progress = [status["progress"] for status in seen]
    assert progress == sorted(progress)
    assert all(isinstance(value, int) for value in progress)
    stages = ["queued", "embedding", "clustering", "analyzing", "building_terrain", None]
    order = [stages.index(status["stage"]) for status in seen]
    assert order == sorted(order)


@pytest.mark.parametrize("algorithm", ["dbscan", "hdbscan", "kmeans", "communities"])
def test_every_algorithm_ends_in_a_terrain(http, sample_file, finish, algorithm):
    with sample_file.open("rb") as file:
        answer = http.post(
            "/api/upload", files={"file": file}, data={"algorithm": algorithm, "seed": "5"}
        )
    dataset_id = answer.json()["dataset_id"]
    status = finish(http, dataset_id)
    assert status["status"] == "completed", status["error"]
    assert status["clustering"]["algorithm"] == algorithm
    assert http.get(f"/api/terrain/{dataset_id}").json()["hills"]
    http.delete(f"/api/datasets/{dataset_id}")


@pytest.mark.parametrize(
    ("fields", "word"),
    [
        ({"algorithm": "nonsense"}, "nonsense"),
        ({"algorithm": "dbscan", "eps": "-1"}, "eps"),
        ({"algorithm": "kmeans", "parameters": '{"cluster_count": "many"}'}, "cluster_count"),
    ],
)
def test_wrong_parameters_are_refused_at_upload(http, sample_file, fields, word):
    before = http.get("/api/datasets").json()
    with sample_file.open("rb") as file:
        answer = http.post("/api/upload", files={"file": file}, data=fields)
    assert answer.status_code == 422, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    assert word in answer.text
    assert http.get("/api/datasets").json() == before


def test_rows_that_are_all_the_same_end_in_one_hill(http, finish):
    table = "text\n" + "where is my parcel\n" * 80
    answer = http.post("/api/upload", files={"file": ("same.csv", table)})
    dataset_id = answer.json()["dataset_id"]
    status = finish(http, dataset_id)
    assert status["status"] == "completed", status["error"]
    terrain = http.get(f"/api/terrain/{dataset_id}").json()
    assert [hill["size"] for hill in terrain["hills"]] == [80]
    assert terrain["metrics"]["flatness"] == 1
    http.delete(f"/api/datasets/{dataset_id}")
