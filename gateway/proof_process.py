"""The proving process: `python -m gateway.proof_process`, a child of the worker.

It reads one line of JSON, which names files and says what is asked, and writes lines of JSON: how
far it is, and at its end the result or the reason why there is none. Its standard input is held
open by the worker: when that goes, however it goes, the process leaves.
"""

import json
import os
import sys
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from gateway.layers import Layers
from gateway.level_requests import to_level_request
from gateway.level_schemas import LevelQuestion
from gateway.plan_material import make_material, name_in_layer
from gateway.tables import read_texts
from level_rpc.errors import LevelError
from levelling import NOISE_ID, row_weights
from levelling.duplicates.near_duplicates import find_near_duplicates, near_duplicate_chains
from levelling.duplicates.text_keys import text_keys
from levelling.plans.picks import PickTask, Selection
from levelling.proof import (
    HOLD_OUT_DISTANCE,
    Leveller,
    ProofData,
    ProofOptions,
    plan_leveller,
    prove,
    weight_leveller,
)
from levelling.request import LevelRequest
from levelling.selection import select_rows

_NICENESS = 10


def main() -> None:
    """Prove what the first line asks for."""
    request = json.loads(sys.stdin.readline())
    os.nice(_NICENESS)
    threading.Thread(target=_leave_with_parent, daemon=True).start()
    try:
        _say({"result": _prove(request)})
    except LevelError as error:
        _say({"error": error.message})


def _leave_with_parent() -> None:
    while os.read(0, 4096):
        pass
    os._exit(1)


def _say(message: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(message, allow_nan=False) + "\n")
    sys.stdout.flush()


def _prove(asked: Mapping[str, Any]) -> dict[str, Any]:
    files = _Files(asked["files"], asked["text_column"])
    layers = Layers.from_stored(asked["layers"])
    layer = layers.find(asked["layer"])
    graph = _Graph(*(files.required(name) for name in ("row_nodes", "indices", "distances")))
    keys = text_keys(files.texts())
    if asked["level"] is None:
        level = _weigh(files, layers, asked["weights"])
    else:
        request = to_level_request(LevelQuestion.model_validate(asked["level"]), layer)
        groups = find_near_duplicates(*graph, request.duplicates.max_distance, keys).groups
        level = _plan(files, layers, request, groups, graph)
    data = ProofData(
        vectors=files.required("vectors"),
        clusters=files.required(name_in_layer("labels", layer)),
        groups=near_duplicate_chains(*graph, HOLD_OUT_DISTANCE, keys),
        labels=files.cells(asked["label_column"]),
    )
    return prove(data, level, _options(asked["options"]), _report).to_json()


def _weigh(files: "_Files", layers: Layers, weights: Mapping[str, float]) -> Leveller:
    labels = files.required(name_in_layer("labels", layers.finest))
    by_id = {int(cluster): weight for cluster, weight in weights.items()}
    return weight_leveller(labels, row_weights(labels, by_id, by_id.get(NOISE_ID, 1.0)))


def _plan(
    files: "_Files",
    layers: Layers,
    request: LevelRequest,
    groups: NDArray[np.int32],
    graph: "_Graph",
) -> Leveller:
    vectors = files.required("vectors")

    def select(task: PickTask) -> Selection:
        return select_rows(vectors, graph, task)

    material = make_material(files.array, layers, request, groups, files.texts)
    return plan_leveller(material, request, select)


def _options(asked: Mapping[str, Any]) -> ProofOptions:
    lists = {name: tuple(asked[name]) for name in ("models", "alphas")}
    return ProofOptions(**{**asked, **lists})


def _report(done: int, total: int) -> None:
    _say({"progress": done / max(total, 1)})


class _Graph(NamedTuple):
    row_nodes: NDArray[np.int32]
    indices: NDArray[np.int32]
    distances: NDArray[np.float32]


class _Files:
    """The stored files of a dataset, by name."""

    def __init__(self, paths: Mapping[str, str], text_column: int) -> None:
        self._paths = paths
        self._text_column = text_column

    def array(self, name: str) -> NDArray[Any] | None:
        return self.required(name) if name in self._paths else None

    def required(self, name: str) -> NDArray[Any]:
        array: NDArray[Any] = np.load(self._paths[name], mmap_mode="r", allow_pickle=False)
        return array

    def cells(self, column: int | None) -> list[str] | None:
        return None if column is None else read_texts(Path(self._paths["rows"]), column)

    def texts(self) -> list[str]:
        return read_texts(Path(self._paths["rows"]), self._text_column)


if __name__ == "__main__":
    main()
