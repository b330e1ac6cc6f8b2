"""Status, events, list, deletion, health, metrics, and what every answer has."""

import json
import socket
import threading
import time
from uuid import uuid4

import httpx
import pytest

from gateway.database import Database
from gateway.dataset import Stage
from gateway.worker.registry import WorkerRegistry
from tests.support.rest_gateway import add_completed, add_dataset, running_gateway

PROBLEM = "application/problem+json"
LABELS = [0] * 40 + [1] * 20


def test_status_says_where_a_dataset_stands(gateway, client):
    dataset_id = add_dataset(gateway)
    gateway.store.advance(dataset_id, Stage.EMBEDDING, 40)
    gateway.store.note(dataset_id, warnings=["Careful."], timings={"embedding": 2.5})
    status = client.get(f"/api/status/{dataset_id}").json()
    assert (status["status"], status["stage"], status["progress"]) == (
        "processing",
        "embedding",
        40,
    )
    assert (status["warnings"], status["timings"]) == (["Careful."], {"embedding": 2.5})
    assert (status["cluster_count"], status["error"], status["revision"]) == (None, None, 0)
    assert status["text_column"]["name"] == "text"


def test_status_of_a_completed_and_of_a_failed_dataset_has_no_stage(gateway, client):
    completed = client.get(f"/api/status/{add_completed(gateway, LABELS)}").json()
    assert (completed["status"], completed["stage"], completed["progress"]) == (
        "completed",
        None,
        100,
    )
    assert (completed["cluster_count"], completed["noise_count"]) == (2, 0)
    failed_id = add_dataset(gateway)
    gateway.store.fail(failed_id, "No model.")
    failed = client.get(f"/api/status/{failed_id}").json()
    assert (failed["status"], failed["stage"], failed["error"]) == ("failed", None, "No model.")


ROUTES = [
    ("GET", "/api/status/{}"),
    ("GET", "/api/status/{}/events"),
    ("GET", "/api/terrain/{}"),
    ("POST", "/api/adjust/{}"),
    ("GET", "/api/export/{}"),
    ("DELETE", "/api/datasets/{}"),
]
NO_IDS = ["x", "%00", "a;b", "..%2F..%2Fetc", "%zz", "x" * 10_000, "00000000-0000-1000-8000"]


@pytest.mark.parametrize(("method", "route"), ROUTES)
def test_what_names_no_dataset_is_not_found(gateway, client, method, route):
    known = add_dataset(gateway)
    for dataset_id in [
        *NO_IDS,
        str(uuid4()),
        known.upper(),
        known.replace("-", ""),
        f"{{{known}}}",
    ]:
        if dataset_id == known:  # an id of digits alone has no other case
            continue
        answer = client.request(method, route.format(dataset_id))
        assert answer.status_code == 404, dataset_id
        assert answer.headers["content-type"] == PROBLEM


def read_events(response):
    return [json.loads(line[6:]) for line in response.iter_lines() if line.startswith("data: ")]


def test_events_replay_the_last_state_and_end_at_the_end(gateway, client):
    with client.stream("GET", f"/api/status/{add_completed(gateway, LABELS)}/events") as response:
        assert response.headers["content-type"].startswith("text/event-stream")
        assert [event["status"] for event in read_events(response)] == ["completed"]


def test_events_come_with_each_change(gateway, client):
    dataset_id = add_dataset(gateway)
    changes = [
        lambda: gateway.store.advance(dataset_id, Stage.EMBEDDING, 30),
        lambda: gateway.store.fail(dataset_id, "Stopped."),
    ]
    seen = []
    with client.stream("GET", f"/api/status/{dataset_id}/events") as response:
        for line in response.iter_lines():
            if line.startswith("data: "):
                seen.append(json.loads(line[6:]))
                if changes:
                    changes.pop(0)()
    assert [event["progress"] for event in seen] == [0, 30, 30]
    assert seen[-1] == client.get(f"/api/status/{dataset_id}").json()


def test_events_end_when_the_dataset_is_deleted(gateway, client):
    dataset_id = add_dataset(gateway)
    with client.stream("GET", f"/api/status/{dataset_id}/events") as response:
        lines = response.iter_lines()
        next(lines)
        with gateway.client() as other:
            assert other.delete(f"/api/datasets/{dataset_id}").status_code == 204
        assert not any(line.startswith("data: ") for line in lines)


def test_many_listeners_share_one_stream_of_reads(gateway):
    dataset_id = add_dataset(gateway)
    ended = []

    def listen():
        with gateway.client() as client:
            with client.stream("GET", f"/api/status/{dataset_id}/events") as response:
                ended.append(read_events(response)[-1]["status"])

    listeners = [threading.Thread(target=listen) for _ in range(12)]
    for listener in listeners:
        listener.start()
    time.sleep(0.3)
    gateway.store.fail(dataset_id, "Stopped.")
    for listener in listeners:
        listener.join()
    assert ended == ["failed"] * 12


