"""What stages leave behind: files first, then, in one transaction, their names in the database."""

from dataclasses import asdict
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gateway.artifacts import ArtifactStore
from gateway.dataset import ClusterName, Dataset
from gateway.pipeline_types import Clustering
from gateway.store import DatasetStore
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
            "truncated_count": so_far.truncated_count,
        }
        warnings = _truncation_warning(so_far.truncated_count, so_far.model.max_token_count)
        self._store.note(dataset_id, warnings=warnings, counts=counts, model=asdict(so_far.model))
        self._store.put_artifacts(dataset_id, artifact)

    def keep_clusters(self, dataset_id: str, clustering: Clustering) -> None:
        """Store the neighbour graph and the terrain layer."""
        layer, outcome = clustering.terrain_layer, clustering.outcome
        arrays = {name: getattr(clustering.graph, name) for name in GRAPH_ARRAYS}
        arrays |= {name: getattr(layer, name) for name in _LAYER_ARRAYS}
        parents = ("vectors",)
        files = [
            self._artifacts.save_array(dataset_id, name, array, parents)
            for name, array in arrays.items()
        ]
        clusters = [asdict(cluster) for cluster in layer.clusters]
        files.append(self._artifacts.save_json(dataset_id, "clusters", clusters, parents))
        counts = {"cluster_count": len(clusters), "noise_count": outcome["noise_count"]}
        self._store.note(dataset_id, counts=counts, clustering=outcome)
        self._store.put_artifacts(dataset_id, *files)

    def keep_names(self, dataset_id: str, names: list[ClusterName]) -> None:
        """Store the names of all clusters."""
        value = [asdict(name) for name in names]
        artifact = self._artifacts.save_json(dataset_id, "names", value, ("clusters", "rows"))
        self._store.put_artifacts(dataset_id, artifact)

    def keep_positions(self, dataset_id: str, positions: NDArray[np.float32]) -> None:
        """Store the position of every row."""
        artifact = self._artifacts.save_array(dataset_id, "positions", positions, GRAPH_ARRAYS)
        self._store.put_artifacts(dataset_id, artifact)

    def keep_terrain(
        self, dataset_id: str, terrain: dict[str, Any], heights: NDArray[np.float32]
    ) -> None:
        """Store the terrain and its heights."""
        parents = ("clusters", "names", "positions")
        files = (
            self._artifacts.save_json(dataset_id, "terrain", terrain, parents),
            self._artifacts.save_array(dataset_id, "heights", heights, parents),
        )
        self._store.put_artifacts(dataset_id, *files)


def _truncation_warning(count: int, max_token_count: int) -> list[str]:
    if not count:
        return []
    texts = "1 text is" if count == 1 else f"{count:,} texts are"
    return [f"{texts} longer than the model reads; what follows token {max_token_count} was cut."]
