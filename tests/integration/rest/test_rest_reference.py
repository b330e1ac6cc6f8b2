"""Levelling to the spread of another dataset, whose rows the real cluster service assigns."""

import numpy as np
import pytest

from tests.integration.rest.test_rest_level import level
from tests.support.rest_gateway import add_completed, add_dataset, running_gateway


@pytest.fixture(scope="module")
def gateway(tmp_path_factory):
    folder = tmp_path_factory.mktemp("gwr")
    with running_gateway(folder / "d", folder, services=("terrain", "cluster")) as running:
        yield running


def add(gateway, labels, model="model-1"):
    """Return the id of a dataset with a direction for each cluster."""
    labels = np.asarray(labels)
    vectors = np.full((labels.size, 4), 0.02, dtype=np.float32)
    vectors[np.arange(labels.size), labels] = 1
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    rows = np.arange(labels.size)
    arrays = {
        "vectors": vectors,
        "landmark_rows": rows,
        "landmark_reaches": np.full(labels.size, 0.2, dtype=np.float32),
    }
    dataset_id = add_completed(gateway, labels, arrays=arrays)
    facts = {"fingerprint": model, "model_id": f"{model}-name"}
    gateway.store.note(dataset_id, model=facts)
    return dataset_id


def test_its_spread_is_the_target(client, gateway):
    dataset_id = add(gateway, [0] * 30 + [1] * 20 + [2] * 10)
    reference = add(gateway, [2] * 40 + [0] * 10)
    answer = level(client, dataset_id, {"reference_dataset_id": reference})
    assert answer.status_code == 200, answer.text
    levelled = answer.json()
    assert levelled["request"]["target"]["kind"] == "custom"
    shares = levelled["request"]["target"]["shares"]
    assert shares == pytest.approx({"0": 0.2, "2": 0.8})
    sizes = levelled["solution"]["sizes"]
    assert sizes == pytest.approx({"0": 12, "1": 0, "2": 48})
    again = level(client, dataset_id, levelled["request"]).json()
    assert again["solution"] == levelled["solution"]


def test_another_model_is_refused_with_both_names(client, gateway):
    dataset_id = add(gateway, [0] * 30 + [1] * 30)
    reference = add(gateway, [0] * 60, model="model-2")
    answer = level(client, dataset_id, {"reference_dataset_id": reference})
    assert (answer.status_code, answer.json()["reason"]) == (409, "MODEL_MISMATCH")
    assert "model-1-name" in answer.json()["detail"]
    assert "model-2-name" in answer.json()["detail"]


def test_a_reference_that_is_not_ready_or_not_alone_is_refused(client, gateway):
    dataset_id = add(gateway, [0] * 30 + [1] * 30)
    unready = add_dataset(gateway)
    answer = level(client, dataset_id, {"reference_dataset_id": unready})
    assert answer.status_code == 409
    both = {"reference_dataset_id": dataset_id, "target": {"kind": "uniform"}}
    answer = level(client, dataset_id, both)
    assert (answer.status_code, answer.json()["context"]["field"]) == (422, "target")
    gone = {"reference_dataset_id": "2c1f9a5e-7c0b-4d0e-9c0a-0f3f6d2b8a11"}
    answer = level(client, dataset_id, gone)
    field = answer.json()["context"]["field"]
    assert (answer.status_code, field) == (422, "reference_dataset_id")
