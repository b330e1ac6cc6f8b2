"""What the stages of the pipeline take and give: arrays and frozen dataclasses; pure."""

from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from gateway.embedded_texts import EmbeddedTexts, LongTexts, ModelInfo, OnRows, ignore_rows
from levelling.plans.picks import PickTask, Selection

ParameterValue = float | int | str | bool
OnProgress = Callable[[float], None]
OnDraft = Callable[[NDArray[np.float32]], None]


@dataclass(frozen=True)
class NeighborGraph:
    """The k nearest neighbours of every distinct vector, by cosine distance.

    Attributes
    ----------
    row_nodes : ndarray of shape (row_count,), int32
        The node of each row; rows with identical vectors share one.
    indices : ndarray of shape (node_count, neighbor_count), int32
        Each node's neighbours, nearest first, never itself.
    distances : ndarray of shape (node_count, neighbor_count), float32
        Cosine distances, 0 to 2.
    """

    row_nodes: NDArray[np.int32]
    indices: NDArray[np.int32]
    distances: NDArray[np.float32]


class ExemplarKind(StrEnum):
    """Which rows stand for a cluster: the most central ones, or ones that together cover it."""

    CENTRAL = "central"
    DIVERSE = "diverse"


@dataclass(frozen=True)
class ClusterStats:
    """One cluster of a layer.

    Attributes
    ----------
    spread : float
        Mean cosine distance of its rows to the centroid, 0 to 1.
    parent_id : int
        The cluster of the next coarser layer that it lies in, -1 when there is none.
    stability : float, optional
        How well it survives other seeds and samples of the rows, 0 to 1; None when not measured.
    """

    cluster_id: int
    size: int
    spread: float
    exemplar_row_ids: tuple[int, ...]
    parent_id: int
    stability: float | None


@dataclass(frozen=True)
class Layer:
    """One labelling of all rows.

    Attributes
    ----------
    layer_index : int
        From 0, the finest; each cluster lies in one of the next layer.
    clusters : tuple of ClusterStats
        By cluster_id, without gaps, largest first; ids are unique over all layers, and the terrain
        layer's start at 0.
    centroids : ndarray of shape (cluster_count, dimension_count), float32
    labels, nearest : ndarray of shape (row_count,), int32
        -1 is noise; `nearest` is -1 only when there is no cluster.
    strengths : ndarray of shape (row_count,), float32
        How firmly each row belongs to `nearest`, 0 to 1.
    """

    layer_index: int
    is_terrain_layer: bool
    clusters: tuple[ClusterStats, ...]
    centroids: NDArray[np.float32]
    labels: NDArray[np.int32]
    nearest: NDArray[np.int32]
    strengths: NDArray[np.float32]


@dataclass(frozen=True)
class Landmarks:
    """The rows of a clustering that new rows are compared with.

    Attributes
    ----------
    row_ids : ndarray of shape (landmark_count,), int64
        Rising.
    reaches : ndarray of shape (landmark_count,), float32
        The cosine distance within which a new row is as dense as its clusters are, 0 to 2.
    """

    row_ids: NDArray[np.int64]
    reaches: NDArray[np.float32]


@dataclass(frozen=True)
class Clustering:
    """What the cluster service answers; `outcome` says what was done and why, as JSON values.

    Layers come finest first and are nested; noise is the same rows in each.
    """

    graph: NeighborGraph
    layers: tuple[Layer, ...]
    landmarks: Landmarks
    outcome: dict[str, Any]

    @property
    def terrain_layer(self) -> Layer:
        """The layer that a terrain shows."""
        return next(layer for layer in self.layers if layer.is_terrain_layer)


@dataclass(frozen=True)
class Layout:
    """Where rows lie on the plane, and how well that shows what the graph and the labels say.

    Attributes
    ----------
    positions : ndarray of shape (row_count, 2), float32
        -1 to 1.
    neighbor_preservation : float
        Share of the graph's neighbours that are near on the plane too, 0 to 1.
    own_hill_fraction : float, optional
        Share of clustered rows whose nearest hill centre is their own cluster's, 0 to 1; None
        without labels or without a cluster.
    """

    positions: NDArray[np.float32]
    neighbor_preservation: float
    own_hill_fraction: float | None


@dataclass(frozen=True)
class AssignModel:
    """A stored clustering as new rows are assigned to it: its landmarks, a row each.

    Attributes
    ----------
    vectors : ndarray of shape (landmark_count, dimension_count), float32
    labels : ndarray of shape (landmark_count,), int32
        Their clusters in any one layer, -1 for noise.
    reaches : ndarray of shape (landmark_count,), float32
    positions : ndarray of shape (landmark_count, 2), float32, optional
    """

    vectors: NDArray[np.float32]
    labels: NDArray[np.int32]
    reaches: NDArray[np.float32]
    positions: NDArray[np.float32] | None = None


