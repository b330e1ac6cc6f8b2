"""Ways to pick rows without labels, each from its paper, to stand beside Level's.

Each takes a pool and returns ``pool.budget`` different rows of it. They get what their papers give
them: all rows, all similarities, as much time as they need.
"""

from collections.abc import Callable
from heapq import heapify, heapreplace

import numpy as np
from numpy.typing import NDArray
from scipy.cluster.hierarchy import fcluster, linkage
from scipy.spatial.distance import squareform
from sklearn.cluster import KMeans

from benchmarks.outcome_protocol import Pool, Rows, share_evenly

Picker = Callable[[Pool], Rows]

DENSITY_NEIGHBORS = 10
HIERARCHY_LEVELS = 2
# Rows of a cluster of the finest level on average, and clusters that one of the next holds.
HIERARCHY_FALL = 4


def facility_location(pool: Pool) -> Rows:
    """Greedy facility location on the cosine of all pairs of rows.

    Maximises the sum over rows of the cosine to the most similar picked row; lazily, which gives
    the greedy pick (Minoux 1978).

    References
    ----------
    Lin, H. and Bilmes, J. (2009). How to select a good training-data subset for transcription.
    Interspeech. Wei, K., Iyer, R. and Bilmes, J. (2015). Submodularity in data subset selection
    and active learning. ICML.
    """
    return cover_greedily(np.maximum(pool.similarities, 0), pool.budget)


def cover_greedily(similarities: NDArray[np.float32], budget: int) -> Rows:
    """Return the greedy maximiser of ``sum_i max_{j picked} s_ij``, in the order of the picks."""
    covered = np.zeros(len(similarities), dtype=np.float32)
    heap = [(-float(gain), row) for row, gain in enumerate(similarities.sum(axis=0))]
    heapify(heap)
    picked: list[int] = []
    while len(picked) < budget:
        row = heap[0][1]
        gain = -float(np.maximum(similarities[row] - covered, 0).sum())
        heapreplace(heap, (gain, row))
        if heap[0][1] == row:
            picked.append(row)
            np.maximum(covered, similarities[row], out=covered)
            heapreplace(heap, (np.inf, row))
    return np.array(picked)


def farthest_first(pool: Pool) -> Rows:
    """k-centre greedy: from a random row on, always the row farthest from all picked ones.

    References
    ----------
    Gonzalez, T. F. (1985). Clustering to minimize the maximum intercluster distance. Theoretical
    Computer Science 38. Sener, O. and Savarese, S. (2018). Active learning for convolutional
    neural networks: a core-set approach. ICLR.
    """
    similarities = pool.similarities
    picked = [int(_generator(pool).integers(len(similarities)))]
    nearest = similarities[picked[0]].copy()
    nearest[picked[0]] = np.inf
    while len(picked) < pool.budget:
        row = int(nearest.argmin())
        picked.append(row)
        np.maximum(nearest, similarities[row], out=nearest)
        nearest[row] = np.inf
    return np.array(picked)


def even_k_means(pool: Pool) -> Rows:
    """Equally many random rows of each k-means cluster; it is told how many classes there are."""
    model = KMeans(pool.class_count, n_init=3, random_state=pool.seed)
    return pick_evenly(model.fit_predict(pool.vectors), pool)


def even_communities(pool: Pool) -> Rows:
    """Equally many random rows of each cluster that Level's terrain shows, noise in the nearest."""
    return pick_evenly(pool.clustered[0].terrain.nearest, pool)


def even_finest(pool: Pool) -> Rows:
    """Equally many random rows of each cluster of Level's finest layer."""
    return pick_evenly(pool.clustered[0].layers[0].nearest, pool)


def complete_linkage(pool: Pool) -> Rows:
    """Take the most central row of each of as many complete-linkage clusters as the budget."""
    labels = complete_linkage_clusters(pool, pool.budget)
    picked = []
    for members in _groups(labels):
        within = pool.similarities[np.ix_(members, members)]
        picked.append(members[int(within.sum(axis=0).argmax())])
    rest = np.setdiff1d(np.arange(len(labels)), picked)
    missing = pool.budget - len(picked)
    return np.concatenate([picked, _generator(pool).permutation(rest)[:missing]]).astype(np.int64)


def complete_linkage_clusters(pool: Pool, cluster_count: int) -> Rows:
    """Return the cluster of each row by complete linkage on cosine distance, from 0."""
    distances = np.clip(1 - pool.similarities, 0, 2).astype(np.float64)
    np.fill_diagonal(distances, 0)
    tree = linkage(squareform(distances, checks=False), method="complete")
    labels: Rows = fcluster(tree, cluster_count, criterion="maxclust").astype(np.int64) - 1
    return labels


