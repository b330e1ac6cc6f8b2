"""POST and GET /api/level, and its curve."""

import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from gateway import level_desk
from gateway.jobs import JobKind
from tests.integration.rest.conftest import LABELS
from tests.support.rest_gateway import add_completed, add_dataset

MANY = 40  # more than there are threads to answer with
PROBLEM = "application/problem+json"


@pytest.fixture
def jobs(gateway):
    return gateway.jobs


AFTER = {
    "gini": 0.25,
    "flatness": 0.625,
    "cluster_count": 3,
    "effective_clusters": 2.5,
    "row_count": 30,
    "noise_count": 0,
    "effective_sample_size": 30.0,
    "effective_sample_share": 0.5,
    "design_effect": 1.0,
    "max_repeat": 1.0,
    "dropped_row_count": 30,
    "duplicate_count": 4,
}


def level(client, dataset_id, asked=None, **headers):
    return client.post(f"/api/level/{dataset_id}", json=asked or {}, headers=headers)


def test_trying_says_what_it_comes_to_and_changes_nothing(client, dataset_id, jobs):
    answer = level(client, dataset_id, {"target": {"kind": "uniform"}})
    assert answer.status_code == 200, answer.text
    levelled = answer.json()
    solution, metrics = levelled["solution"], levelled["metrics"]
    assert solution["is_met"] and solution["unmet"] == []
    sizes = [solution["sizes"][str(cluster)] for cluster in range(3)]
    assert sizes == pytest.approx([50 / 3] * 3)
    weights = [solution["weights"][str(cluster)] for cluster in range(3)]
    assert weights == pytest.approx([50 / 90, 50 / 45, 50 / 15])
    assert solution["weights"]["-1"] == 1
    assert solution["counts"] is None
    assert metrics["before"]["flatness"] < metrics["after"]["flatness"] == pytest.approx(1)
    assert metrics["after"]["effective_sample_size"] < 60
    assert (levelled["layer"], levelled["revision"], levelled["job"]) == (0, 0, None)
    assert client.get(f"/api/terrain/{dataset_id}").json()["revision"] == 0
    assert jobs.find(dataset_id, JobKind.LEVEL) is None


def test_applying_moves_the_hills_and_records_the_job(client, dataset_id, jobs):
    answer = level(client, dataset_id, {"target": {"kind": "uniform"}, "apply": True})
    levelled = answer.json()
    assert answer.status_code == 200
    assert levelled["revision"] == 1
    assert levelled["job"]["status"] == "processing"
    terrain = client.get(f"/api/terrain/{dataset_id}").json()
    assert [hill["effective_size"] for hill in terrain["hills"]] == pytest.approx([50 / 3] * 3)
    assert terrain["metrics"]["flatness"] == pytest.approx(1)
    job = jobs.get(levelled["job"]["job_id"])
    assert (job.kind, job.revision, job.dataset_id) == (JobKind.LEVEL, 1, dataset_id)
    state = client.get(f"/api/level/{dataset_id}").json()
    assert (state["status"], state["progress"], state["is_current"]) == ("processing", 0, True)
    assert state["solution"] is None
    assert client.get(f"/api/status/{dataset_id}").json()["status"] == "completed"


def test_what_was_asked_can_be_asked_again(client, dataset_id):
    asked = {"target": {"kind": "tempered", "value": 0.5}, "noise": {"kind": "drop"}}
    first = level(client, dataset_id, asked).json()
    assert first["request"]["layer"] == 0
    assert first["request"]["noise"] == {"kind": "drop", "share": None, "max_distance": None}
    again = level(client, dataset_id, first["request"]).json()
    assert again == first


def test_rows_are_counted_where_a_budget_is_given(client, dataset_id):
    asked = {"budget": 12, "target": {"kind": "uniform"}, "noise": {"kind": "drop"}}
    levelled = level(client, dataset_id, asked).json()
    assert sum(levelled["solution"]["counts"].values()) == 12
    after = levelled["metrics"]["after"]
    assert (after["row_count"], after["dropped_row_count"]) == (12, 48)


def test_only_the_choice_of_rows_decides_for_a_budget_alone(client, dataset_id, jobs):
    levelled = level(client, dataset_id, {"budget": 12, "apply": True}).json()
    assert (levelled["solution"], levelled["metrics"]) == (None, None)
    assert levelled["revision"] == 0
    assert jobs.get(levelled["job"]["job_id"]).revision == 0


