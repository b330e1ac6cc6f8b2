"""Examples of whole bodies: one small file, from its upload to an adjustment of its terrain.

Its clusters have 300 and 100 rows, and 20 rows are noise. The adjustment gives the large cluster a
quarter of its weight and leaves noise out.
"""

from typing import Any

EXAMPLE_ID = "2c1f9a5e-7c0b-4d0e-9c0a-0f3f6d2b8a11"
_NOISE_REASON = "17 rows lie in sparse regions, 3 in clusters of fewer than 3 rows."
_MODEL_REVISION = "1110a243fdf4706b3f48f1d95db1a4f5529b4d41"

MODEL: dict[str, Any] = {
    "model_id": "sentence-transformers/all-MiniLM-L6-v2",
    "revision": _MODEL_REVISION,
    "fingerprint": "5f0e8c1d2a9b7c46",
    "dimension_count": 384,
    "max_token_count": 256,
    "device": "cpu",
    "backend": "onnxruntime",
    "runtime": "onnxruntime 1.24.1",
    "instruction_set": "AVX2",
    "precision": "int8",
    "choice_reason": "no CUDA device: int8 on ONNX Runtime",
}
PARAMETERS: dict[str, Any] = {
    "algorithm": "auto",
    "algorithm_parameters": {},
    "random_seed": 0,
    "neighbor_count": 15,
    "exemplar_count": 5,
    "exemplar_kind": "central",
    "grid_size": 100,
    "dataset_description": "Messages to a bank's support",
    "language_code": "en",
    "keywords_only": False,
    "long_texts": "truncate",
}
CLUSTERING: dict[str, Any] = {
    "algorithm": "dbscan",
    "reason": "DBSCAN separates the rows clearly at eps 0.41: 5% are noise.",
    "parameters": {"eps": 0.41, "min_samples": 5, "min_cluster_size": 3},
    "noise_count": 20,
    "noise": {
        "count": 20,
        "reason": _NOISE_REASON,
        "sparse_count": 17,
        "small_cluster_count": 3,
    },
    "layer_count": 2,
    "layer_reason": (
        "The terrain shows 2 hills: the clusters found, no more than a person can take in at once"
        " (about 53 for this many rows)."
    ),
    "graph_recall": 1.0,
    "eps_curve": [],
}
ACCEPTED: dict[str, Any] = {
    "dataset_id": EXAMPLE_ID,
    "file_name": "messages.csv",
    "status": "processing",
    "progress": 0,
    "stage": "queued",
    "error": None,
    "warnings": [],
    "text_column": {
        "index": 1,
        "name": "message",
        "reason": "detected: 58 characters in 11 words on average, 97% of the cells different",
    },
    "row_count": 420,
    "cluster_count": None,
    "noise_count": None,
    "truncated_count": None,
    "chunked_count": None,
    "embedding": None,
    "counts": {"row_count": 420},
    "timings": {},
    "model": None,
    "clustering": None,
    "parameters": PARAMETERS,
    "revision": 0,
    "created_at": "2026-11-21T06:00:00.000Z",
    "completed_at": None,
    "expires_at": "2026-11-22T06:00:00.000Z",
}
STATUS: dict[str, Any] = {
    **ACCEPTED,
    "status": "completed",
    "progress": 100,
    "stage": None,
    "warnings": [
        "1 of 408 different texts is longer than the model reads (256 tokens): only the beginning"
        " counts. To have all of them read, upload the file again with long_texts=mean: “Read long"
        " texts to their end” on the page, --long-texts mean on the command line."
    ],
    "cluster_count": 2,
    "noise_count": 20,
    "truncated_count": 1,
    "chunked_count": 0,
    "embedding": {
        "rows_done": 408,
        "row_count": 408,
        "token_count": 5_310,
        "rows_per_second": 148.3,
        "seconds_left": 0.0,
        "cached_count": 102,
        "cache_hit_rate": 0.25,
    },
    "counts": {
        "row_count": 420,
        "duplicate_text_count": 12,
        "truncated_count": 1,
        "chunked_count": 0,
        "cluster_count": 2,
        "noise_count": 20,
    },
    "timings": {
        "embedding": 2.914,
        "clustering": 0.382,
        "analyzing": 0.127,
        "building_terrain": 0.244,
    },
    "model": MODEL,
    "clustering": CLUSTERING,
    "revision": 1,
    "completed_at": "2026-11-21T06:00:03.802Z",
}
DATASETS: dict[str, Any] = {"datasets": [STATUS]}
ADJUSTMENTS: dict[str, Any] = {"adjustments": {"0": 0.25, "-1": 0}}
METRICS: dict[str, Any] = {
    "gini": 0.0714,
    "flatness": 0.8571,
    "cluster_count": 2,
    "effective_clusters": 1.9796,
    "row_count": 400,
    "noise_count": 20,
    "effective_sample_size": 257.8947,
    "effective_sample_share": 0.614,
    "design_effect": 1.551,
    "max_repeat": 2.4,
    "dropped_row_count": 20,
    "duplicate_count": 0,
    "original": {
        "gini": 0.25,
        "flatness": 0.5,
        "cluster_count": 2,
        "effective_clusters": 1.7548,
        "row_count": 420,
        "noise_count": 20,
        "effective_sample_size": 420.0,
        "effective_sample_share": 1.0,
        "design_effect": 1.0,
        "max_repeat": 1.0,
        "dropped_row_count": 0,
        "duplicate_count": 0,
    },
}
ADJUSTED: dict[str, Any] = {
    "metrics": METRICS,
    "weights": {"0": 0.25, "1": 1.0, "-1": 0.0},
    "revision": 1,
}
_CARDS: dict[str, Any] = {
    "cluster_id": 0,
    "label": "Lost bank cards",
    "description": "Customers report a lost or stolen card and ask for a new one.",
    "label_source": "llm",
    "parent_id": 2,
    "x": 0.0,
    "z": 0.0,
    "radius": 1.0,
    "height": 2.5,
    "original_height": 10.0,
    "weight": 0.25,
    "size": 300,
    "effective_size": 75.0,
    "group_count": 288,
    "near_duplicate_share": 0.04,
    "spread": 0.31,
    "color": "#4936b6",
    "keywords": ["card", "lost", "stolen"],
    "exemplars": [{"row_id": 17, "text": "I lost my card yesterday, can you send a new one?"}],
    "stability": 0.97,
}
_RATES: dict[str, Any] = {
    "cluster_id": 1,
    "label": "Exchange rates",
    "description": "Customers ask which rate applies to a payment abroad.",
    "label_source": "llm",
    "parent_id": 2,
    "x": 1.0,
    "z": 1.0,
    "radius": 1.0,
    "height": 3.3333,
    "original_height": 3.3333,
    "weight": 1.0,
    "size": 100,
    "effective_size": 100.0,
    "group_count": 100,
    "near_duplicate_share": 0.0,
    "spread": 0.28,
    "color": "#ddb227",
    "keywords": ["rate", "exchange", "currency"],
    "exemplars": [{"row_id": 203, "text": "Which exchange rate did you use for my payment?"}],
    "stability": 0.88,
}
TERRAIN: dict[str, Any] = {
    "hills": [_CARDS, _RATES],
    "heightData": [[4.0023, 4.0437], [4.0437, 4.1679]],
    "gridSize": 2,
    "metrics": METRICS,
    "noise": {
        "count": 20,
        "share": 0.0476,
        "weight": 0.0,
        "effective_size": 0.0,
        "reason": _NOISE_REASON,
        "sparse_count": 17,
        "small_cluster_count": 3,
    },
    "count": "rows",
    "layer": 0,
    "layers": [
        {"layer_index": 0, "first_cluster_id": 0, "cluster_count": 2, "is_terrain_layer": True},
        {"layer_index": 1, "first_cluster_id": 2, "cluster_count": 1, "is_terrain_layer": False},
    ],
    "layout": {"own_hill_fraction": 0.98, "neighbor_preservation": 0.41},
    "revision": 1,
}
_READY: dict[str, Any] = {"ready": True, "reason": "", "details": {}}
_SERVES: dict[str, Any] = {"ready": True, "reason": "", "details": {"loading": False}}
HEALTH: dict[str, Any] = {
    "status": "healthy",
    "version": "0.1.0",
    "datasets_in_memory": 1,
    "model_loaded": True,
    "model": MODEL,
    "unhealthy_parts": [],
    "parts": {
        "database": _READY,
        "disk": _READY,
        "worker": _READY,
        "embedder": _SERVES,
        "cluster": _SERVES,
        "analyzer": _SERVES,
        "terrain": _SERVES,
    },
}
UNHEALTHY: dict[str, Any] = {
    **HEALTH,
    "status": "unhealthy",
    "unhealthy_parts": ["terrain"],
    "parts": {
        **HEALTH["parts"],
        "terrain": {"ready": False, "reason": "no answer", "details": {"loading": True}},
    },
}
PROBLEM: dict[str, Any] = {
    "type": "/problems/too-few-rows",
    "title": "Too few rows",
    "status": 400,
    "detail": "The table has 3 rows below its header; at least 50 are needed.",
    "reason": "TOO_FEW_ROWS",
    "request_id": "a3f1c2",
    "context": {"row_count": "3", "minimum": "50"},
    "errors": [],
}