def inverse_density(pool: Pool) -> Rows:
    """Random rows with probability proportional to one over their density, without repeats.

    The density is a Gaussian kernel's on cosine distance, its width the median distance to the
    tenth neighbour.

    References
    ----------
    The density sampler of Sachdeva, N. et al. (2024). How to train data-efficient LLMs,
    arXiv:2402.09668, with exact densities.
    """
    distances = 1 - pool.similarities
    tenth = np.partition(distances, DENSITY_NEIGHBORS, axis=1)[:, DENSITY_NEIGHBORS]
    width = max(float(np.median(tenth)), 1e-6)
    density = np.exp(-0.5 * (distances / width) ** 2).sum(axis=1)
    # The largest of u ** (1 / weight): drawn one after the other without repeats (Efraimidis and
    # Spirakis 2006).
    keys = np.log(_generator(pool).random(len(density))) * density
    drawn: Rows = np.argsort(-keys, kind="stable")[: pool.budget]
    return drawn


def hierarchical_k_means(pool: Pool) -> Rows:
    """Level by level even picks from clusters of clusters.

    k-means over rows, then k-means over its centroids, which are spread more evenly over the space
    than the rows. The budget is shared evenly from the coarsest level down; rows of a finest
    cluster are picked at random.

    References
    ----------
    Vo, H. V. et al. (2024). Automatic data curation for self-supervised learning: a
    clustering-based approach. TMLR. Its four levels are of millions of images. Here a finest
    cluster has four rows on average, and there are a quarter as many above: three levels, or the
    paper's resampling of each level, recovered less on these sets.
    """
    parents: list[Rows] = []
    inputs = pool.vectors
    for level in range(HIERARCHY_LEVELS):
        count = max(2, len(inputs) // HIERARCHY_FALL)
        model = KMeans(count, n_init=1, random_state=pool.seed + level).fit(inputs)
        parents.append(model.labels_.astype(np.int64))
        inputs = model.cluster_centers_.astype(np.float32)
    return np.array(_share_down(parents, pool.budget, _generator(pool)))


def pick_evenly(labels: NDArray[np.integer], pool: Pool) -> Rows:
    """Return equally many random rows of each cluster."""
    generator = _generator(pool)
    groups = _groups(labels)
    counts = share_evenly(np.array([len(members) for members in groups]), pool.budget, generator)
    picked = [
        generator.choice(members, count, replace=False)
        for members, count in zip(groups, counts.tolist(), strict=True)
    ]
    return np.concatenate(picked)


def pick_cover_evenly(labels: NDArray[np.integer], pool: Pool) -> Rows:
    """Return equally many rows of each cluster, those that facility location picks within it."""
    groups = _groups(labels)
    sizes = np.array([len(members) for members in groups])
    counts = share_evenly(sizes, pool.budget, _generator(pool))
    similarities = np.maximum(pool.similarities, 0)
    picked = [
        members[cover_greedily(similarities[np.ix_(members, members)], count)]
        for members, count in zip(groups, counts.tolist(), strict=True)
        if count
    ]
    return np.concatenate(picked)


RIVALS: dict[str, Picker] = {
    "facility location": facility_location,
    "k-means, told k, even": even_k_means,
    "k-centre greedy": farthest_first,
    "hierarchical k-means": hierarchical_k_means,
    "inverse density": inverse_density,
    "communities, even": even_communities,
    "finest clusters, even": even_finest,
    "complete linkage, one each": complete_linkage,
}


def _share_down(parents: list[Rows], budget: int, generator: np.random.Generator) -> list[int]:
    """Return rows picked level by level: `parents` has each row's cluster, then each cluster's."""
    row_of_level = [np.arange(len(parents[0]))]
    for labels in parents:
        row_of_level.append(labels[row_of_level[-1]])
    tops = [np.flatnonzero(row_of_level[-1] == code) for code in np.unique(row_of_level[-1])]
    return _pick_down(tops, row_of_level, len(parents) - 1, budget, generator)


def _pick_down(
    groups: list[Rows],
    levels: list[Rows],
    level: int,
    budget: int,
    generator: np.random.Generator,
) -> list[int]:
    counts = share_evenly(np.array([len(members) for members in groups]), budget, generator)
    picked: list[int] = []
    for members, count in zip(groups, counts.tolist(), strict=True):
        if not count:
            continue
        if level == 0:
            picked.extend(generator.choice(members, count, replace=False).tolist())
            continue
        inner = [members[part] for part in _groups(levels[level][members])]
        picked.extend(_pick_down(inner, levels, level - 1, count, generator))
    return picked


def _groups(labels: NDArray[np.integer]) -> list[Rows]:
    """Return the rows of each cluster, by rising id."""
    order = np.argsort(labels, kind="stable")
    starts = np.flatnonzero(np.diff(labels[order])) + 1
    return [part.astype(np.int64) for part in np.split(order, starts)]


def _generator(pool: Pool) -> np.random.Generator:
    # Not the seed of the task alone: its first draws made the pool.
    return np.random.default_rng([pool.seed, 1])
