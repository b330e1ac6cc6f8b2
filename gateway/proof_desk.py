"""Proofs of levellings of completed datasets: records what is asked, tells what came of it."""

from pathlib import Path
from typing import Any, TypeGuard

from gateway.artifacts import ArtifactStore
from gateway.dataset import Dataset, Status
from gateway.errors import ProofMissing
from gateway.job_store import JobStore
from gateway.job_view import job_view
from gateway.jobs import Job, JobKind, NewJob
from gateway.json_bodies import shown
from gateway.layer_files import layers_of_completed
from gateway.level_requests import read_body, to_json, to_level_request
from gateway.level_schemas import LevelQuestion
from gateway.plans import is_current
from gateway.proof_requests import check_label_column
from gateway.proof_schemas import ProveBody
from gateway.request_context import current_request_id
from gateway.store import DatasetStore
from level_rpc.errors import FieldInvalid
from levelling.proof import MODELS


class ProofDesk:
    """Takes proofs in; all of it blocks.

    Parameters
    ----------
    store : DatasetStore
    jobs : JobStore
    artifacts : ArtifactStore
    """

    def __init__(self, store: DatasetStore, jobs: JobStore, artifacts: ArtifactStore) -> None:
        self._store = store
        self._jobs = jobs
        self._artifacts = artifacts

    def ask(self, dataset: Dataset, body: bytes) -> dict[str, Any]:
        """Record the proof that a body asks for, and return where it stands, as JSON values.

        What is tested is fixed now: the levelling that the body gives, else the one that the
        weights come from, else the weights themselves, else the default levelling.

        Raises
        ------
        RequestRefused, FieldInvalid, InvalidTarget, LayerUnknown
            When it cannot be meant.
        """
        asked = read_body(body, ProveBody)
        unknown = next((name for name in asked.models if name not in MODELS), None)
        if unknown is not None:
            message = f"There is no model {shown(unknown)}; there are {', '.join(MODELS)}."
            raise FieldInvalid(message, field="models")
        check_label_column(dataset, asked.label_column, self._rows_path(dataset))
        request = {**asked.model_dump(mode="json"), **self._levelling(dataset, asked.level)}
        self._jobs.add(dataset.dataset_id, NewJob(JobKind.PROVE, request, current_request_id()))
        return self.current(dataset)

    def current(self, dataset: Dataset) -> dict[str, Any]:
        """Return the last proof that was asked for, as JSON values.

        Raises
        ------
        ProofMissing
            When there was none.
        """
        job = self._jobs.find(dataset.dataset_id, JobKind.PROVE)
        if job is None:
            raise ProofMissing
        return {**job_view(job, dataset), "request": job.request, "result": job.result}

    def _rows_path(self, dataset: Dataset) -> Path | None:
        rows = dataset.artifacts.get("rows")
        return self._artifacts.path(dataset.dataset_id, rows) if rows else None

    def _levelling(self, dataset: Dataset, asked: LevelQuestion | None) -> dict[str, Any]:
        """Return the levelling to test: `level`, or `weights` where it is null, and their layer."""
        layers = layers_of_completed(self._artifacts, dataset)
        if asked is None:
            weights = self._store.weights(dataset.dataset_id)
            job = self._jobs.find(dataset.dataset_id, JobKind.LEVEL)
            if _is_applied(job, dataset):
                return {"level": job.request, "weights": None, "layer": job.request["layer"]}
            if weights.weights:
                by_id = {str(cluster): weight for cluster, weight in weights.weights.items()}
                return {"level": None, "weights": by_id, "layer": layers.terrain.layer_index}
        question = asked or LevelQuestion()
        layer = layers.find(question.layer)
        to_level_request(question, layer)  # raises what is wrong with it
        level = {**to_json(question), "layer": layer.layer_index}
        return {"level": level, "weights": None, "layer": layer.layer_index}


def _is_applied(job: Job | None, dataset: Dataset) -> TypeGuard[Job]:
    return job is not None and is_current(job, dataset) and job.status != Status.FAILED
