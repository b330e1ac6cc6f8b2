"""What the other projects are asked to do; runs in their environment, without Level.

A task takes arrays and options and returns arrays. Each does what Level does for the same vectors:
labels, positions on a plane where it is named after a layout, and for each cluster its size, its
centroid and five rows nearest to it. Parameters are the projects' own defaults where not said.
"""

import json
import os
import sys
import time
import traceback
from collections.abc import Callable
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from typing import Any, TextIO

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
EXEMPLAR_COUNT = 5


def bertopic(vectors: Array, texts: list[str] | None = None) -> dict[str, Array]:
    """BERTopic as it comes, with the vectors given, and the layout that it draws documents with.

    Its topic words are part of it; without texts there are a hundred words, which is cheap.
    """
    from bertopic import BERTopic
    from umap import UMAP

    documents = texts or [f"word{row % 100}" for row in range(len(vectors))]
    labels, _ = BERTopic().fit_transform(documents, vectors)
    positions = UMAP(n_neighbors=10, n_components=2, min_dist=0.0, metric="cosine")
    return {"labels": np.asarray(labels), "positions": positions.fit_transform(vectors)}


def dbscan_umap(vectors: Array, eps: float, seed: int | None = None) -> dict[str, Array]:
    """scikit-learn's DBSCAN, and umap-learn's layout: parallel without a seed, serial with one."""
    from sklearn.cluster import DBSCAN

    labels = DBSCAN(eps=eps, min_samples=5, metric="cosine", n_jobs=-1).fit_predict(vectors)
    return {"labels": labels, **_statistics(vectors, labels), **umap(vectors, seed)}


def evoc_umap(vectors: Array) -> dict[str, Array]:
    """EVoC, and umap-learn's layout in parallel."""
    labels = evoc(vectors, None)["labels"]
    return {"labels": labels, **_statistics(vectors, labels), **umap(vectors)}


def umap(vectors: Array, seed: int | None = None) -> dict[str, Array]:
    """umap-learn's layout with the cosine metric: parallel without a seed, serial with one."""
    from umap import UMAP

    return {"positions": UMAP(metric="cosine", random_state=seed).fit_transform(vectors)}


def umap_of_graph(
    vectors: Array, indices: Array, distances: Array, seed: int | None = None
) -> dict[str, Array]:
    """umap-learn's layout of a graph that is there already; each row is its own first neighbour."""
    from umap import UMAP

    graph = (indices, distances, None)
    model = UMAP(metric="cosine", precomputed_knn=graph, random_state=seed)
    return {"positions": model.fit_transform(vectors)}


def evoc(vectors: Array, seed: int | None) -> dict[str, Array]:
    """EVoC's labels: of the layer that it prefers."""
    from evoc import EVoC

    return {"labels": np.asarray(EVoC(random_state=seed).fit_predict(vectors))}


def umap_hdbscan(vectors: Array, seed: int | None) -> dict[str, Array]:
    """BERTopic's recipe: UMAP to five dimensions, HDBSCAN on them, both with its parameters."""
    from umap import UMAP

    reduced = UMAP(
        n_neighbors=15, n_components=5, min_dist=0.0, metric="cosine", random_state=seed
    ).fit_transform(vectors)
    return hdbscan(reduced, None)


def hdbscan(vectors: Array, min_samples: int | None = 5) -> dict[str, Array]:
    """HDBSCAN on vectors as they are, with BERTopic's least size of a cluster; no chance in it.

    Fewer ``min_samples`` than that size, which is its default, do better on vectors of texts.
    Euclidean distances of unit vectors order pairs as cosine distances do.
    """
    from hdbscan import HDBSCAN

    model = HDBSCAN(min_cluster_size=10, min_samples=min_samples, core_dist_n_jobs=-1)
    return {"labels": model.fit_predict(vectors)}


def kmeans(vectors: Array, cluster_count: int, seed: int | None) -> dict[str, Array]:
    """scikit-learn's k-means, told how many clusters there are."""
    from sklearn.cluster import KMeans

    return {"labels": KMeans(cluster_count, random_state=seed).fit_predict(vectors)}


def pynndescent(vectors: Array, neighbor_count: int, seed: int) -> dict[str, Array]:
    """PyNNDescent's neighbours of each row, the row itself the first of them."""
    from pynndescent import NNDescent

    found, distances = NNDescent(
        vectors, metric="cosine", n_neighbors=neighbor_count + 1, random_state=seed
    ).neighbor_graph
    return {"indices": found, "distances": distances}


