"""Positions of all rows on a plane, from the neighbour graph alone.

The fuzzy graph of the nodes is laid out so that nodes it joins lie near each other: first its
coarser graphs, which decide where everything lies in the large, then the nodes themselves.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from cluster_svc.compiled import ReportFraction
from cluster_svc.fuzzy import fuzzy_graph
from cluster_svc.graph import NeighborGraph
from cluster_svc.layout.field import Field, field_of, reordered
from cluster_svc.layout.frame import balanced_scale, morton_order
from cluster_svc.layout.optimise import REPULSION, settle
from cluster_svc.layout.rows import BoolArray, Given, given_for, node_labels
from cluster_svc.layout.start import START_REPULSION, jittered, spread_start
from cluster_svc.vectors import FloatArray, IntArray

OnDraft = Callable[[FloatArray], None]

_EPOCHS = 300

# A start of our own is right in the large already; one that is given must hardly be shaken.
_FIRST_STEP = 1.0
_FIRST_STEP_FROM_START = 0.5

# What is left of an edge between two clusters, where clusters are given.
_SHARE_BETWEEN = 0.3

# Drafts are shown after no epoch and after these shares of all epochs.
_DRAFT_SHARES = (0.3, 0.6)

# How the time is spent, as fractions of the whole.
_GRAPH_END = 0.1
_START_END = 0.2


def lay_out(
    graph: NeighborGraph,
    *,
    seed: int = 0,
    start: FloatArray | None = None,
    labels: IntArray | None = None,
    fixed: BoolArray | None = None,
    thread_count: int = 1,
    report: ReportFraction = lambda fraction: None,
    on_draft: OnDraft | None = None,
) -> FloatArray:
    """Return the position of each row on a plane.

    Equal arguments give equal positions, whatever ``thread_count``. Rows of one node share a
    position unless they are fixed apart; it is always finite.

    Parameters
    ----------
    graph : NeighborGraph
    seed : int
        0 to 2^32 - 1.
    start : float32 array of shape (rows, 2), optional
        Where rows start, on any scale; without it they start where their coarser graphs settle.
    labels : int32 array of shape (rows,), optional
        Cluster of each row, -1 for none. Clusters are then laid out further apart.
    fixed : bool array of shape (rows,), optional
        Rows that stay exactly where they start; needs ``start``.
    thread_count : int
        At least 1.
    report
        Called with the fraction done, 0 to 1; may raise to end the work.
    on_draft
        Called up to three times with positions of the form and scale of the result, each nearer to
        it; the first is rough and comes early.

    Returns
    -------
    float32 array of shape (rows, 2)
        Without fixed rows the bounding box is centred on 0; its larger side spans -1 to 1, with one
        scale for both axes. All 0 when there is one node. With fixed rows on the scale of
        ``start``.

    Raises
    ------
    FieldInvalid
        ``start``, ``labels`` or ``fixed`` is not of the rows of the graph, ``start`` is not finite,
        or rows are fixed without a start.
    """
    given = given_for(graph, start, fixed)
    clusters = None if labels is None else node_labels(graph, labels)
    weights = fuzzy_graph(graph, thread_count=thread_count)
    report(_GRAPH_END / 2)
    field = field_of(weights, clusters, _SHARE_BETWEEN, thread_count=thread_count)
    del weights
    report(_GRAPH_END)
    center, scale = np.zeros(2, np.float32), 1.0
    if start is None:
        begin = spread_start(
            field, seed, thread_count=thread_count, report=_within(report, _GRAPH_END, _START_END)
        )
    else:
        begin = given.node_starts()
        center = (begin.min(axis=0) + begin.max(axis=0)) / 2
        scale = balanced_scale(field, begin - center, seed)
        begin = jittered((begin - center) * scale, np.random.default_rng(seed))
    show = on_draft or (lambda positions: None)
    settled = _settle_nodes(
        field,
        begin,
        given,
        seed,
        thread_count,
        _within(report, _START_END, 1.0),
        lambda positions: show(given.result(positions, center, scale)) if on_draft else None,
    )
    report(1.0)
    return given.result(settled, center, scale)


def _settle_nodes(
    field: Field,
    begin: FloatArray,
    given: Given,
    seed: int,
    thread_count: int,
    report: ReportFraction,
    show: OnDraft,
) -> FloatArray:
    """Return the settled positions of the nodes, worked on in an order with near ones together."""
    show(begin)
    order = morton_order(begin)
    ranks = np.argsort(order)
    mobility = None
    if given.fixed is not None:
        mobility = (~given.node_fixed()[order]).astype(np.float32)
    shown_after = {round(share * _EPOCHS) for share in _DRAFT_SHARES}

    def after_epoch(epoch: int, positions: FloatArray) -> None:
        report(epoch / _EPOCHS)
        if epoch in shown_after:
            show(positions[ranks])

    settled = settle(
        reordered(field, order, thread_count=thread_count),
        begin[order],
        epochs=_EPOCHS,
        first_step=_FIRST_STEP if given.start is None else _FIRST_STEP_FROM_START,
        first_repulsion=START_REPULSION if given.start is None else REPULSION,
        mobility=mobility,
        seed=seed,
        thread_count=thread_count,
        after_epoch=after_epoch,
    )
    return settled[ranks]


def _within(report: ReportFraction, low: float, high: float) -> ReportFraction:
    """Return what reports fractions of a part as fractions of the whole."""
    return lambda fraction: report(low + (high - low) * fraction)