@dataclass(frozen=True)
class AssignedRows:
    """What new rows got, each by itself.

    Attributes
    ----------
    labels, nearest : ndarray of shape (row_count,), int32
        -1 is noise; `nearest` is -1 only when the model has no cluster.
    strengths : ndarray of shape (row_count,), float32
        How firmly each row belongs to `nearest`, 0 to 1.
    positions : ndarray of shape (row_count, 2), float32, optional
        On the scale of the model's; None where that has none.
    """

    labels: NDArray[np.int32]
    nearest: NDArray[np.int32]
    strengths: NDArray[np.float32]
    positions: NDArray[np.float32] | None


@dataclass(frozen=True)
class ClusterTexts:
    """What a cluster is named from; without `texts` no language model is asked."""

    cluster_id: int
    row_count: int
    texts: tuple[str, ...]
    term_counts: tuple[tuple[str, int], ...]


@dataclass(frozen=True)
class NameOutcome:
    """One name for one cluster, or the reason why the language model gave none."""

    cluster_id: int
    label: str = ""
    description: str = ""
    keywords: tuple[str, ...] = ()
    label_source: str = ""
    failure: str = ""


@dataclass(frozen=True)
class HillShape:
    """A hill on the grid: centre and radius in cells, height at its weight."""

    cluster_id: int
    x: float
    z: float
    radius: float
    height: float


@dataclass(frozen=True)
class BuiltTerrain:
    """A height field.

    Attributes
    ----------
    heights : ndarray of shape (grid_size, grid_size), float32
        Height at [z][x]; 0 to 10 at the original weights.
    height_scale : float
        What the summed hills were multiplied with; pass it in at later builds.
    colors : dict of int to str
        "#rrggbb" of each cluster.
    """

    heights: NDArray[np.float32]
    height_scale: float
    colors: dict[int, str]


@dataclass(frozen=True)
class PartHealth:
    """Whether a part of the system can work now, and if not, why and how to mend it."""

    ready: bool
    reason: str = ""
    details: dict[str, Any] = field(default_factory=dict)


class Stages(Protocol):
    """The compute stages, wherever they run. Every method raises LevelError."""

    async def get_model(self) -> ModelInfo:
        """Return the loaded embedding model."""

    async def count_embedders(self) -> int:
        """Return how many embedders calls are spread over, at least 1."""

    async def embed(
        self,
        texts: Sequence[str],
        expected_fingerprint: str = "",
        *,
        long_texts: LongTexts = LongTexts.TRUNCATE,
        on_rows: OnRows = ignore_rows,
    ) -> EmbeddedTexts:
        """Return the vectors of at most 4,096 texts; `on_rows` hears of texts as they are done.

        A fingerprint, where given, must be that of the model; MODEL_MISMATCH is raised otherwise.
        """

    async def embed_query(self, text: str, expected_fingerprint: str = "") -> NDArray[np.float32]:
        """Return the vector, [dimension_count], of a text to search with."""

    async def cluster(
        self,
        vectors: NDArray[np.float32],
        algorithm: str,
        parameters: dict[str, ParameterValue],
        random_seed: int,
        neighbor_count: int,
        exemplar_count: int,
        exemplar_kind: ExemplarKind,
        on_progress: OnProgress,
    ) -> Clustering:
        """Return the layers of clusters, their exemplars and the neighbour graph of all rows."""

    async def lay_out(
        self,
        graph: NeighborGraph,
        labels: NDArray[np.int32] | None,
        random_seed: int,
        on_progress: OnProgress,
        on_draft: OnDraft | None = None,
    ) -> Layout:
        """Return the position of every row; rough ones on the way go to `on_draft`.

        `labels`, INT32 of shape [row_count], -1 for noise: rows of a cluster are kept together.
        """

    async def assign(
        self, model: AssignModel, vectors: NDArray[np.float32], on_progress: OnProgress
    ) -> AssignedRows:
        """Return cluster and position of each of the rows of `vectors`, [rows, dimension_count]."""

    async def find_near_duplicates(
        self,
        graph: NeighborGraph,
        max_distance: float,
        text_keys: NDArray[np.int64] | None,
        on_progress: OnProgress,
    ) -> NDArray[np.int32]:
        """Return the group of near-duplicates that each row is in, [row_count].

        A group is called by its most central row, and a row like no other is one of its own: rows
        within `max_distance`, 0 to 2, of that row, and rows of the same text key.
        """

    async def select_rows(
        self,
        vectors: NDArray[np.float32],
        graph: NeighborGraph,
        task: PickTask,
        on_progress: OnProgress,
    ) -> Selection:
        """Return the rows that a task asks for, and how well they stand for the others.

        `vectors`, [row_count, dimension_count], and `graph` are those of all rows of the task.
        """

    def analyze(
        self,
        clusters: Sequence[ClusterTexts],
        dataset_description: str,
        language_code: str,
        keywords_only: bool,
    ) -> AsyncIterator[NameOutcome]:
        """Yield a keyword name for every cluster, then what the language model says of each."""

    async def build_terrain(
        self, hills: Sequence[HillShape], grid_size: int, height_scale: float | None
    ) -> BuiltTerrain:
        """Return the height field of hills."""

    async def check_parameters(self, algorithm: str, parameters: dict[str, ParameterValue]) -> None:
        """Raise InvalidArgument unless the cluster service takes these parameters."""

    async def health(self) -> dict[str, PartHealth]:
        """Return the state of each service, by its name."""
