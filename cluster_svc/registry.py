"""Every algorithm by name, the default first."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from cluster_svc.algorithms.auto import AUTO
from cluster_svc.algorithms.communities import COMMUNITIES
from cluster_svc.algorithms.dbscan import DBSCAN
from cluster_svc.algorithms.hdbscan import HDBSCAN
from cluster_svc.algorithms.kmeans import KMEANS
from cluster_svc.algorithms.specification import Algorithm, Parameters, Value
from cluster_svc.errors import UnknownAlgorithm

ALGORITHMS: Mapping[str, Algorithm] = MappingProxyType(
    {algorithm.name: algorithm for algorithm in (AUTO, COMMUNITIES, DBSCAN, HDBSCAN, KMEANS)}
)

DEFAULT_ALGORITHM = AUTO.name


def choose_algorithm(name: str, given: Mapping[str, Value]) -> tuple[Algorithm, Parameters]:
    """Return the algorithm of that name and all its parameters, given ones checked.

    Parameters
    ----------
    name : str
        Empty for the default, ``auto``.
    given
        Parameters that differ from their defaults.

    Raises
    ------
    UnknownAlgorithm
        No algorithm has that name.
    ParameterInvalid
        A parameter is unknown, of the wrong type or out of range.
    """
    algorithm = ALGORITHMS.get(name or DEFAULT_ALGORITHM)
    if algorithm is None:
        known = ", ".join(ALGORITHMS)
        raise UnknownAlgorithm(
            f"no algorithm '{name}'; choose one of {known}", algorithm=name, known=known
        )
    return algorithm, algorithm.complete(given)
