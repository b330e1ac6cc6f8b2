"""The proving process, as the worker starts it."""

import json
import os
import subprocess
import sys

import numpy as np
import pytest

from gateway.level_requests import to_json
from gateway.level_schemas import LevelQuestion
from gateway.tables import ROWS_FILE, TableLimits, read_table
from levelling.proof import HOLD_OUT_DISTANCE

ROWS = 240
OPTIONS = {
    "seeds": 2,
    "seed": 0,
    "models": ["nearest_mean"],
    "test_share": 0.25,
    "alphas": [],
    "max_rows": 1_000,
}


@pytest.fixture
def asked(tmp_path):
    """Rows in pairs of near-copies, 0.01 apart, and a graph of the neighbours of each."""
    generator = np.random.default_rng(0)
    centres = generator.normal(size=(ROWS // 2, 32))
    vectors = np.repeat(centres, 2, axis=0)
    vectors[1::2] += 0.14 * generator.normal(size=(ROWS // 2, 32))
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    apart = 1 - vectors @ vectors.T
    np.fill_diagonal(apart, 9)
    indices = np.argsort(apart, axis=1)[:, :15]
    labels = (np.arange(ROWS) // 2 % 3).astype(np.int32)
    arrays = {
        "vectors": vectors.astype(np.float32),
        "row_nodes": np.arange(ROWS, dtype=np.int32),
        "indices": indices.astype(np.int32),
        "distances": np.take_along_axis(apart, indices, 1).clip(0, 2).astype(np.float32),
        "labels": labels,
    }
    for name, array in arrays.items():
        np.save(tmp_path / f"{name}.npy", array)
    lines = (f"words of row {row},topic {labels[row]}" for row in range(ROWS))
    (tmp_path / "source").write_text("\n".join(["text,topic", *lines, ""]))
    read_table(tmp_path / "source", tmp_path, None, TableLimits(min_rows=1))
    clusters = [
        {"cluster_id": one, "parent_id": -1, "size": int((labels == one).sum())} for one in range(3)
    ]
    return {
        "text_column": 0,
        "label_column": 1,
        "options": OPTIONS,
        "weights": None,
        "layer": 0,
        "layers": [{"layer_index": 0, "is_terrain_layer": True, "clusters": clusters}],
        "files": {
            "rows": str(tmp_path / ROWS_FILE),
            **{name: str(tmp_path / f"{name}.npy") for name in arrays},
        },
    }


def proof_of(asked, **level):
    request = {**asked, "level": to_json(LevelQuestion.model_validate(level))}
    with subprocess.Popen(
        [sys.executable, "-m", "gateway.proof_process"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"},
    ) as process:
        process.stdin.write(json.dumps(request) + "\n")
        # It leaves when its input goes: held open until the last line.
        process.stdin.flush()
        last = process.stdout.readlines()[-1]
    return json.loads(last)["result"]


def test_what_is_held_out_does_not_depend_on_the_duplicates_of_the_levelling(asked):
    proofs = [
        proof_of(asked, duplicates={"kind": "keep", "max_distance": distance})
        for distance in (0.0, 0.05, 0.6)
    ]
    assert {proof["hold_out_distance"] for proof in proofs} == {HOLD_OUT_DISTANCE}
    first = proofs[0]
    assert first["rows"]["dropped"] == 0
    assert first["rows"]["test"] == pytest.approx(ROWS / 4, abs=6)
    assert all(proof["rows"] == first["rows"] for proof in proofs)
    assert all(proof["models"] == first["models"] for proof in proofs)
