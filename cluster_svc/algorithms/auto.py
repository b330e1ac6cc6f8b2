"""The default: DBSCAN where it finds the communities by clear gaps, communities elsewhere."""

from __future__ import annotations

from dataclasses import replace

from cluster_svc.algorithms import communities
from cluster_svc.algorithms.dbscan import describe_dbscan
from cluster_svc.algorithms.eps import LARGEST_SHARE, MOST_NOISE, scan_eps
from cluster_svc.algorithms.specification import (
    MIN_SAMPLES,
    Algorithm,
    Parameters,
    Partition,
    Problem,
)

# Adjusted mutual information from which DBSCAN's clusters are the communities, their edges sharper.
_SAME_CLUSTERS = 0.9


def find(problem: Problem, parameters: Parameters) -> Partition:
    """Return DBSCAN's clusters where clear gaps give the same as communities, else communities."""
    found = communities.find(problem, parameters)
    scan = scan_eps(problem.graph, int(parameters["min_samples"] or 0))
    in_effect = {**parameters, **found.parameters}
    if found.is_asked_for:
        return replace(found, parameters=in_effect, eps_curve=scan.curve)
    clear = scan.choose(found.labels, only_clear=True)
    if clear is not None and clear.agreement >= _SAME_CLUSTERS:
        reason = (
            f"DBSCAN separates the rows clearly at eps {clear.eps:.3g}, into the communities of the"
            " neighbour graph."
        )
        in_effect["eps"] = clear.eps
        return describe_dbscan(problem, clear.labels, reason, in_effect, eps_curve=scan.curve)
    cause = f"DBSCAN separates the rows clearly at none of {len(scan.curve)} eps tried"
    if clear is not None:
        cause = f"DBSCAN's clusters at its best eps ({clear.eps:.3g}) differ from them"
    reason = f"{found.reason} They were used because {cause}."
    return replace(found, reason=reason, parameters=in_effect, eps_curve=scan.curve)


AUTO = Algorithm(
    name="auto",
    description=(
        "Finds communities of the neighbour graph, and tries DBSCAN at all eps at once: where some"
        f" eps leaves at most {MOST_NOISE:.0%} of the rows as noise, puts at most"
        f" {LARGEST_SHARE:.0%} of the clustered rows into one cluster and gives nearly the same"
        " clusters, those of DBSCAN are taken. The answer says which was used and why."
    ),
    parameters=(MIN_SAMPLES, *communities.COMMUNITIES.parameters),
    find=find,
    presets=communities.COMMUNITIES.presets,
)