def test_effects_on_noise_are_told_before_anything_is_applied(client, dataset_id):
    effects = level(client, dataset_id).json()["noise_effects"]
    by_kind = {effect["policy"]["kind"]: effect for effect in effects}
    assert by_kind.keys() == {"keep", "cap", "assign", "drop"}
    assert [by_kind[kind]["dropped_count"] for kind in ("keep", "drop")] == [0, 10]
    assert by_kind["assign"]["joined_count"] == 10
    assert by_kind["drop"]["metrics"]["row_count"] == 50
    assert by_kind["keep"]["metrics"]["row_count"] == 60


def test_a_finer_layer_shares_what_its_parent_gets(client, gateway):
    finer = np.repeat([3, 4, 5, 6, -1], [20, 10, 15, 5, 10])
    dataset_id = add_completed(gateway, LABELS, around=[finer])
    asked = {"target": {"kind": "uniform"}, "apply": True}
    assert level(client, dataset_id, asked).json()["layer"] == 1
    fine = client.get(f"/api/terrain/{dataset_id}?layer=0").json()["hills"]
    assert [hill["weight"] for hill in fine] == pytest.approx([50 / 90] * 2 + [50 / 45, 50 / 15])
    coarse = client.get(f"/api/terrain/{dataset_id}").json()["hills"]
    assert [hill["effective_size"] for hill in coarse] == pytest.approx([50 / 3] * 3)
    named = level(client, dataset_id, {"pinned": {"3": 1}, "layer": 0})
    assert named.json()["solution"]["weights"]["3"] == pytest.approx(1)


def test_a_stale_revision_is_refused_and_records_nothing(client, dataset_id, jobs):
    asked = {"target": {"kind": "uniform"}, "apply": True}
    first = level(client, dataset_id, asked, **{"If-Match": '"0"'}).json()
    answer = level(client, dataset_id, asked, **{"If-Match": '"0"'})
    assert (answer.status_code, answer.json()["reason"]) == (412, "REVISION_CONFLICT")
    budget = level(client, dataset_id, {"budget": 9, "apply": True}, **{"If-Match": '"0"'})
    assert budget.status_code == 412
    assert jobs.find(dataset_id, JobKind.LEVEL).job_id == first["job"]["job_id"]
    nonsense = level(client, dataset_id, asked, **{"If-Match": "nonsense"})
    assert nonsense.status_code == 412


@pytest.mark.parametrize(
    ("body", "status", "field"),
    [
        ("{", 400, None),
        ('{"seed": 1, "seed": 2}', 400, None),
        ('{"pinned": {"0": 1, "0": 2}}', 400, None),
        (b'{"seed": \xff}', 400, None),
        ("[]", 422, "body"),
        ('{"sed": 1}', 422, "sed"),
        ('{"<b>": 1}', 422, '"<b>"'),
        ('{"apply": 1}', 422, "apply"),
        ('{"seed": "1"}', 422, "seed"),
        ('{"seed": -1}', 422, "seed"),
        ('{"seed": true}', 422, "seed"),
        ('{"budget": 0}', 422, "budget"),
        ('{"budget": 1.5}', 422, "budget"),
        ('{"budget": 1' + "0" * 5_000 + "}", 422, "budget"),
        ('{"budget": 5, "mode": "weights"}', 422, "budget"),
        ('{"mode": "both"}', 422, "mode"),
        ('{"max_repeat": NaN}', 422, "max_repeat"),
        ('{"max_repeat": Infinity}', 422, "max_repeat"),
        ('{"max_repeat": 0.5}', 422, "max_repeat"),
        ('{"floor": 1e400}', 422, "floor"),
        ('{"ceiling": -1}', 422, "ceiling"),
        ('{"target": null}', 422, "target"),
        ('{"target": "auto"}', 422, "target"),
        ('{"target": {"kind": "flat"}}', 422, "target.kind"),
        ('{"target": {"kind": "flatness"}}', 422, "target.value"),
        ('{"target": {"kind": "flatness", "value": 1.5}}', 422, "target.value"),
        ('{"target": {"kind": "flatness", "value": "0.5"}}', 422, "target.value"),
        ('{"target": {"kind": "custom"}}', 422, "target.shares"),
        ('{"target": {"kind": "custom", "shares": {"0": 0}}}', 422, "target.shares"),
        ('{"target": {"kind": "custom", "shares": {"7": 1}}}', 422, "target.shares.7"),
        ('{"target": {"kind": "custom", "shares": {"-1": 1}}}', 422, "target.shares.-1"),
        ('{"pinned": {"7": 1}}', 422, "pinned.7"),
        ('{"pinned": {"0": 1000000.5}}', 422, "pinned.0"),
        ('{"pinned": {"-1": 1e15}}', 422, "pinned.-1"),
        ('{"pinned": {"00": 1}}', 422, "pinned.00"),
        ('{"pinned": {"<b>": 1}}', 422, 'pinned."<b>"'),
        ('{"floors": {"-1": 1}}', 422, "floors.-1"),
        ('{"floors": {"0": null}}', 422, "floors.0"),
        ('{"noise": {"kind": "cap"}}', 422, "noise.share"),
        ('{"noise": {"kind": "drop", "share": 0.1}}', 422, "noise.share"),
        ('{"noise": {"max_distance": 3}}', 422, "noise.max_distance"),
        ('{"noise": {"kin": "drop"}}', 422, "noise.kin"),
        ('{"duplicates": {"keep": "best"}}', 422, "duplicates.keep"),
        ('{"sampling": "lucky"}', 422, "sampling"),
        ('{"layer": 4}', 422, "layer"),
        ('{"layer": -1}', 422, "layer"),
        ('{"reference_dataset_id": "nonsense"}', 422, "reference_dataset_id"),
        ('{"noise": {"kind": "keep"}}' + " " * 1_000_000, 413, None),
    ],
)
@pytest.mark.parametrize("apply", [False, True])
def test_what_cannot_be_meant_is_refused_with_its_field(
    client, dataset_id, body, status, field, apply
):
    body = body if isinstance(body, bytes) else body.encode()
    if apply and body.endswith(b"}") and body != b"{}" and b'"apply"' not in body:
        body = body[:-1] + b', "apply": true}'
    headers = {"Content-Type": "application/json"}
    answer = client.post(f"/api/level/{dataset_id}", content=body, headers=headers)
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == PROBLEM
    assert len(answer.content) < 1_000
    if field is not None:
        assert answer.json()["context"]["field"] == field
    assert client.get(f"/api/terrain/{dataset_id}").json()["revision"] == 0
    assert client.get(f"/api/level/{dataset_id}").status_code == 409


