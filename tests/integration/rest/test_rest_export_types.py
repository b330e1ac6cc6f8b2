"""GET /api/export in every file type, and GET /api/recipe."""

import csv
import hashlib
import io
import json
import time
import zipfile

import httpx
import numpy as np
import openpyxl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from gateway.database import Database
from gateway.job_store import JobStore
from gateway.jobs import JobKind, NewJob
from gateway.plans import PLAN_ARRAYS, plan_files
from gateway.recipe import parse_recipe
from tests.support.rest_gateway import add_completed, csv_of, running_gateway

LABELS = [0] * 30 + [1] * 15 + [2] * 5 + [-1] * 10
TYPES = {
    "csv": "text/csv; charset=utf-8",
    "parquet": "application/vnd.apache.parquet",
    "jsonl": "application/jsonl",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    "zip": "application/zip",
}


def export(client, dataset_id, **query):
    return client.get(f"/api/export/{dataset_id}", params=query)


@pytest.fixture
def jobs(gateway):
    database = Database(gateway.settings.resolved_database_url)
    yield JobStore(database)
    database.close()


@pytest.fixture
def plan(gateway, jobs, dataset_id):
    return store_plan(gateway, jobs, dataset_id, {"budget": 60})


def store_plan(gateway, jobs, dataset_id, request):
    """Store a plan that drops every third row and doubles the next, and return its copies."""
    copies = np.tile(np.array([0, 2, 1], np.int32), 20)
    arrays = [copies, copies / 1.5, np.zeros(60, np.uint8), np.arange(60, dtype=np.int32) // 2]
    new = NewJob(JobKind.LEVEL, request, "request-1")
    jobs.add(dataset_id, new)
    store = gateway.artifacts
    files = [
        store.save_array(dataset_id, name, array, file_name=file_name)
        for name, file_name, array in zip(
            PLAN_ARRAYS, plan_files(new.job_id), arrays, strict=True
        )
    ]  # fmt: skip
    jobs.complete(new.job_id, {"request": request}, files)
    return copies


def rows_of(response, file_type) -> list[list[str]]:
    if file_type == "csv":
        return list(csv.reader(io.StringIO(response.content.decode(), newline="")))[1:]
    if file_type == "parquet":
        table = pq.read_table(pa.BufferReader(response.content))
        return [list(map(str, row.values())) for row in table.to_pylist()]
    if file_type == "jsonl":
        return [list(map(str, json.loads(line).values())) for line in response.text.splitlines()]
    sheet = openpyxl.load_workbook(io.BytesIO(response.content), read_only=True)["Data"]
    return [[str(cell.value) for cell in row] for row in sheet.iter_rows(min_row=2)]


@pytest.mark.parametrize("file_type", TYPES)
def test_every_file_type_is_named_and_typed(client, dataset_id, file_type):
    response = export(client, dataset_id, file_type=file_type)
    assert response.status_code == 200, response.text
    assert response.headers["content-type"] == TYPES[file_type]
    assert f'filename="messages-weighted.{file_type}"' in response.headers["content-disposition"]
    assert response.headers["x-content-type-options"] == "nosniff"
    assert response.headers["etag"] == '"0"'
    if file_type == "zip":
        names = zipfile.ZipFile(io.BytesIO(response.content)).namelist()
        assert "data/cluster-000002-00000.parquet" in names
        return
    wanted = list(csv.reader(io.StringIO(csv_of(60).decode())))[1:]
    rows = rows_of(response, file_type)
    assert [row[:2] for row in rows] == wanted
    assert {float(row[2]) for row in rows} == {1.0}


@pytest.mark.parametrize("file_type", ["csv", "parquet", "jsonl", "xlsx"])
def test_balanced_rows_are_those_of_the_plan(client, dataset_id, plan, file_type):
    rows = rows_of(export(client, dataset_id, format="balanced", file_type=file_type), file_type)
    row_ids = [int(row[2]) for row in rows]
    assert np.bincount(row_ids, minlength=60).tolist() == plan.tolist()
    assert all(int(row[0]) == row_id for row, row_id in zip(rows, row_ids, strict=True))
    assert [int(row[3]) for row in rows] == [plan[row_id] for row_id in row_ids]
    assert {float(row[4]) for row in rows} == {1.0}
    once = export(client, dataset_id, format="balanced", file_type=file_type, repeat=False)
    rows = rows_of(once, file_type)
    assert [int(row[2]) for row in rows] == np.flatnonzero(plan).tolist()
    assert np.mean([float(row[4]) for row in rows]) == pytest.approx(1)


def test_without_a_plan_that_fits_the_weights_nothing_is_balanced(client, gateway, jobs):
    dataset_id = add_completed(gateway, LABELS)
    response = export(client, dataset_id, format="balanced")
    assert (response.status_code, response.json()["reason"]) == (409, "PLAN_MISSING")
    assert client.get(f"/api/recipe/{dataset_id}?format=balanced").status_code == 409


def test_a_plan_is_stale_after_an_adjustment(client, dataset_id, plan):
    client.post(f"/api/adjust/{dataset_id}", json={"adjustments": {"0": 0.5}})
    response = export(client, dataset_id, format="balanced", file_type="zip")
    assert (response.status_code, response.json()["reason"]) == (409, "PLAN_STALE")
    assert "POST /api/level" in response.json()["detail"]


@pytest.mark.parametrize(
    "query",
    [
        {"format": "clusters", "file_type": "zip"},
        {"format": "layers", "columns": "all"},
        {"embedding": True},
        {"format": "clusters", "file_type": "parquet", "embedding": True},
        {"profile": "excel", "file_type": "parquet"},
        {"profile": "../../etc"},
        {"repeat": False},
        {"shard_type": "jsonl"},
        {"layer": 0},
        {"file_type": "pickle"},
        {"file_type": "parquet", "format": "resampled", "rows": 100, "max_repeat": 1},
        {"columns": "all", "layer": 7},
    ],
)
def test_what_does_not_go_together_is_refused(client, dataset_id, query):
    response = export(client, dataset_id, **query)
    assert response.status_code == 422, response.text
    assert response.headers["content-type"] == "application/problem+json"
    assert response.json()["reason"] in ("FIELD_INVALID", "INVALID_ARGUMENT")


@pytest.mark.parametrize("file_type", ["parquet", "jsonl", "xlsx", "zip"])
def test_a_flipped_byte_is_an_error_and_leaves_no_file(client, gateway, file_type):
    dataset_id = add_completed(gateway, LABELS)
    path = gateway.artifacts.dataset_dir(dataset_id) / "rows.parquet"
    content = bytearray(path.read_bytes())
    content[-9] ^= 1
    path.write_bytes(content)
    response = export(client, dataset_id, file_type=file_type)
    assert (response.status_code, response.json()["reason"]) == (500, "ARTIFACT_DAMAGED")
    assert gateway.incoming() == []


def test_who_goes_away_frees_the_place_of_the_next(tmp_path):
    settings = {"max_concurrent_exports": 1}
    with running_gateway(tmp_path / "data", tmp_path, **settings) as gateway:
        count = 60_000
        dataset_id = add_completed(gateway, [0] * count, source=csv_of(count))
        query = {"format": "resampled", "file_type": "jsonl", "columns": "all"}
        path = f"/api/export/{dataset_id}"
        with gateway.client() as leaving, leaving.stream("GET", path, params=query) as response:
            pieces = response.iter_bytes()
            assert next(pieces)
            with gateway.client() as other:
                refused = export(other, dataset_id, file_type="parquet")
            assert (refused.status_code, refused.json()["reason"]) == (503, "TOO_MANY_EXPORTS")
            assert int(refused.headers["retry-after"]) > 0
        assert_taken_soon(gateway, path)
        assert gateway.incoming() == []


def assert_taken_soon(gateway, path):
    deadline = time.monotonic() + 20
    with gateway.client() as client:
        while time.monotonic() < deadline:
            with client.stream("GET", path, params={"file_type": "parquet"}) as response:
                if response.status_code == httpx.codes.OK:
                    response.read()
                    return
            time.sleep(0.1)
    raise AssertionError("the place was not freed")


def test_the_recipe_says_how_an_export_was_made(client, gateway, dataset_id, plan):
    query = {"format": "balanced", "file_type": "parquet", "columns": "all"}
    response = client.get(f"/api/recipe/{dataset_id}", params=query)
    assert response.status_code == 200, response.text
    recipe = parse_recipe(response.content)
    assert recipe.export_query == query
    assert recipe.level_request == {"budget": 60}
    assert recipe.input_sha256 == hashlib.sha256(csv_of(60)).hexdigest()
    assert recipe.upload_fields["text_column"] == "text"
    assert export(client, dataset_id, **recipe.export_query).status_code == 200
    folder = export(client, dataset_id, format="balanced", file_type="zip")
    with zipfile.ZipFile(io.BytesIO(folder.content)) as archive:
        inside = parse_recipe(archive.read("recipe.json"))
    assert inside.export_query == {"format": "balanced", "file_type": "zip"}


def test_a_balanced_export_is_of_the_layer_that_was_levelled(client, gateway, jobs):
    finest = [-1, *([0, 1, 2, 0, 2] * 12)][:60]
    terrain = [one if one < 0 else 3 + one // 2 for one in finest]
    dataset_id = add_completed(gateway, terrain, around=[finest])
    store_plan(gateway, jobs, dataset_id, {"target": {"kind": "uniform"}, "layer": 0})
    asked = {"format": "balanced", "columns": "all", "file_type": "parquet"}
    for layer, labels in ((None, finest), (0, finest), (1, terrain)):
        query = asked if layer is None else {**asked, "layer": layer}
        table = pq.read_table(pa.BufferReader(export(client, dataset_id, **query).content))
        rows = table.column("row_id").to_numpy()
        assert table.column("cluster_id").to_pylist() == [labels[row] for row in rows]
    weighted = export(client, dataset_id, columns="all", file_type="parquet").content
    ids = pq.read_table(pa.BufferReader(weighted)).column("cluster_id").to_pylist()
    assert ids == terrain


def test_a_recipe_of_weights_names_them(client, dataset_id):
    client.post(f"/api/adjust/{dataset_id}", json={"adjustments": {"0": 0.5, "-1": 0}})
    recipe = parse_recipe(client.get(f"/api/recipe/{dataset_id}").content)
    assert recipe.level_request is None
    assert recipe.weights == {"-1": 0.0, "0": 0.5}
    assert client.get(f"/api/recipe/{dataset_id}?format=clusters&rows=3").status_code == 422