def test_a_deleted_dataset_leaves_nothing(gateway, client):
    dataset_id = add_completed(gateway, LABELS)
    client.get(f"/api/terrain/{dataset_id}")
    listed = client.get("/api/datasets").json()["datasets"]
    assert dataset_id in {dataset["dataset_id"] for dataset in listed}
    assert client.delete(f"/api/datasets/{dataset_id}").status_code == 204
    assert client.delete(f"/api/datasets/{dataset_id}").status_code == 404
    assert not gateway.artifacts.dataset_dir(dataset_id).exists()
    listed = client.get("/api/datasets").json()["datasets"]
    assert dataset_id not in {dataset["dataset_id"] for dataset in listed}


def test_health_names_the_parts_that_cannot_work(gateway, client):
    answer = client.get("/health")
    health = answer.json()
    assert (answer.status_code, health["status"]) == (503, "unhealthy")
    assert set(health["unhealthy_parts"]) == {"worker", "embedder", "cluster", "analyzer"}
    assert health["parts"]["database"]["ready"]
    assert health["parts"]["terrain"]["ready"]
    assert health["parts"]["embedder"]["reason"]
    assert (health["model_loaded"], health["model"]) == (False, None)
    assert "retry-after" in answer.headers


def test_health_sees_a_worker_that_lives(tmp_path):
    with running_gateway(tmp_path / "data", tmp_path) as gateway, gateway.client() as client:
        database = Database(gateway.settings.resolved_database_url)
        WorkerRegistry(database).beat("host/1/x")
        database.close()
        assert client.get("/health").json()["parts"]["worker"]["ready"]


def test_memory_keeps_the_most_recently_used(tmp_path):
    with (
        running_gateway(tmp_path / "data", tmp_path, max_datasets_in_memory=2) as gateway,
        gateway.client() as client,
    ):
        ids = [add_completed(gateway, LABELS) for _ in range(3)]
        for dataset_id in ids:
            assert client.get(f"/api/terrain/{dataset_id}").status_code == 200
        assert client.get("/health").json()["datasets_in_memory"] == 2
        assert client.get(f"/api/terrain/{ids[0]}").status_code == 200


def test_metrics_tell_of_stages_datasets_memory_and_requests(gateway, client):
    dataset_id = add_completed(gateway, LABELS)
    client.get(f"/api/terrain/{dataset_id}")
    client.get("/nowhere/at/all")
    text = client.get("/metrics").text
    for line in (
        'level_stage_seconds{stage="embedding"}',
        'level_datasets{status="completed"}',
        "level_datasets_in_memory",
        "level_llm_failures",
        'route="/api/terrain/{dataset_id}",status="200"',
        'route="unmatched",status="404"',
    ):
        assert line in text
    assert dataset_id not in text


def test_a_locked_database_is_said_to_be_unavailable(tmp_path, monkeypatch):
    monkeypatch.setattr("gateway.database.BUSY_SECONDS", 0.2)
    with running_gateway(tmp_path / "data", tmp_path) as gateway, gateway.client() as client:
        dataset_id = add_completed(gateway, LABELS)
        database = Database(gateway.settings.resolved_database_url)
        with database.writing():
            answer = client.post(f"/api/adjust/{dataset_id}", content='{"adjustments": {"0": 2}}')
            assert client.get(f"/api/status/{dataset_id}").status_code == 200
        database.close()
    assert answer.status_code == 503
    assert answer.headers["content-type"] == PROBLEM
    assert "retry-after" in answer.headers


def test_a_ground_that_no_service_can_build_is_said_to_be_unavailable(tmp_path):
    nowhere = f"unix:{tmp_path / 'nowhere'}"
    folder = tmp_path / "data"
    with running_gateway(folder, tmp_path) as gateway, gateway.client() as client:
        dataset_id = add_completed(gateway, LABELS)
        client.post(f"/api/adjust/{dataset_id}", content='{"adjustments": {"0": 2}}')
    settings = {"terrain_address": nowhere}
    with running_gateway(folder, tmp_path, services=(), **settings) as gateway:
        with gateway.client() as client:
            answer = client.get(f"/api/terrain/{dataset_id}")
    assert answer.status_code == 503
    assert "retry-after" in answer.headers


def test_a_damaged_file_is_an_internal_error_that_gives_nothing_away(gateway, client):
    dataset_id = add_completed(gateway, LABELS)
    path = gateway.artifacts.dataset_dir(dataset_id) / "terrain.json"
    size = path.stat().st_size
    for content, said in ((b"x" * size, "was changed"), (b"x", "cut short")):
        path.write_bytes(content)
        answer = client.get(f"/api/terrain/{dataset_id}")
        problem = answer.json()
        assert (answer.status_code, problem["status"]) == (500, 500)
        assert said in problem["detail"]
        assert problem["request_id"] == answer.headers["x-request-id"]
        assert "terrain.json" not in answer.text


