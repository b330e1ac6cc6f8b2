"""What may be asked of the naming of clusters, whoever asks."""

from __future__ import annotations

import re

from analyzer_svc.analysis import Dataset
from analyzer_svc.clusters import ClusterTexts
from analyzer_svc.errors import InvalidCluster

_MAX_EXEMPLARS = 10
MAX_TERMS = 1_000
"""Of one cluster."""

_LANGUAGE_CODE = re.compile(r"(?:[A-Za-z]{2,8}(?:-[A-Za-z0-9]{1,8})*)?")


def check_dataset(dataset: Dataset) -> None:
    """Raise InvalidCluster unless its language code is one, or empty."""
    # The code goes into the instruction, which holds nothing else of the caller's.
    is_code = _LANGUAGE_CODE.fullmatch(dataset.language_code) is not None
    require(is_code and len(dataset.language_code) <= 35, "language_code", "is not BCP 47")


def check_cluster(cluster: ClusterTexts) -> None:
    """Raise InvalidCluster unless all that a cluster is named from is in range."""
    require(cluster.cluster_id >= 0, "cluster_id", "is below 0")
    require(cluster.row_count >= 0, "row_count", "is below 0")
    require(len(cluster.texts) <= _MAX_EXEMPLARS, "texts", f"are over {_MAX_EXEMPLARS}")
    require(len(cluster.term_counts) <= MAX_TERMS, "term_counts", f"are over {MAX_TERMS}")
    least = min(cluster.term_counts.values(), default=1)
    require(least > 0, "term_counts", "have a count below 1")


def require(condition: bool, field: str, fault: str) -> None:
    """Raise InvalidCluster with the field and its fault unless the condition holds."""
    if not condition:
        raise InvalidCluster(f"{field} {fault}", field=field)
