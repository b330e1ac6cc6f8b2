"""A dataset in this process: vectors, clusters and near-duplicates, without a server or a store.

The calls are those of the worker's pipeline, with the same arguments, so that the same texts give
the same dataset here and there.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import cached_property, partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gateway.dataset import DEFAULT_NEIGHBOR_COUNT
from gateway.embedded_texts import LongTexts, block_size
from gateway.layer_files import artifact_name
from gateway.layers import Layers
from gateway.pipeline_types import Clustering, ExemplarKind, Layer, ParameterValue, Stages
from gateway.plan_material import make_material, needs_groups
from levelling.duplicates.text_keys import text_keys
from levelling.plans.material import Material
from levelling.plans.plan import advance, finish, prepare
from levelling.plans.plan_types import Plan
from levelling.request import NEAR_DUPLICATE_DISTANCE, LevelRequest

OnStage = Callable[[str, float], None]
_LAYER_ARRAYS = ("labels", "nearest", "strengths", "centroids")
_EXEMPLAR_COUNT = 5


@dataclass(frozen=True)
class ClusterOptions:
    """How rows become clusters.

    Attributes
    ----------
    algorithm : str
        `auto`, or one of the cluster service's.
    parameters : mapping
        Of the algorithm, by name.
    seed : int
        Of every random choice, 0 to 2**32 - 1.
    long_texts : LongTexts
        What counts of a text that is longer than the model reads.
    """

    algorithm: str = "auto"
    parameters: Mapping[str, ParameterValue] = field(default_factory=dict)
    seed: int = 0
    long_texts: LongTexts = LongTexts.TRUNCATE


@dataclass(frozen=True, eq=False)
class LocalDataset:
    """Rows that were clustered.

    Attributes
    ----------
    texts : sequence of str, optional
        None where only vectors were given.
    vectors : ndarray of shape (n_rows, n_dimensions), float32
    clustering : Clustering
    near_dup_groups : ndarray of shape (n_rows,), int32
        The group of near-duplicates of each row, called by its central row.
    fingerprint : str
        Of the embedding model; "" where vectors were given.
    """

    texts: Sequence[str] | None
    vectors: NDArray[np.float32]
    clustering: Clustering
    near_dup_groups: NDArray[np.int32]
    fingerprint: str

    @cached_property
    def layers(self) -> Layers:
        """The layers, finest first."""
        return Layers.from_stored([_as_stored(layer) for layer in self.clustering.layers])

    def material(self, request: LevelRequest) -> Material:
        """Return what a request needs of these rows, as the gateway gives it.

        Raises
        ------
        InvalidTarget
            When it needs texts, and there are none.
        """
        groups = self.near_dup_groups if request.chooses_rows or needs_groups(request) else None
        return make_material(self._array, self.layers, request, groups, self._read_texts)

    def _array(self, name: str) -> NDArray[Any] | None:
        if name == "vectors":
            return self.vectors
        for layer in self.clustering.layers:
            for array in _LAYER_ARRAYS:
                if artifact_name(array, layer.layer_index, layer.is_terrain_layer) == name:
                    found: NDArray[Any] = getattr(layer, array)
                    return found
        return None

    def _read_texts(self) -> Sequence[str]:
        if self.texts is None:
            raise TextsNeeded
        return self.texts


class TextsNeeded(ValueError):
    """A request counts tokens or characters, and only vectors were given."""

    def __init__(self) -> None:
        super().__init__("this needs the texts of the rows: give them beside embeddings")


async def embed_texts(
    stages: Stages,
    texts: Sequence[str],
    long_texts: LongTexts = LongTexts.TRUNCATE,
    fingerprint: str = "",
    on_progress: Callable[[float], None] = lambda fraction: None,
) -> tuple[NDArray[np.float32], str]:
    """Return the vector of each text, and the fingerprint of the model that made them.

    Parameters
    ----------
    stages : Stages
    texts : sequence of str
        At least one; equal ones are embedded once.
    long_texts : LongTexts
    fingerprint : str
        The model that it must be; any when empty.
    on_progress : callable

    Returns
    -------
    vectors : ndarray of shape (n_texts, n_dimensions), float32
    fingerprint : str
    """
    places: dict[str, int] = {}
    place_of_row = np.fromiter(
        (places.setdefault(text, len(places)) for text in texts), np.int64, count=len(texts)
    )
    distinct = list(places)
    model = fingerprint or (await stages.get_model()).fingerprint
    size, parts = block_size(len(distinct)), []
    for start in range(0, len(distinct), size):
        block = distinct[start : start + size]
        parts.append((await stages.embed(block, model, long_texts=long_texts)).vectors)
        on_progress(min(1.0, (start + size) / len(distinct)))
    return np.concatenate(parts)[place_of_row], model


async def build_dataset(
    stages: Stages,
    texts: Sequence[str] | None,
    vectors: NDArray[np.float32] | None,
    options: ClusterOptions,
    max_distance: float = NEAR_DUPLICATE_DISTANCE,
    on_stage: OnStage = lambda stage, fraction: None,
) -> LocalDataset:
    """Return the dataset of texts, of vectors, or of texts whose vectors are there already.

    Parameters
    ----------
    stages : Stages
    texts : sequence of str, optional
    vectors : ndarray of shape (n_rows, n_dimensions), float32, optional
        Computed from the texts when not given.
    options : ClusterOptions
    max_distance : float
        The cosine distance up to which rows are near-duplicates.
    on_stage : callable
        Told the stage, `embedding` or `clustering`, and how much of it is done, 0 to 1.
    """
    fingerprint = ""
    await stages.check_parameters(options.algorithm, dict(options.parameters))
    if vectors is None:
        assert texts is not None
        tell = partial(on_stage, "embedding")
        vectors, fingerprint = await embed_texts(stages, texts, options.long_texts, "", tell)
    clustering = await stages.cluster(
        vectors,
        options.algorithm,
        dict(options.parameters),
        options.seed,
        DEFAULT_NEIGHBOR_COUNT,
        _EXEMPLAR_COUNT,
        ExemplarKind.CENTRAL,
        partial(on_stage, "clustering"),
    )
    keys = None if texts is None else text_keys(texts)
    groups = await stages.find_near_duplicates(
        clustering.graph, max_distance, keys, lambda fraction: None
    )
    return LocalDataset(texts, vectors, clustering, groups, fingerprint)


async def plan_dataset(stages: Stages, dataset: LocalDataset, request: LevelRequest) -> Plan:
    """Return the plan of a request.

    Raises
    ------
    InvalidTarget, LayerUnknown
        When it cannot be meant.
    """
    prepared = prepare(dataset.material(request), request)
    while prepared.task is not None:
        selection = await stages.select_rows(
            dataset.vectors, dataset.clustering.graph, prepared.task, lambda fraction: None
        )
        prepared = advance(prepared, selection)
    return finish(prepared)


def _as_stored(layer: Layer) -> dict[str, Any]:
    """Return a layer as the worker stores it: its clusters, without their arrays."""
    return {
        "layer_index": layer.layer_index,
        "is_terrain_layer": layer.is_terrain_layer,
        "clusters": [asdict(cluster) for cluster in layer.clusters],
    }
