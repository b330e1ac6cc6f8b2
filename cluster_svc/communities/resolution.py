"""At which resolution a graph's communities are found again on other halves of its nodes.

Too high a resolution cuts clusters where chance has it, too low a one joins what happens to lie
near: either way two samples of the data give different partitions. The resolution at which they
agree best needs no labels and no wanted number of clusters.

Source of the idea: T. Lange, V. Roth, M. Braun, J. Buhmann, "Stability-based validation of
clustering solutions", Neural Computation 16, 2004.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array, diags_array

from cluster_svc.communities.aggregate import aggregate
from cluster_svc.communities.agreement import adjusted_rand_index
from cluster_svc.communities.leiden import find_communities
from cluster_svc.compiled import for_each_block
from cluster_svc.vectors import IntArray

# From a handful of clusters to hundreds; each is 1.5 times the one before.
RESOLUTIONS = tuple(float(r) for r in np.round(np.geomspace(0.07, 4.5, 11), 3))

# Small samples vary more, and cost less.
_NODES_SAMPLED = 50_000
_FEWEST_SAMPLES = 3
_MOST_SAMPLES = 12

# Agreement comes with this share of what it lacks as its uncertainty; within that the fewer
# clusters are taken.
_TOLERANCE = 0.05

# Agreement of halves from which a few clusters are clear, however few.
CLEAR_AGREEMENT = 0.85


@dataclass(frozen=True)
class HillRange:
    """How many hills a terrain may have unless a person asks for another number.

    Attributes
    ----------
    fewest : int
        2 for a hundred rows, 8 from 1,600 on; clear clusters may be fewer.
    most : int
        What a person can take in: 30 for a hundred rows, 80 for 3,300, 250 for a million.
    """

    fewest: int
    most: int

    @classmethod
    def of(cls, row_count: int) -> HillRange:
        """Return the range for so many rows."""
        fewest = int(np.clip(round(np.sqrt(row_count) / 5), 2, 8))
        return cls(fewest, max(fewest, round(100 * (row_count / 10_000) ** 0.2)))


@dataclass(frozen=True)
class ChosenResolution:
    """A resolution and how well its communities are found again.

    Attributes
    ----------
    resolution : float
    agreement : float
        Mean adjusted Rand index between halves of the nodes, at most 1.
    """

    resolution: float
    agreement: float


def choose_resolution(
    weights: csr_array, row_count: int, *, seed: int = 0, thread_count: int = 1
) -> ChosenResolution:
    """Return the lowest resolution whose communities other halves of the nodes confirm best.

    Only resolutions that give a number of communities in `HillRange` take part, and lower ones
    where the halves agree beyond doubt.

    Parameters
    ----------
    weights : csr_array of shape (nodes, nodes)
        Symmetric, no weight below 0.
    row_count : int
        Rows of the data set, for the range of hills.
    """
    agreements = measure_agreements(weights, seed=seed, thread_count=thread_count)
    smoothed = _smooth(agreements)
    hills = HillRange.of(row_count)
    allowed = np.ones(len(RESOLUTIONS), np.bool_)
    place, is_limited = 0, False
    while allowed.any():
        # Where more clusters than a person can take in would be better, the most allowed are taken.
        place = _good_places(smoothed, allowed)[-1 if is_limited else 0]
        found = find_communities(weights, resolution=RESOLUTIONS[place], seed=seed, pass_count=1)
        count = int(found.max(initial=-1)) + 1
        # More communities at a higher resolution: what is too many here is too many above.
        if count > hills.most:
            allowed[place:], is_limited = False, True
        elif count < hills.fewest and agreements[place] < CLEAR_AGREEMENT:
            allowed[: place + 1] = False
        else:
            break
    return ChosenResolution(RESOLUTIONS[place], float(agreements[place]))


def _smooth(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return each value averaged with its two neighbours, itself counted twice."""
    around = np.concatenate([values[:1], values, values[-1:]])
    smoothed: NDArray[np.float64] = (around[:-2] + 2 * values + around[2:]) / 4
    return smoothed


def _good_places(agreements: NDArray[np.float64], allowed: NDArray[np.bool_]) -> list[int]:
    """Return the allowed places whose agreement is as good as the best of them, within doubt."""
    best = agreements[allowed].max()
    good = allowed & (agreements >= best - _TOLERANCE * (1 - best))
    return [int(place) for place in np.flatnonzero(good)]


def measure_agreements(
    weights: csr_array, *, seed: int = 0, thread_count: int = 1
) -> NDArray[np.float64]:
    """Return for each of ``RESOLUTIONS`` how well communities of random halves agree, at most 1.

    The measure is the mean adjusted Rand index over pairs of halves, on the nodes that both have.
    Adjusted mutual information would rise with the number of clusters where there are none.
    """
    nodes = weights.shape[0]
    sample_count = int(np.clip(_NODES_SAMPLED // nodes, _FEWEST_SAMPLES, _MOST_SAMPLES))
    found = np.empty((sample_count, len(RESOLUTIONS), nodes), np.int32)

    def cluster_half(start: int, stop: int) -> None:
        for sample in range(start, stop):
            found[sample] = _cluster_half(weights, np.random.default_rng([seed, sample]))

    for_each_block(cluster_half, sample_count, 1, thread_count=thread_count)
    pairs = list(combinations(range(sample_count), 2))[:_MOST_SAMPLES]
    agreements = np.empty((len(pairs), len(RESOLUTIONS)))

    def compare(start: int, stop: int) -> None:
        for place in range(start, stop):
            for pair, (a, b) in enumerate(pairs):
                agreements[pair, place] = adjusted_rand_index(found[a, place], found[b, place])

    for_each_block(compare, len(RESOLUTIONS), 1, thread_count=thread_count)
    return np.asarray(agreements.mean(axis=0), np.float64)


def _cluster_half(weights: csr_array, random: np.random.Generator) -> IntArray:
    """Return the communities of a random half at each resolution, -1 for the other half.

    Those of the highest are sought among the nodes, those of lower ones among its communities:
    nearly the same, at a fraction of the cost.
    """
    nodes = weights.shape[0]
    half = np.flatnonzero(random.random(nodes) < 0.5)
    found = np.full((len(RESOLUTIONS), nodes), -1, np.int32)
    seeds = random.integers(2**32, size=len(RESOLUTIONS))
    if len(half) == 0:
        return found
    part = csr_array(weights[half][:, half])
    finest = find_communities(part, resolution=RESOLUTIONS[-1], seed=int(seeds[-1]), pass_count=1)
    found[-1, half] = finest
    graph, sizes = aggregate(part, finest)
    # What lies within a community counts towards its share of all weight.
    graph = csr_array(graph + diags_array(sizes - graph.sum(axis=1)), dtype=np.float32)
    for place, resolution in enumerate(RESOLUTIONS[:-1]):
        joined = find_communities(
            graph, resolution=resolution, seed=int(seeds[place]), pass_count=1
        )
        found[place, half] = joined[finest]
    return found
