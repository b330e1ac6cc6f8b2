"""Under which names the layers of a dataset are stored.

The terrain layer's arrays have the plain names ("labels"), those of another layer end in its index
("labels-0"). A dataset without the artifact "layers" was made when there was no other layer.
"""

from typing import Any

from gateway.artifacts import ArtifactStore
from gateway.dataset import Dataset
from gateway.layers import Layers

LAYERS = "layers"


def artifact_name(name: str, layer_index: int, is_terrain_layer: bool) -> str:
    """Return the name of an artifact of one layer."""
    return name if is_terrain_layer else f"{name}-{layer_index}"


def read_layers(artifacts: ArtifactStore, dataset: Dataset) -> list[dict[str, Any]]:
    """Return the layers of a clustered dataset with their clusters, as JSON values."""
    files = dataset.artifacts
    if LAYERS in files:
        layers: list[dict[str, Any]] = artifacts.load_json(dataset.dataset_id, files[LAYERS])
        return layers
    clusters = artifacts.load_json(dataset.dataset_id, files["clusters"])
    return [{"layer_index": 0, "is_terrain_layer": True, "clusters": clusters}]


def layers_of_completed(artifacts: ArtifactStore, dataset: Dataset) -> Layers:
    """Return the layers of a dataset whose terrain is stored."""
    files = dataset.artifacts
    if LAYERS in files:
        return Layers.from_stored(artifacts.load_json(dataset.dataset_id, files[LAYERS]))
    terrain = artifacts.load_json(dataset.dataset_id, files["terrain"])
    return Layers.of_one(terrain["hills"])
