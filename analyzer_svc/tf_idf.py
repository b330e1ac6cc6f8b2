"""Class-based TF-IDF: which terms tell a cluster from the others."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from math import log1p

# A term must be this much more frequent in its cluster than over all clusters together.
_LEAST_LIFT = 1.3


def weigh_terms(term_counts: Sequence[Mapping[str, int]]) -> list[dict[str, float]]:
    """Return the weight of each term in each cluster; higher tells the cluster better.

    Class-based TF-IDF of BERTopic (Grootendorst 2022, arXiv:2203.05794), ``tf * log(1 + A / f)``,
    with the term's share of its cluster as ``tf``. ``f`` is the sum of those shares over all
    clusters instead of a count, and so the average ``A`` is 1: a cluster counts the same whatever
    its size, or the terms of a dataset's one huge cluster would pass for common words.

    Parameters
    ----------
    term_counts : sequence of mapping
        By cluster: term to count, at least 1.

    Returns
    -------
    list of dict
        By cluster: term to weight, above 0. With more than one cluster, terms that are hardly more
        frequent here than elsewhere are left out, which is how the function words of any language
        go.
    """
    shares = [_shares(counts) for counts in term_counts]
    totals: defaultdict[str, float] = defaultdict(float)
    for cluster_shares in shares:
        for term, share in cluster_shares.items():
            totals[term] += share
    cluster_count = len(shares)
    # Two clusters cannot differ by more than a factor of two from their mean.
    lift = min(_LEAST_LIFT, 2 - 1 / cluster_count) if cluster_count > 1 else 0.0
    return [
        {
            term: share * log1p(1 / totals[term])
            for term, share in cluster_shares.items()
            if share * cluster_count >= lift * totals[term]
        }
        for cluster_shares in shares
    ]


def _shares(counts: Mapping[str, int]) -> dict[str, float]:
    """Return each count over their sum."""
    total = sum(counts.values())
    return {term: count / total for term, count in counts.items()}