def test_nothing_is_levelled_before_completion_or_after_deletion(client, gateway, jobs):
    dataset_id = add_dataset(gateway)
    paths = (f"/api/level/{dataset_id}", f"/api/level/{dataset_id}/curve")
    assert level(client, dataset_id).status_code == 409
    assert [client.get(path).status_code for path in paths] == [409, 409]
    done = add_completed(gateway, LABELS)
    answer = client.get(f"/api/level/{done}")
    assert (answer.status_code, answer.json()["reason"]) == (409, "PLAN_MISSING")
    level(client, done, {"target": {"kind": "uniform"}, "apply": True})
    client.delete(f"/api/datasets/{done}")
    assert client.get(f"/api/level/{done}").status_code == 404
    assert jobs.find(done, JobKind.LEVEL) is None
    assert done not in {job.dataset_id for job in jobs.unfinished()}


def test_an_adjustment_makes_a_plan_stale(client, dataset_id, gateway, jobs):
    levelled = level(client, dataset_id, {"target": {"kind": "uniform"}, "apply": True}).json()
    export = f"/api/export/{dataset_id}?format=balanced"
    assert client.get(export).json()["reason"] == "PLAN_NOT_READY"
    complete_plan(gateway, jobs, levelled["job"]["job_id"])
    assert client.get(f"/api/level/{dataset_id}").json()["is_current"] is True
    assert client.get(export).status_code == 200
    client.post(f"/api/adjust/{dataset_id}", json={"adjustments": {"0": 1}})
    assert client.get(f"/api/level/{dataset_id}").json()["is_current"] is False
    answer = client.get(export)
    assert (answer.status_code, answer.json()["reason"]) == (409, "PLAN_STALE")
    assert "level again" in answer.json()["detail"]


def complete_plan(gateway, jobs, job_id):
    """Store a plan that keeps every second row, as the worker would."""
    job = jobs.get(job_id)
    kept = np.arange(60) % 2
    arrays = {
        "plan_copies": kept.astype(np.int32),
        "plan_weights": kept.astype(np.float64),
        "plan_reasons": (1 - kept).astype(np.uint8),
        "plan_groups": np.arange(60, dtype=np.int32),
    }
    save = gateway.artifacts.save_array
    files = [
        save(job.dataset_id, name, array, file_name=f"{name}-{job_id}.npy")
        for name, array in arrays.items()
    ]
    result = {"request": job.request, "notes": [], "layer": job.request["layer"]}
    jobs.complete(job_id, result | {"metrics": {"before": AFTER, "after": AFTER}}, files)


