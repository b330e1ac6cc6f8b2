"""POST and GET /api/prove."""

import pytest

from gateway.jobs import JobKind
from tests.integration.rest.conftest import LABELS
from tests.support.rest_gateway import add_completed, add_dataset

PROBLEM = "application/problem+json"


def prove(client, dataset_id, asked=None):
    return client.post(f"/api/prove/{dataset_id}", json=asked or {})


@pytest.fixture
def labelled_id(gateway):
    """Return a completed dataset with columns that are classes, names, all the same and blank."""
    rows = (f"{row},words of row {row},topic {row % 3},same, " for row in range(len(LABELS)))
    source = "\r\n".join(["id,text,topic,kind,nothing", *rows, ""]).encode()
    return add_completed(gateway, LABELS, source=source)


def test_a_proof_is_recorded_and_read(client, labelled_id, gateway):
    dataset_id = labelled_id
    asked = {"label_column": "topic", "seeds": 3, "alphas": [0, 0.5], "seed": 7}
    answer = prove(client, dataset_id, asked)
    assert answer.status_code == 202, answer.text
    state = answer.json()
    assert answer.headers["location"] == f"/api/prove/{dataset_id}"
    assert (state["status"], state["progress"], state["result"]) == ("processing", 0, None)
    assert asked.items() <= state["request"].items()
    job = gateway.jobs.get(state["job_id"])
    assert (job.kind, job.dataset_id) == (JobKind.PROVE, dataset_id)
    gateway.jobs.complete(job.job_id, {"verdict": {"kind": "helps", "text": "It helps."}})
    done = client.get(f"/api/prove/{dataset_id}").json()
    assert (done["status"], done["progress"]) == ("completed", 100)
    assert done["result"]["verdict"]["text"] == "It helps."
    assert client.get(f"/api/status/{dataset_id}").json()["status"] == "completed"


def test_what_is_tested_is_fixed_when_it_is_asked_for(client, dataset_id):
    default = prove(client, dataset_id).json()["request"]
    assert (default["level"]["target"]["kind"], default["weights"]) == ("auto", None)
    client.post(f"/api/adjust/{dataset_id}", json={"adjustments": {"0": 0.5}})
    by_hand = prove(client, dataset_id).json()["request"]
    assert (by_hand["level"], by_hand["weights"]) == (None, {"0": 0.5})
    asked = {"target": {"kind": "uniform"}, "apply": True}
    client.post(f"/api/level/{dataset_id}", json=asked)
    applied = prove(client, dataset_id).json()["request"]
    assert (applied["level"]["target"]["kind"], applied["weights"]) == ("uniform", None)
    own = {"level": {"target": {"kind": "tempered", "value": 0.5}, "budget": 20}}
    given = prove(client, dataset_id, own).json()["request"]
    assert (given["level"]["budget"], given["level"]["layer"], given["layer"]) == (20, 0, 0)


def test_a_newer_proof_takes_the_place_of_the_last(client, dataset_id, gateway):
    first, second = (prove(client, dataset_id).json()["job_id"] for _ in range(2))
    assert client.get(f"/api/prove/{dataset_id}").json()["job_id"] == second
    unfinished = {job.job_id for job in gateway.jobs.unfinished()}
    assert second in unfinished and first not in unfinished


@pytest.mark.parametrize(
    ("body", "status", "field"),
    [
        ("{", 400, None),
        ('{"seeds": 1, "seeds": 2}', 400, None),
        ("[]", 422, "body"),
        ('{"seeds": 0}', 422, "seeds"),
        ('{"seeds": 1000000}', 422, "seeds"),
        ('{"seeds": 2.5}', 422, "seeds"),
        ('{"models": []}', 422, "models"),
        ('{"models": ["oracle"]}', 422, "models"),
        ('{"models": "logistic_regression"}', 422, "models"),
        ('{"alphas": [0, 2]}', 422, "alphas.1"),
        ('{"alphas": [NaN]}', 422, "alphas.0"),
        ('{"test_share": 0}', 422, "test_share"),
        ('{"max_rows": 1}', 422, "max_rows"),
        ('{"label_column": "colour"}', 422, "label_column"),
        ('{"label_column": 1}', 422, "label_column"),
        ('{"level": {"budget": 0}}', 422, "level.budget"),
        ('{"level": {"apply": true}}', 422, "level.apply"),
        ('{"level": {"pinned": {"9": 1}}}', 422, "pinned.9"),
        ('{"level": {"layer": 9}}', 422, "layer"),
        ('{"verdict": "helps"}', 422, "verdict"),
    ],
)
def test_what_cannot_be_meant_is_refused_with_its_field(client, dataset_id, body, status, field):
    headers = {"Content-Type": "application/json"}
    answer = client.post(f"/api/prove/{dataset_id}", content=body, headers=headers)
    assert (answer.status_code, answer.headers["content-type"]) == (status, PROBLEM), answer.text
    if field is not None:
        assert answer.json()["context"]["field"] == field
    missing = client.get(f"/api/prove/{dataset_id}")
    assert (missing.status_code, missing.json()["reason"]) == (409, "PROOF_MISSING")


@pytest.mark.parametrize(
    ("column", "words"),
    [
        ("text", "the text itself"),
        ("id", "one row only"),
        ("kind", "same label"),
        ("nothing", "empty"),
    ],
)
def test_a_column_without_classes_is_refused_at_once(client, labelled_id, column, words):
    answer = prove(client, labelled_id, {"label_column": column})
    assert (answer.status_code, answer.headers["content-type"]) == (422, PROBLEM), answer.text
    assert answer.json()["context"]["field"] == "label_column"
    assert words in answer.text
    assert client.get(f"/api/prove/{labelled_id}").status_code == 409


def test_there_is_no_proof_before_completion_or_after_deletion(client, gateway):
    dataset_id = add_dataset(gateway)
    assert prove(client, dataset_id).status_code == 409
    done = add_completed(gateway, LABELS)
    job_id = prove(client, done).json()["job_id"]
    client.delete(f"/api/datasets/{done}")
    assert client.get(f"/api/prove/{done}").status_code == 404
    assert job_id not in {job.job_id for job in gateway.jobs.unfinished()}