def faiss_flat(vectors: Array, neighbor_count: int) -> dict[str, Array]:
    """FAISS's exact search among unit vectors; the row itself is mostly its own first neighbour."""
    import faiss

    index = faiss.IndexFlatIP(vectors.shape[1])
    index.add(vectors)
    return {"indices": index.search(vectors, neighbor_count + 1)[1]}


def faiss_hnsw(vectors: Array, neighbor_count: int) -> dict[str, Array]:
    """FAISS's graph of small worlds among unit vectors, at about PyNNDescent's recall or above."""
    import faiss

    index = faiss.IndexHNSWFlat(vectors.shape[1], 16, faiss.METRIC_INNER_PRODUCT)
    index.hnsw.efConstruction, index.hnsw.efSearch = 60, 48
    index.add(vectors)
    return {"indices": index.search(vectors, neighbor_count + 1)[1]}


def sklearn_neighbors(vectors: Array, neighbor_count: int) -> dict[str, Array]:
    """scikit-learn's brute-force search, on all cores."""
    from sklearn.neighbors import NearestNeighbors

    model = NearestNeighbors(n_neighbors=neighbor_count + 1, metric="cosine", n_jobs=-1)
    return {"indices": model.fit(vectors).kneighbors(vectors)[1]}


def layout_quality(vectors: Array, positions: Array) -> dict[str, Array]:
    """Trustworthiness of positions at 15 neighbours, on at most 5,000 rows, always the same."""
    from sklearn.manifold import trustworthiness

    rows = np.random.default_rng(0).permutation(len(vectors))[:5_000]
    found = trustworthiness(vectors[rows], positions[rows], n_neighbors=15, metric="cosine")
    return {"trustworthiness": np.array(found)}


def sentence_transformers(folder: str, texts: list[str], batch_size: int) -> dict[str, Array]:
    """sentence-transformers' encode on the CPU with all cores, as it comes, at unit length."""
    model = _sentence_transformer(folder)
    return {"vectors": model.encode(texts, batch_size=batch_size, normalize_embeddings=True)}


@cache
def _sentence_transformer(folder: str) -> Any:
    from sentence_transformers import SentenceTransformer

    return SentenceTransformer(folder, device="cpu", local_files_only=True)


def _statistics(vectors: Array, labels: Array) -> dict[str, Array]:
    """Sizes, centroids and exemplars, as one would write them with NumPy."""
    clusters = np.unique(labels[labels >= 0])
    centroids = np.array([vectors[labels == cluster].mean(axis=0) for cluster in clusters])
    exemplars = []
    for cluster, centroid in zip(clusters, centroids, strict=True):
        rows = np.flatnonzero(labels == cluster)
        exemplars.append(rows[np.argsort(-(vectors[rows] @ centroid))[:EXEMPLAR_COUNT]])
    return {
        "sizes": np.bincount(labels[labels >= 0]),
        "centroids": centroids,
        "exemplars": np.concatenate(exemplars) if exemplars else np.empty(0, np.int64),
    }


TASKS: dict[str, Callable[..., dict[str, Array]]] = {
    task.__name__: task
    for task in (
        bertopic,
        dbscan_umap,
        evoc_umap,
        umap,
        umap_of_graph,
        evoc,
        umap_hdbscan,
        hdbscan,
        kmeans,
        pynndescent,
        faiss_flat,
        faiss_hnsw,
        sklearn_neighbors,
        layout_quality,
        sentence_transformers,
    )
}


def main() -> None:
    """Serve requests, a line of JSON each, until standard input ends."""
    answers = _keep_standard_output()
    for line in sys.stdin:
        request = json.loads(line)
        if request["task"] == "versions":
            answer: dict[str, object] = {"versions": _versions(request["packages"])}
        else:
            answer = _perform(request)
        answers.write(json.dumps(answer) + "\n")
        answers.flush()


def _perform(request: dict[str, Any]) -> dict[str, object]:
    try:
        arrays = {name: np.load(path) for name, path in request["arrays"].items()}
        wall, processor = time.perf_counter(), time.process_time()
        result = TASKS[request["task"]](**arrays, **request["options"])
        seconds = {
            "seconds": time.perf_counter() - wall,
            "cpu_seconds": time.process_time() - processor,
        }
        np.savez(request["out"], allow_pickle=False, **result)
    except Exception:
        return {"error": traceback.format_exc()}
    return dict(seconds)


def _keep_standard_output() -> TextIO:
    """Return a file for the answers, and send whatever the peers print to standard error."""
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "w")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    return answers


def _versions(packages: list[str]) -> dict[str, str]:
    found = {}
    for package in packages:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found


if __name__ == "__main__":
    main()
