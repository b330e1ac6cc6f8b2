"""How clusters agree with the classes that people gave, which no method sees, beside the peers."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import adjusted_mutual_info_score, adjusted_rand_score

from benchmarks.labelled import LabelledSet
from benchmarks.peers import PeerFailed, PeerProcess
from benchmarks.report import Figure, Report
from cluster_svc.clusters import run_clustering
from cluster_svc.settings import count_cores

LEVEL = "Level"
BERTOPIC = "UMAP 5-D + HDBSCAN (BERTopic)"
HDBSCAN = "HDBSCAN"
EVOC = "EVoC"
KMEANS = "k-means, told the true k"

# What every set of these names is to reach: AMI with every row in its nearest cluster.
LEAST_AMI = {"banking77": 0.80, "clinc150_imbalanced": 0.80}
# How far below the better of EVoC and k-means a set may fall.
LARGEST_GAP = 0.03

Labels = NDArray[np.int32]


@dataclass(frozen=True)
class Agreement:
    """How one partition agrees with the classes; means over seeds where there are several.

    Attributes
    ----------
    ami, ari : float
        Every row in its nearest cluster.
    raw_ami, raw_ari : float
        Noise a cluster of its own.
    noise : float
        Share of rows in no cluster, 0 to 1.
    cluster_count : float
    """

    ami: float
    ari: float
    raw_ami: float
    raw_ari: float
    noise: float
    cluster_count: float


def measure_quality(
    report: Report, peer: PeerProcess | None, chosen: LabelledSet, *, seeds: int
) -> dict[str, Agreement]:
    """Add the agreement of every method with one set's classes, and return it by method."""
    print(f"\n{chosen.name}: {len(chosen.vectors):,} rows, {chosen.class_count} classes")
    print(f"  {'':<32} {'AMI':>6} {'ARI':>6} {'raw AMI':>8} {'raw ARI':>8} {'noise':>6} {'k':>6}")
    found: dict[str, Agreement] = {}
    for name, partition in _methods(peer, chosen).items():
        try:
            runs = [_agreement(chosen, *partition(seed)) for seed in range(_count(name, seeds))]
        except PeerFailed as error:
            print(f"  {name} is left out: {str(error).strip().splitlines()[-1]}")
            continue
        found[name] = _mean(runs)
        print(_line(name, found[name]), flush=True)
        report.figures.extend(
            Figure(f"{chosen.name}, {name}, {part.name}", getattr(found[name], part.name), "")
            for part in fields(Agreement)
        )
    return found


def judge(report: Report, found: Mapping[str, Mapping[str, Agreement]]) -> None:
    """Add whether the goals are met: sets by name, each with its methods."""
    print("\nAMI, every row in its nearest cluster")
    for name, methods in found.items():
        own = methods[LEVEL].ami
        if name in LEAST_AMI:
            report.add(Figure(f"{name}", own, "", LEAST_AMI[name], True))
        for peer in (BERTOPIC, HDBSCAN):
            if peer in methods:
                report.add(Figure(f"{name}, above {peer}", own - methods[peer].ami, "", 0.0, True))
        for peer in (EVOC, KMEANS):
            if peer in methods:
                gap = own - methods[peer].ami
                report.add(Figure(f"{name}, above {peer}", gap, "", -LARGEST_GAP, True))
    for peer in (EVOC, KMEANS):
        gaps = [both[LEVEL].ami - both[peer].ami for both in found.values() if peer in both]
        if gaps:
            mean = float(np.mean(gaps))
            report.add(Figure(f"mean of {len(gaps)} sets, above {peer}", mean, "", 0.0, True))


def nearest_cluster(vectors: NDArray[np.float32], labels: Labels) -> Labels:
    """Return the labels with every row of noise in the cluster of the nearest centroid, by cosine.

    Unchanged where there is no cluster or no noise.
    """
    noise = labels < 0
    if noise.all() or not noise.any():
        return labels
    clusters = np.unique(labels[~noise])
    centroids = np.array([vectors[labels == cluster].sum(axis=0) for cluster in clusters])
    centroids /= np.linalg.norm(centroids, axis=1, keepdims=True)
    filled = labels.copy()
    filled[noise] = clusters[np.argmax(vectors[noise] @ centroids.T, axis=1)]
    return filled


# From a seed: the labels as they come, and with every row in its nearest cluster.
_Partition = Callable[[int], tuple[Labels, Labels]]


def _methods(peer: PeerProcess | None, chosen: LabelledSet) -> dict[str, _Partition]:
    methods: dict[str, _Partition] = {LEVEL: lambda seed: _of_level(chosen, seed)}
    if peer is None:
        return methods
    arrays = {"vectors": peer.share("vectors", chosen.vectors)}

    def task(name: str, **options: object) -> _Partition:
        def partition(seed: int) -> tuple[Labels, Labels]:
            seeded = options if name == "hdbscan" else {**options, "seed": seed}
            labels = peer.run(name, arrays, **seeded).arrays["labels"].astype(np.int32)
            return labels, nearest_cluster(chosen.vectors, labels)

        return partition

    return {
        **methods,
        BERTOPIC: task("umap_hdbscan"),
        HDBSCAN: task("hdbscan"),
        EVOC: task("evoc"),
        KMEANS: task("kmeans", cluster_count=chosen.class_count),
    }


def _of_level(chosen: LabelledSet, seed: int) -> tuple[Labels, Labels]:
    found = run_clustering(chosen.vectors, seed=seed, thread_count=count_cores()).terrain
    return found.labels, found.nearest


def _count(method: str, seeds: int) -> int:
    """Return how many seeds a method is run with: HDBSCAN has no chance in it."""
    return 1 if method == HDBSCAN else seeds


def _agreement(chosen: LabelledSet, labels: Labels, nearest: Labels) -> Agreement:
    return Agreement(
        adjusted_mutual_info_score(chosen.classes, nearest),
        adjusted_rand_score(chosen.classes, nearest),
        adjusted_mutual_info_score(chosen.classes, labels),
        adjusted_rand_score(chosen.classes, labels),
        float((labels < 0).mean()),
        float(len(np.unique(labels[labels >= 0]))),
    )


def _mean(runs: list[Agreement]) -> Agreement:
    means = (np.mean([getattr(run, part.name) for run in runs]) for part in fields(Agreement))
    return Agreement(*map(float, means))


def _line(name: str, found: Agreement) -> str:
    return (
        f"  {name:<32} {found.ami:6.3f} {found.ari:6.3f} {found.raw_ami:8.3f} {found.raw_ari:8.3f}"
        f" {found.noise:6.1%} {found.cluster_count:6.0f}"
    )