def test_the_meter_tells_a_plan_while_it_is_current(client, gateway, jobs):
    finer = np.repeat([3, 4, 5, 6, -1], [20, 10, 15, 5, 10])
    dataset_id = add_completed(gateway, LABELS, around=[finer])
    path = f"/api/terrain/{dataset_id}"
    original = client.get(path).json()["metrics"]["original"]
    asked = {"target": {"kind": "uniform"}, "layer": 1, "apply": True}
    levelled = level(client, dataset_id, asked).json()
    early = client.get(path)
    complete_plan(gateway, jobs, levelled["job"]["job_id"])
    late = client.get(path, headers={"If-None-Match": early.headers["etag"]})
    assert (late.status_code, late.json()["revision"]) == (200, 1)
    assert late.json()["metrics"] == {**AFTER, "original": original}
    fine = client.get(f"{path}?layer=0").json()["metrics"]
    assert (fine["cluster_count"], fine["original"]["cluster_count"]) == (4, 4)
    assert fine["flatness"] not in (AFTER["flatness"], fine["original"]["flatness"])
    cost = ("row_count", "dropped_row_count", "duplicate_count", "effective_sample_size")
    assert [fine[name] for name in cost] == [AFTER[name] for name in cost]
    etag = late.headers["etag"]
    assert client.get(path, headers={"If-None-Match": etag}).status_code == 304
    change = {"adjustments": {"0": 1}}
    adjusted = client.post(f"/api/adjust/{dataset_id}", json=change, headers={"If-Match": etag})
    assert (adjusted.status_code, adjusted.headers["etag"]) == (200, '"2"')
    metrics = client.get(path).json()["metrics"]
    assert metrics == adjusted.json()["metrics"]
    assert (metrics["row_count"], metrics["duplicate_count"]) == (60, 0)


def test_an_answer_names_its_revision_and_its_plan(client, dataset_id):
    tried = level(client, dataset_id)
    assert (tried.headers["etag"], tried.headers.get("location")) == ('"0"', None)
    applied = level(client, dataset_id, {"target": {"kind": "uniform"}, "apply": True})
    assert applied.headers["etag"] == '"1"'
    assert client.get(applied.headers["location"]).json()["revision"] == 1
    again = level(client, dataset_id, {"apply": True}, **{"If-Match": applied.headers["etag"]})
    assert again.status_code == 200


def test_slow_solves_hold_nothing_else_up(client, dataset_id, monkeypatch):
    may_solve = threading.Event()
    monkeypatch.setattr(level_desk, "preview", lambda _: may_solve.wait() and None)
    with ThreadPoolExecutor(MANY) as threads:
        try:
            solves = [threads.submit(level, client, dataset_id) for _ in range(MANY)]
            assert client.get(f"/api/terrain/{dataset_id}").status_code == 200
            assert client.get(f"/api/status/{dataset_id}").status_code == 200
            assert not any(solve.done() for solve in solves)
        finally:
            may_solve.set()
        assert {solve.result().status_code for solve in solves} == {200}


def test_the_curve_goes_from_cheap_to_flat(client, dataset_id):
    curve = client.get(f"/api/level/{dataset_id}/curve?steps=11").json()
    lengths = {len(values) for values in curve.values() if isinstance(values, list)}
    assert lengths == {11}
    assert 0 <= curve["default_step"] < 11
    assert curve["flatness"] == sorted(curve["flatness"])
    limited = client.get(f"/api/level/{dataset_id}/curve?budget=12&noise=drop&max_repeat=1")
    assert limited.status_code == 200, limited.text
    whole, floored, capped = (
        client.get(f"/api/level/{dataset_id}/curve?{query}").json()
        for query in ("", "floor=12", "ceiling=20")
    )
    assert floored["flatness"][0] > whole["flatness"][0]
    assert capped["flatness"][0] > whole["flatness"][0]
    for query in (
        "layer=3",
        "floor=-1",
        "ceiling=nan",
        "budget_unit=words",
        "budget=0",
        "max_repeat=x",
        "noise=cap",
        "steps=1",
        "mode=some",
    ):
        answer = client.get(f"/api/level/{dataset_id}/curve?{query}")
        assert (answer.status_code, answer.headers["content-type"]) == (422, PROBLEM), query
