"""Positions of all rows on a plane, from the neighbour graph alone.

UMAP: the fuzzy graph of the nodes is laid out so that nodes it joins lie near each other.

Source: L. McInnes, J. Healy, J. Melville, "UMAP: Uniform Manifold Approximation and Projection for
Dimension Reduction", 2018; the optimiser is umap-learn's.
"""

from __future__ import annotations

import io

import numpy as np
from scipy.sparse import coo_array, csr_array

from cluster_svc.fuzzy import fuzzy_graph
from cluster_svc.graph import NeighborGraph
from cluster_svc.layout_start import spread_start
from cluster_svc.neighbors import ReportFraction
from cluster_svc.vectors import FloatArray
from level_rpc.errors import FieldInvalid

# umap-learn's curve for its defaults, min_dist 0.1 and spread 1.
_CURVE_A = 1.576943460405378
_CURVE_B = 0.8950608781227859

_NEGATIVE_SAMPLES = 5

# Small graphs need more epochs to settle and can afford them; umap-learn's own two figures.
_EPOCHS_SMALL = 500
_EPOCHS_LARGE = 200
_SMALL_NODE_COUNT = 2_000

# The optimiser works on this scale: forces are strongest between 0.1 and 1.
_START_EXTENT = 10.0


def lay_out(
    graph: NeighborGraph,
    *,
    seed: int = 0,
    start: FloatArray | None = None,
    report: ReportFraction = lambda fraction: None,
) -> FloatArray:
    """Return the position of each row on a plane.

    Equal arguments give equal positions. Rows of one node share a position; it is always finite.

    Parameters
    ----------
    graph : NeighborGraph
    seed : int
        0 to 2^32 - 1.
    start : float32 array of shape (rows, 2), optional
        Where rows start, on any scale; without it nodes start where the graph's slowest diffusion
        puts them.
    report
        Called with the fraction done, 0 to 1.

    Returns
    -------
    float32 array of shape (rows, 2)
        The bounding box is centred on 0; its larger side spans -1 to 1, with one scale for both
        axes. All 0 when there is one node.

    Raises
    ------
    FieldInvalid
        ``start`` is not of the rows of the graph, or not finite.
    """
    weights = fuzzy_graph(graph)
    if start is None:
        begin = spread_start(weights, seed)
    else:
        begin = _start_of_nodes(graph, start)
    if weights.nnz:
        begin = _optimise(weights, _jitter(_fit(begin, _START_EXTENT), seed), seed, report)
    report(1.0)
    return _fit(begin, 1.0)[graph.node_of_row]


def _start_of_nodes(graph: NeighborGraph, start: FloatArray) -> FloatArray:
    if start.shape != (graph.row_count, 2) or not np.isfinite(start).all():
        raise FieldInvalid(
            f"start positions must be finite and of shape [{graph.row_count}, 2]",
            field="start_positions",
        )
    return start[graph.first_rows].astype(np.float32)


def _fit(positions: FloatArray, extent: float) -> FloatArray:
    """Return the positions centred, the larger side of their box from -extent to extent."""
    low = positions.min(axis=0).astype(np.float64)
    high = positions.max(axis=0).astype(np.float64)
    half = float((high - low).max()) / 2
    scale = extent / half if half > 0 else 0.0
    fitted: FloatArray = ((positions - (low + high) / 2) * scale).astype(np.float32)
    return np.clip(fitted, -extent, extent, out=fitted)


def _jitter(positions: FloatArray, seed: int) -> FloatArray:
    """Return positions of which no two coincide: forces cannot part nodes on one spot."""
    noise = np.random.default_rng(seed).normal(scale=1e-3, size=positions.shape)
    return np.ascontiguousarray(positions + noise, dtype=np.float32)


def _optimise(
    weights: csr_array, start: FloatArray, seed: int, report: ReportFraction
) -> FloatArray:
    """Return positions after all epochs; single-threaded, which alone is deterministic."""
    from umap.layouts import optimize_layout_euclidean

    epochs = _EPOCHS_SMALL if len(start) <= _SMALL_NODE_COUNT else _EPOCHS_LARGE
    edges = _sampled_edges(weights, epochs)
    state = np.random.default_rng(seed).integers(-(2**31) + 1, 2**31 - 1, 3, dtype=np.int64)
    positions: FloatArray = optimize_layout_euclidean(
        start,
        start,
        edges.row.astype(np.int32),
        edges.col.astype(np.int32),
        epochs,
        len(start),
        (edges.data.max() / edges.data).astype(np.float64),
        _CURVE_A,
        _CURVE_B,
        state,
        gamma=1.0,
        initial_alpha=1.0,
        negative_sample_rate=_NEGATIVE_SAMPLES,
        parallel=False,
        tqdm_kwds=_progress_options(report),
        move_other=True,
    )
    return positions


def _sampled_edges(weights: csr_array, epochs: int) -> coo_array:
    """Return the edges that are drawn at least once; the weakest never are."""
    edges = weights.tocoo()
    kept = edges.data >= edges.data.max() / epochs
    return coo_array((edges.data[kept], (edges.row[kept], edges.col[kept])), shape=edges.shape)


def _progress_options(report: ReportFraction) -> dict[str, object]:
    """Return options that make umap-learn's progress bar, its only hook, call ``report``."""
    return {
        "disable": False,
        "file": _FractionReader(report),
        "bar_format": "{n}/{total}",
        "mininterval": 0.2,
        "leave": False,
    }


class _FractionReader(io.TextIOBase):
    """A text file that reports the fraction in every "done/total" written to it."""

    def __init__(self, report: ReportFraction) -> None:
        self._report = report

    def write(self, text: str) -> int:
        done, _, total = text.strip().partition("/")
        if done.isdigit() and total.isdigit() and int(total):
            self._report(int(done) / int(total))
        return len(text)