def test_every_answer_has_an_id_and_security_headers(client):
    for answer in (client.get("/api/datasets"), client.get("/nowhere"), client.get("/")):
        assert len(answer.headers["x-request-id"]) == 32
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["referrer-policy"] == "no-referrer"
        assert "default-src 'self'" in answer.headers["content-security-policy"]


def test_a_sane_request_id_is_kept_and_another_replaced(client):
    kept = client.get("/nowhere", headers={"X-Request-ID": "abc-1"})
    assert (kept.headers["x-request-id"], kept.json()["request_id"]) == ("abc-1", "abc-1")
    replaced = client.get("/nowhere", headers={"X-Request-ID": "a b<c>"})
    assert len(replaced.headers["x-request-id"]) == 32


def test_unknown_paths_and_methods_are_problems(client):
    for answer, status in (
        (client.get("/nowhere"), 404),
        (client.get("/api/upload"), 405),
        (client.put("/api/datasets"), 405),
        (client.get("/page/nowhere.js"), 404),
        (client.get("/page/%00"), 404),
        (client.get("/page/..%2Fsettings.py"), 404),
    ):
        assert (answer.status_code, answer.json()["status"]) == (status, status)
        assert answer.headers["content-type"] == PROBLEM
    assert client.get("/api/upload").headers["allow"] == "POST"


def test_the_page_and_the_documentation_need_no_other_host(client):
    page = client.get("/")
    assert page.status_code == 200
    assert client.get("/page/page.js").headers["cache-control"] == "no-cache"
    docs = client.get("/docs")
    assert "POST /api/upload" in docs.text
    assert client.get("/docs/style.css").status_code == 200
    for text in (page.text, docs.text):
        assert 'src="http' not in text


def test_the_openapi_document_describes_every_route(client):
    document = client.get("/openapi.json").json()
    assert set(document["paths"]) == {
        "/api/upload",
        "/api/status/{dataset_id}",
        "/api/status/{dataset_id}/events",
        "/api/terrain/{dataset_id}",
        "/api/adjust/{dataset_id}",
        "/api/level/{dataset_id}",
        "/api/level/{dataset_id}/curve",
        "/api/prove/{dataset_id}",
        "/api/export/{dataset_id}",
        "/api/recipe/{dataset_id}",
        "/api/datasets",
        "/api/datasets/{dataset_id}",
        "/health",
        "/metrics",
    }
    for item in document["paths"].values():
        for operation in item.values():
            assert operation["summary"]
            assert operation["description"]
    assert "HTTPValidationError" not in json.dumps(document)


@pytest.mark.parametrize(
    ("origin", "allowed"),
    [
        ("http://localhost:3000", True),
        ("https://localhost:3000", False),
        ("http://localhost:3000.evil.example", False),
        ("null", False),
    ],
)
def test_only_listed_origins_may_read(client, origin, allowed):
    answer = client.get("/api/datasets", headers={"Origin": origin})
    assert (answer.headers.get("access-control-allow-origin") == origin) is allowed
    assert "access-control-allow-credentials" not in answer.headers


def test_foreign_pages_change_nothing(client, dataset_id):
    evil = {"Origin": "https://evil.example"}
    assert client.delete(f"/api/datasets/{dataset_id}", headers=evil).status_code == 403
    rebound = {"Host": "evil.example:80"}
    assert client.get("/api/datasets", headers=rebound).status_code == 421
    own = {"Origin": str(client.base_url).rstrip("/")}
    assert client.delete(f"/api/datasets/{dataset_id}", headers=own).status_code == 204


def test_guarded_gateway_answers_to_any_name_and_still_to_no_foreign_page(tmp_path_factory):
    folder = tmp_path_factory.mktemp("remote")
    with running_gateway(folder / "store", folder, allow_remote=True) as gateway:
        with gateway.client() as client:
            public = {"Host": "level.example.org"}
            assert client.get("/api/datasets", headers=public).status_code == 200
            absent = f"/api/datasets/{uuid4()}"
            evil = {**public, "Origin": "https://evil.example"}
            assert client.delete(absent, headers=evil).status_code == 403
            own = {**public, "Origin": "https://level.example.org"}
            assert client.delete(absent, headers=own).status_code == 404


@pytest.mark.parametrize(
    "request_bytes",
    [
        b"GET /health HTTP/1.1\r\nHost: localhost\r\nX: " + b"y" * 70_000 + b"\r\n\r\n",
        b"GET /" + b"a" * 100_000 + b" HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"GET /api/status/%zz HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"GET /health HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
        b"nonsense\r\n\r\n",
    ],
)
def test_malformed_requests_are_refused(gateway, request_bytes):
    with socket.create_connection(("127.0.0.1", gateway.port), timeout=10) as connection:
        connection.sendall(request_bytes)
        assert connection.recv(64).startswith(b"HTTP/1.1 4")
    assert httpx.get(f"{gateway.url}/openapi.json").status_code == 200
