"""Makes proofs, each in a process of its own that dies with whoever waits for it."""

import asyncio
import json
import os
import sys
from asyncio.subprocess import PIPE, Process
from typing import Any

from gateway.artifacts import ArtifactStore
from gateway.dataset import Dataset
from gateway.errors import DatasetTooOld
from gateway.jobs import Job
from gateway.layer_files import stored_layers
from gateway.layers import Layers
from gateway.pipeline_types import OnProgress
from gateway.plan_material import name_in_layer
from gateway.proof_requests import to_process_request
from gateway.store import DatasetStore
from gateway.worker.dataset_job import Finished
from gateway.worker.results import GRAPH_ARRAYS
from gateway.worker.transient import in_store
from level_rpc.errors import FailedPrecondition, Internal

_LONGEST_LINE = 1 << 26
# One thread: a proof may take minutes beside work that people wait for.
_ENVIRONMENT = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "PYTHONIOENCODING": "utf-8"}


class ProofFailed(FailedPrecondition):
    """There is no proof, for a reason that lies in the data or in what was asked."""

    reason = "PROOF_FAILED"


class ProofMaker:
    """Makes proofs.

    Parameters
    ----------
    store : DatasetStore
    artifacts : ArtifactStore
    """

    def __init__(self, store: DatasetStore, artifacts: ArtifactStore) -> None:
        self._store = store
        self._artifacts = artifacts

    async def make(self, job: Job, on_progress: OnProgress) -> Finished:
        """Return the proof that a job asks for; cancelling it kills the process."""
        dataset = await in_store(self._store.get, job.dataset_id)
        request = await asyncio.to_thread(self._request, dataset, job)
        process = await _start()
        try:
            result = await _talk(process, request, on_progress)
        finally:
            if process.returncode is None:
                process.kill()
            await process.wait()
        return Finished(result)

    def discard(self, job: Job) -> None:
        """Do nothing: a proof leaves no files."""

    def _request(self, dataset: Dataset, job: Job) -> dict[str, Any]:
        """Return what the process is told: each file that it may need, read and checked."""
        layers = stored_layers(self._artifacts, dataset)
        return {
            **to_process_request(dataset, job.request),
            "files": self._paths(dataset, Layers.from_stored(layers)),
            "layers": layers,
        }

    def _paths(self, dataset: Dataset, layers: Layers) -> dict[str, str]:
        needed = ["rows", "vectors", *GRAPH_ARRAYS]
        needed += [name_in_layer("labels", layer) for layer in layers.layers]
        useful = [name_in_layer(name, layers.finest) for name in ("nearest", "centroids")]
        files = dataset.artifacts
        missing = next((name for name in needed if name not in files), None)
        if missing is not None:
            raise DatasetTooOld(f"storing its {missing}")
        names = [*needed, *(name for name in useful if name in files)]
        path = self._artifacts.path
        return {name: str(path(dataset.dataset_id, files[name]).resolve()) for name in names}


async def _start() -> Process:
    # A session of its own: Ctrl-C reaches the worker alone, which then kills its child.
    return await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "gateway.proof_process",
        stdin=PIPE,
        stdout=PIPE,
        limit=_LONGEST_LINE,
        env={**os.environ, **_ENVIRONMENT},
        start_new_session=True,
    )


async def _talk(
    process: Process, request: dict[str, Any], on_progress: OnProgress
) -> dict[str, Any]:
    """Send the request, and return the result that comes after reports of progress."""
    assert process.stdin is not None and process.stdout is not None
    process.stdin.write(json.dumps(request).encode() + b"\n")
    await process.stdin.drain()
    async for line in process.stdout:
        message = json.loads(line)
        if "error" in message:
            raise ProofFailed(message["error"])
        if "result" in message:
            result: dict[str, Any] = message["result"]
            return result
        on_progress(message["progress"])
    raise Internal("The proof stopped unexpectedly; the worker's log may say why. Ask again.")
