"""Under which names the layers of a dataset are stored.

The terrain layer's arrays have the plain names ("labels"), those of another layer end in its index
("labels-0"). A dataset without the artifact "layers" was made when there was no other layer.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from gateway.layers import Layers

if TYPE_CHECKING:
    # Not for the process of an export, which needs the names alone and starts for each.
    from gateway.artifacts import ArtifactStore
    from gateway.dataset import Dataset

LAYERS = "layers"
NEAR_DUPLICATES = "near_dup_groups"


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


def stored_layers(artifacts: ArtifactStore, dataset: Dataset) -> list[dict[str, Any]]:
    """Return the layers of a dataset whose terrain is stored, as JSON values."""
    files = dataset.artifacts
    if LAYERS in files:
        layers: list[dict[str, Any]] = artifacts.load_json(dataset.dataset_id, files[LAYERS])
        return layers
    terrain = artifacts.load_json(dataset.dataset_id, files["terrain"])
    return [{"layer_index": 0, "is_terrain_layer": True, "clusters": terrain["hills"]}]


def layers_of_completed(artifacts: ArtifactStore, dataset: Dataset) -> Layers:
    """Return the layers of a dataset whose terrain is stored."""
    return Layers.from_stored(stored_layers(artifacts, dataset))
