"""Examples of bodies of levellings and proofs, of the file that `schema_examples` has.

Its clusters of 300 and 100 rows are levelled to a flatness of 0.8; 20 rows are noise.
"""

from typing import Any

_JOB_ID = "7d4c0b1e-52a3-4f8e-9b57-1f2f6a0c9d43"
_CREATED_AT = "2026-11-21T06:05:00.000Z"
LEVEL: dict[str, Any] = {
    "target": {"kind": "flatness", "value": 0.8},
    "noise": {"kind": "keep"},
    "apply": True,
}
_REQUEST: dict[str, Any] = {
    "target": {"kind": "flatness", "value": 0.8, "shares": {}},
    "mode": None,
    "budget": None,
    "budget_unit": "rows",
    "max_repeat": None,
    "pinned": {},
    "floor": None,
    "ceiling": None,
    "floors": {},
    "ceilings": {},
    "layer": 0,
    "noise": {"kind": "keep", "share": None, "max_distance": None},
    "duplicates": {"kind": "keep", "max_distance": 0.05, "keep": "central"},
    "sampling": "diverse",
    "seed": 0,
}
_SOLUTION: dict[str, Any] = {
    "weights": {"0": 0.8, "1": 1.6, "-1": 1.0},
    "sizes": {"0": 240.0, "1": 160.0},
    "counts": None,
    "is_met": True,
    "unmet": [],
    "binding": [],
}
_METRICS: dict[str, Any] = {
    "before": {
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
    "after": {
        "gini": 0.1,
        "flatness": 0.8,
        "cluster_count": 2,
        "effective_clusters": 1.9601,
        "row_count": 420,
        "noise_count": 20,
        "effective_sample_size": 376.9231,
        "effective_sample_share": 0.8974,
        "design_effect": 1.1143,
        "max_repeat": 1.6,
        "dropped_row_count": 0,
        "duplicate_count": 0,
    },
}
_NOTES = [
    "All 420 rows are kept.",
    "Flatness goes from 0.500 to 0.800; the rows are worth 377 equal ones.",
]
LEVELLED: dict[str, Any] = {
    "solution": _SOLUTION,
    "metrics": _METRICS,
    "notes": _NOTES,
    "layer": 0,
    "noise_effects": [
        {
            "policy": {"kind": "keep", "share": None, "max_distance": None},
            "dropped_count": 0,
            "joined_count": 0,
            "metrics": {
                "gini": 0.1,
                "flatness": 0.8,
                "cluster_count": 2,
                "effective_clusters": 1.9601,
                "row_count": 420,
                "noise_count": 20,
                "effective_sample_size": 376.9231,
                "effective_sample_share": 0.8974,
                "design_effect": 1.1143,
                "max_repeat": 1.6,
                "dropped_row_count": 0,
                "duplicate_count": 0,
            },
        },
        {
            "policy": {"kind": "drop", "share": None, "max_distance": None},
            "dropped_count": 20,
            "joined_count": 0,
            "metrics": {
                "gini": 0.1,
                "flatness": 0.8,
                "cluster_count": 2,
                "effective_clusters": 1.9601,
                "row_count": 400,
                "noise_count": 0,
                "effective_sample_size": 357.1429,
                "effective_sample_share": 0.8503,
                "design_effect": 1.12,
                "max_repeat": 1.6,
                "dropped_row_count": 20,
                "duplicate_count": 0,
            },
        },
    ],
    "request": _REQUEST,
    "revision": 1,
    "job": {"job_id": _JOB_ID, "status": "processing"},
}
_DONE: dict[str, Any] = {
    "job_id": _JOB_ID,
    "status": "completed",
    "progress": 100,
    "error": None,
    "revision": 1,
    "is_current": True,
    "created_at": _CREATED_AT,
    "completed_at": "2026-11-21T06:05:00.310Z",
}
LEVEL_STATE: dict[str, Any] = {
    **_DONE,
    "request": _REQUEST,
    "layer": 0,
    "solution": _SOLUTION,
    "metrics": _METRICS,
    "reasons": {"kept": 420, "surplus": 0, "noise": 0, "near_duplicate": 0},
    "coverage": None,
    "notes": _NOTES,
}
CURVE: dict[str, Any] = {
    "layer": 0,
    "flatness": [0.5, 0.6436, 0.6667, 0.8333, 1.0],
    "gini": [0.25, 0.1782, 0.1667, 0.0833, 0.0],
    "effective_clusters": [1.7548, 1.8743, 1.8899, 1.9723, 2.0],
    "effective_sample_size": [400.0, 389.2936, 385.7143, 348.3871, 300.0],
    "effective_sample_share": [1.0, 0.9732, 0.9643, 0.871, 0.75],
    "design_effect": [1.0, 1.0275, 1.037, 1.1481, 1.3333],
    "max_repeat": [1.0, 1.2872, 1.3333, 1.6667, 2.0],
    "default_step": 1,
}
PROVE: dict[str, Any] = {"label_column": "intent", "seeds": 5}
PROOF: dict[str, Any] = {
    **_DONE,
    "status": "processing",
    "progress": 40,
    "completed_at": None,
    "request": {
        "label_column": "intent",
        "level": _REQUEST,
        "seeds": 5,
        "seed": 0,
        "models": ["logistic_regression"],
        "test_share": 0.25,
        "alphas": [0.0, 0.25, 0.5, 0.75, 1.0],
        "max_rows": 20_000,
        "weights": None,
        "layer": 0,
    },
    "result": None,
}
