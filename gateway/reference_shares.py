"""How the rows of another dataset spread over the clusters of this one."""

import asyncio

import numpy as np
from numpy.typing import NDArray

from gateway.artifacts import ArtifactStore
from gateway.dataset import Dataset
from gateway.errors import DatasetTooOld, ReferenceRefused
from gateway.layer_files import artifact_name
from gateway.layers import LayerClusters
from gateway.pipeline_types import AssignModel, Stages
from level_rpc.errors import FieldInvalid
from levelling import NOISE_ID

SAMPLE_ROWS = 50_000
"""So many rows at most are assigned: a share of theirs is within 0.5 % of that of all rows."""


async def reference_shares(
    stages: Stages,
    artifacts: ArtifactStore,
    dataset: Dataset,
    layer: LayerClusters,
    reference: Dataset,
) -> dict[str, float]:
    """Return the share of the reference's clustered rows that falls to each cluster, by its id.

    Parameters
    ----------
    dataset, reference : Dataset
        Completed ones.
    layer : LayerClusters
        Of `dataset`.

    Raises
    ------
    ReferenceRefused
        When the two were embedded by different models.
    DatasetTooOld
        When an earlier version stored nothing that new rows could be assigned by.
    FieldInvalid
        When no row of the reference is like any cluster.
    """
    _check_models(dataset, reference)
    model = await asyncio.to_thread(_assign_model, artifacts, dataset, layer)
    vectors = await asyncio.to_thread(_sample_vectors, artifacts, reference)
    assigned = await stages.assign(model, vectors, lambda _: None)
    ids, counts = np.unique(assigned.labels[assigned.labels != NOISE_ID], return_counts=True)
    if not ids.size:
        message = "No row of the reference is like any cluster of this dataset."
        raise FieldInvalid(message, field="reference_dataset_id")
    shares = counts / counts.sum()
    return {
        str(cluster): share for cluster, share in zip(ids.tolist(), shares.tolist(), strict=True)
    }


def _check_models(dataset: Dataset, reference: Dataset) -> None:
    own, other = (one.model.get("fingerprint", "") for one in (dataset, reference))
    if own != other or not own:
        raise ReferenceRefused(
            str(dataset.model.get("model_id", "?")), str(reference.model.get("model_id", "?"))
        )


def _assign_model(artifacts: ArtifactStore, dataset: Dataset, layer: LayerClusters) -> AssignModel:
    labels = artifact_name("labels", layer.layer_index, layer.is_terrain_layer)
    names = ("landmark_rows", "landmark_reaches", "vectors", labels)
    if any(name not in dataset.artifacts for name in names):
        raise DatasetTooOld("what other rows are assigned by")
    rows, reaches, vectors, labels_of_rows = (
        artifacts.open_array(dataset.dataset_id, dataset.artifacts[name]) for name in names
    )
    return AssignModel(vectors[rows], labels_of_rows[rows], np.asarray(reaches))


def _sample_vectors(artifacts: ArtifactStore, reference: Dataset) -> NDArray[np.float32]:
    vectors = artifacts.open_array(reference.dataset_id, reference.artifacts["vectors"])
    if len(vectors) <= SAMPLE_ROWS:
        return vectors
    rows = np.random.default_rng(0).choice(len(vectors), SAMPLE_ROWS, replace=False)
    sample: NDArray[np.float32] = vectors[np.sort(rows)]
    return sample
