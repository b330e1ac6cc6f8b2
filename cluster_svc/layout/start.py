"""Where nodes start on the plane: where the groups they belong to came to rest.

The graph is coarsened until a few hundred groups are left. These start at the two slowest modes of
the diffusion over their graph, which puts near groups near each other, and settle; each finer graph
starts where its groups lie and settles in turn. The large shape is thus found where it costs least.

Source: Y. Hu, "Efficient, High-Quality Force-Directed Graph Drawing", The Mathematica Journal 10,
2005, for layouts from coarse to fine; M. Belkin, P. Niyogi, "Laplacian Eigenmaps for Dimensionality
Reduction and Data Representation", Neural Computation 15, 2003, for the modes.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from cluster_svc.compiled import ReportFraction
from cluster_svc.layout.field import Field, coarsened
from cluster_svc.layout.optimise import AfterEpoch, settle
from cluster_svc.neighbors.blas import one_blas_thread
from cluster_svc.vectors import FloatArray, IntArray

# The dense eigenvalue problem of the coarsest graph is cheap up to here.
_COARSEST = 256
_LEAST_REDUCTION = 0.9

# A coarse level may cost no more than the finest; these many epochs settle it.
_EPOCHS = 100
_COARSE_STEP = 0.5

# Weak beside `REPULSION`: the parts of a cluster find each other before anything comes between.
START_REPULSION = 0.5

# The share of the time that coarsening takes.
_COARSENING = 0.3

# Joins everything weakly, so that the modes of a graph in several parts are told apart.
_TELEPORT = 1e-3

# The extent of the modes at first, of the order of a settled layout's.
_EXTENT = 10.0


def spread_start(
    field: Field,
    seed: int,
    *,
    thread_count: int = 1,
    report: ReportFraction = lambda fraction: None,
) -> FloatArray:
    """Return start positions of the nodes.

    Parameters
    ----------
    field : Field
    seed : int
    thread_count : int
        Has no effect on the result.
    report
        Called with the fraction done, 0 to 1; may raise to end the work.

    Returns
    -------
    float32 array of shape (nodes, 2)
        On the scale of a settled layout, no two nodes at one place.
    """
    random = np.random.default_rng(seed)
    fields, groups = _coarser_fields(field, random, report)
    positions = jittered(_first_positions(fields[-1], random), random)
    done = _COARSENING
    for level in range(len(fields) - 1, 0, -1):
        share = fields[level].node_count / sum(coarse.node_count for coarse in fields[1:])
        positions = settle(
            fields[level],
            positions,
            epochs=_EPOCHS,
            first_step=_COARSE_STEP,
            last_step=_COARSE_STEP / 2,
            first_repulsion=START_REPULSION,
            last_repulsion=START_REPULSION,
            seed=seed + level,
            thread_count=thread_count,
            after_epoch=_reporter(report, done, (1 - _COARSENING) * share),
        )
        done += (1 - _COARSENING) * share
        positions = jittered(positions[groups[level - 1]], random)
    return positions


def _coarser_fields(
    field: Field, random: np.random.Generator, report: ReportFraction
) -> tuple[list[Field], list[IntArray]]:
    """Return the field and its coarser ones, and the group of each node but the coarsest's."""
    fields, groups = [field], list[IntArray]()
    while fields[-1].node_count > _COARSEST:
        coarse, group = coarsened(fields[-1], random)
        report(_COARSENING * (1 - coarse.node_count / field.node_count))
        if coarse.node_count > _LEAST_REDUCTION * fields[-1].node_count:
            break
        fields.append(coarse)
        groups.append(group)
    return fields, groups


def _reporter(report: ReportFraction, done: float, share: float) -> AfterEpoch:
    return lambda epoch, positions: report(done + share * epoch / _EPOCHS)


def _first_positions(field: Field, random: np.random.Generator) -> NDArray[np.float64]:
    """Return the slowest modes of the coarsest graph, or random positions if it is large."""
    nodes = field.node_count
    if nodes > 2 * _COARSEST:
        return random.normal(scale=_EXTENT / 2, size=(nodes, 2))
    if nodes < 4:
        angles = 2 * np.pi * np.arange(nodes) / nodes
        return np.column_stack([np.cos(angles), np.sin(angles)])
    return _slowest_modes(field)


def _slowest_modes(field: Field) -> NDArray[np.float64]:
    """Return the two slowest modes of diffusion, the larger extent ``_EXTENT`` from the middle."""
    nodes = field.node_count
    joined = np.zeros((nodes, nodes))
    rows = np.repeat(np.arange(nodes), np.diff(field.starts))
    joined[rows, field.ends] = field.weights
    joined = (joined + joined.T) / 2
    masses = field.masses.astype(np.float64)
    joined += _TELEPORT * joined.sum() * np.outer(masses, masses) / masses.sum() ** 2
    roots = np.sqrt(joined.sum(axis=1))
    with one_blas_thread():
        vectors = np.linalg.eigh(joined / np.outer(roots, roots))[1]
    modes = vectors[:, -3:-1][:, ::-1] / roots[:, None]
    signs = np.sign(modes[np.abs(modes).argmax(axis=0), [0, 1]])
    spread = np.abs(modes).max(axis=0)
    result: NDArray[np.float64] = modes * signs * _EXTENT / np.where(spread > 0, spread, 1)
    return result


def jittered(positions: NDArray[np.floating], random: np.random.Generator) -> FloatArray:
    """Return positions of which no two coincide: forces cannot part nodes at one place."""
    noise = random.normal(scale=0.1, size=positions.shape)
    return np.ascontiguousarray(positions + noise, np.float32)
