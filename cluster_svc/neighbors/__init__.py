"""The search for nearest neighbours among unit vectors."""

from cluster_svc.compiled import ReportFraction
from cluster_svc.neighbors.descent import approximate_neighbors
from cluster_svc.neighbors.exact import exact_neighbors, search_block
from cluster_svc.neighbors.recall import sample_recall
from cluster_svc.neighbors.search import EXACT_NODE_LIMIT, NeighborSearch, is_exact, local_search

__all__ = [
    "EXACT_NODE_LIMIT",
    "NeighborSearch",
    "ReportFraction",
    "approximate_neighbors",
    "exact_neighbors",
    "is_exact",
    "local_search",
    "sample_recall",
    "search_block",
]
