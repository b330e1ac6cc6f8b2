"""What stages leave behind: files first, then, in one transaction, their names in the database."""

from collections.abc import Iterable
from dataclasses import asdict
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gateway.artifacts import ArtifactStore
from gateway.dataset import ClusterName, Dataset
from gateway.embedded_texts import LongTexts, TextCounts
from gateway.layer_files import LAYERS, NEAR_DUPLICATES, artifact_name
from gateway.pipeline_types import Clustering, Layer, Layout
from gateway.store import DatasetStore
from gateway.worker.terrain import LAYOUT, LayerTerrain
from gateway.worker.unique_texts import UniqueTexts, expand_rows
from gateway.worker.vector_file import VectorFile

GRAPH_ARRAYS = ("row_nodes", "indices", "distances")
_LAYER_ARRAYS = ("labels", "nearest", "strengths", "centroids")


class StageResults:
    """Stores results; each method may be called again with the same. Methods block.

    Parameters
    ----------
    store : DatasetStore
    artifacts : ArtifactStore
    """

    def __init__(self, store: DatasetStore, artifacts: ArtifactStore) -> None:
        self._store = store
        self._artifacts = artifacts

    def keep_vectors(self, dataset: Dataset, unique: UniqueTexts, file: VectorFile) -> None:
        """Store a vector for every row from those of the distinct texts."""
        dataset_id, so_far = dataset.dataset_id, file.so_far
        assert so_far.model is not None
        with self._artifacts.writing(dataset_id, "vectors.npy") as target:
            expand_rows(file.read(), unique.unique_of_row, target)
        artifact = self._artifacts.describe(dataset_id, "vectors", "vectors.npy", ("rows",))
        counts = {
            "duplicate_text_count": dataset.row_count - unique.count,
            "truncated_count": so_far.counts.truncated_count,
            "chunked_count": so_far.counts.chunked_count,
        }
        long_texts = LongTexts(dataset.parameters.long_texts)
        warnings = _truncation_warning(so_far.counts, so_far.model.max_token_count, long_texts)
        self._store.note(dataset_id, warnings=warnings, counts=counts, model=asdict(so_far.model))
        self._store.put_artifacts(dataset_id, artifact)

    def keep_clusters(self, dataset_id: str, clustering: Clustering) -> None:
        """Store the neighbour graph, every layer and the landmarks."""
        arrays = {name: getattr(clustering.graph, name) for name in GRAPH_ARRAYS}
        for layer in clustering.layers:
            for name in _LAYER_ARRAYS:
                key = artifact_name(name, layer.layer_index, layer.is_terrain_layer)
                arrays[key] = getattr(layer, name)
        arrays["landmark_rows"] = clustering.landmarks.row_ids
        arrays["landmark_reaches"] = clustering.landmarks.reaches
        parents = ("vectors",)
        files = [
            self._artifacts.save_array(dataset_id, name, array, parents)
            for name, array in arrays.items()
        ]
        layers = [_as_json(layer) for layer in clustering.layers]
        clusters = _as_json(clustering.terrain_layer)["clusters"]
        files.append(self._artifacts.save_json(dataset_id, LAYERS, layers, parents))
        files.append(self._artifacts.save_json(dataset_id, "clusters", clusters, parents))
        outcome = clustering.outcome
        counts = {"cluster_count": len(clusters), "noise_count": outcome["noise_count"]}
        self._store.note(dataset_id, counts=counts, clustering=outcome)
        self._store.put_artifacts(dataset_id, *files)

    def keep_near_duplicates(self, dataset_id: str, groups: NDArray[np.int32]) -> None:
        """Store the group of near-duplicates that each row is in, and how many rows are copies."""
        parents = (*GRAPH_ARRAYS, "rows")
        artifact = self._artifacts.save_array(dataset_id, NEAR_DUPLICATES, groups, parents)
        copies = groups.size - np.unique(groups).size
        self._store.note(dataset_id, counts={"near_duplicate_count": copies})
        self._store.put_artifacts(dataset_id, artifact)

    def keep_names(self, dataset_id: str, names: list[ClusterName]) -> None:
        """Store the names of all clusters."""
        value = [asdict(name) for name in names]
        artifact = self._artifacts.save_json(dataset_id, "names", value, ("clusters", "rows"))
        self._store.put_artifacts(dataset_id, artifact)

    def keep_layout(self, dataset_id: str, layout: Layout) -> None:
        """Store the position of every row, and how well positions show what is near."""
        quality = {
            "own_hill_fraction": layout.own_hill_fraction,
            "neighbor_preservation": layout.neighbor_preservation,
        }
        parents = (*GRAPH_ARRAYS, "labels")
        files = (
            self._artifacts.save_array(dataset_id, "positions", layout.positions, parents),
            self._artifacts.save_json(dataset_id, LAYOUT, quality, parents),
        )
        self._store.put_artifacts(dataset_id, *files)

    def keep_terrains(self, dataset_id: str, terrains: Iterable[LayerTerrain]) -> None:
        """Store the terrain of every layer and its heights."""
        parents = ("clusters", "names", "positions")
        files = []
        for one in terrains:
            name = partial(
                artifact_name, layer_index=one.layer_index, is_terrain_layer=one.is_terrain_layer
            )
            save = self._artifacts
            files.append(save.save_json(dataset_id, name("terrain"), one.described, parents))
            files.append(save.save_array(dataset_id, name("heights"), one.heights, parents))
        self._store.put_artifacts(dataset_id, *files)


def _as_json(layer: Layer) -> dict[str, Any]:
    return {
        "layer_index": layer.layer_index,
        "is_terrain_layer": layer.is_terrain_layer,
        "clusters": [asdict(cluster) for cluster in layer.clusters],
    }


def _truncation_warning(
    counts: TextCounts, max_token_count: int, long_texts: LongTexts
) -> list[str]:
    if not counts.truncated_count:
        return []
    verb = "is" if counts.truncated_count == 1 else "are"
    share = f"{counts.truncated_count:,} of {counts.row_count:,} different texts {verb}"
    if long_texts == LongTexts.MEAN:
        return [f"{share} too long to be read whole: only the beginning counts."]
    return [
        f"{share} longer than the model reads ({max_token_count} tokens): only the beginning"
        " counts. To have all of them read, upload the file again with long_texts=mean: “Read long"
        " texts to their end” on the page, --long-texts mean on the command line."
    ]
