"""What an algorithm is: a name, parameters with ranges, presets, and a function.

Every function takes a ``Problem`` and its parameters, and returns a ``Partition`` of the nodes.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property

import numpy as np
from scipy.sparse import csr_array

from cluster_svc.density import Noise
from cluster_svc.errors import ParameterInvalid
from cluster_svc.fuzzy import fuzzy_graph
from cluster_svc.graph import NeighborGraph
from cluster_svc.vectors import FloatArray, IntArray

Value = bool | int | float | str
Parameters = Mapping[str, Value | None]


class ParameterType(StrEnum):
    """The type of a parameter's value."""

    FLOAT = "float"
    INT = "int"
    CHOICE = "choice"
    BOOL = "bool"


@dataclass(frozen=True)
class ParameterSpec:
    """What a parameter may be.

    Attributes
    ----------
    default
        What is taken when it is not given; None where it is chosen from the data.
    minimum, maximum
        The range of a number, ends included; None where there is no limit.
    choices
        The values of a choice.
    """

    name: str
    description: str
    type: ParameterType
    default: Value | None
    minimum: float | None = None
    maximum: float | None = None
    choices: tuple[str, ...] = ()

    @property
    def allowed(self) -> str:
        """What the value may be, in words."""
        if self.type is ParameterType.CHOICE:
            return "one of " + ", ".join(self.choices)
        if self.type is ParameterType.BOOL:
            return "true or false"
        noun = "a whole number" if self.type is ParameterType.INT else "a number"
        low = "any" if self.minimum is None else f"{self.minimum:g}"
        high = "any" if self.maximum is None else f"{self.maximum:g}"
        return f"{noun} from {low} to {high}"

    def check(self, algorithm: str, value: Value) -> Value:
        """Return the value in the parameter's own type; raise ParameterInvalid if it is not one."""
        accepted = self._accept(value)
        if accepted is None:
            raise ParameterInvalid(
                f"parameter '{self.name}' of '{algorithm}' must be {self.allowed}",
                algorithm=algorithm,
                parameter=self.name,
                allowed=self.allowed,
            )
        return accepted

    def _accept(self, value: Value) -> Value | None:
        if self.type is ParameterType.CHOICE:
            return value if isinstance(value, str) and value in self.choices else None
        if self.type is ParameterType.BOOL or isinstance(value, bool):
            both = self.type is ParameterType.BOOL and isinstance(value, bool)
            return value if both else None
        if not isinstance(value, int | float) or not self._in_range(value):
            return None
        if self.type is ParameterType.FLOAT:
            return float(value)
        return value if isinstance(value, int) else None

    def _in_range(self, value: float) -> bool:
        low = -math.inf if self.minimum is None else self.minimum
        high = math.inf if self.maximum is None else self.maximum
        return low <= value <= high


@dataclass(frozen=True)
class Preset:
    """A named set of parameters."""

    name: str
    description: str
    parameters: Mapping[str, Value]


@dataclass(frozen=True)
class EpsPoint:
    """What DBSCAN gives at one eps; fractions are of all rows."""

    eps: float
    cluster_count: int
    noise_fraction: float
    largest_fraction: float


@dataclass(frozen=True)
class Problem:
    """What an algorithm works on.

    Attributes
    ----------
    units : float32 array of shape (nodes, dimensions)
        The distinct vectors, of length 1 or 0.
    graph : NeighborGraph
        Their neighbours.
    seed : int
        Of every random choice.
    default_eps : float
        The eps of DBSCAN where automatic eps is off and none is given.
    thread_count : int
        How many threads may work at once, at least 1; results do not depend on it.
    """

    units: FloatArray
    graph: NeighborGraph
    seed: int = 0
    default_eps: float = 0.5
    thread_count: int = 1

    @cached_property
    def weights(self) -> csr_array:
        """The fuzzy graph of the nodes, see `fuzzy_graph`; what communities and layers work on."""
        return fuzzy_graph(self.graph, thread_count=self.thread_count)


@dataclass(frozen=True)
class Partition:
    """What an algorithm found.

    Attributes
    ----------
    labels : int32 array of shape (nodes,)
        Any numbers from 0, -1 for noise.
    algorithm : str
        The algorithm that gave the labels.
    reason : str
        One sentence for people: why this one, and what was chosen.
    parameters
        Every parameter in effect, automatic choices included.
    noise : Noise
        How many rows are noise, and why.
    is_asked_for : bool
        Whether a parameter that was given set how fine the clusters are (a count, an eps): they are
        then the terrain's, however many; else `build_layers` may choose a coarser layer.
    eps_curve
        The curve behind an automatic eps, by rising eps.
    """

    labels: IntArray
    algorithm: str
    reason: str
    parameters: Parameters
    noise: Noise
    is_asked_for: bool = False
    eps_curve: tuple[EpsPoint, ...] = ()


@dataclass(frozen=True)
class Algorithm:
    """A way to cluster, as the registry lists it."""

    name: str
    description: str
    parameters: tuple[ParameterSpec, ...]
    find: Callable[[Problem, Parameters], Partition] = field(repr=False)
    presets: tuple[Preset, ...] = ()

    def complete(self, given: Mapping[str, Value]) -> Parameters:
        """Return all parameters, given ones checked and the rest at their defaults.

        Raises
        ------
        ParameterInvalid
            When one is unknown, of the wrong type or out of range.
        """
        specs = {spec.name: spec for spec in self.parameters}
        for name in given:
            if name not in specs:
                raise ParameterInvalid(
                    f"'{self.name}' has no parameter '{name}'; it has {', '.join(specs)}",
                    algorithm=self.name,
                    parameter=name,
                    allowed=", ".join(specs),
                )
        checked = {name: specs[name].check(self.name, value) for name, value in given.items()}
        return {name: checked.get(name, spec.default) for name, spec in specs.items()}


MIN_SAMPLES = ParameterSpec(
    "min_samples",
    "Rows that must lie within eps of a row, itself counted, to make it the core of a cluster.",
    ParameterType.INT,
    default=5,
    minimum=1,
    maximum=200,
)
MIN_CLUSTER_SIZE = ParameterSpec(
    "min_cluster_size",
    "Rows of the smallest cluster; smaller ones become noise. Unset: the square root of the number"
    " of rows divided by 10, at least 3.",
    ParameterType.INT,
    default=None,
    minimum=1,
    maximum=1_000_000,
)
NOISE_THRESHOLD = ParameterSpec(
    "noise_threshold",
    "How many robust standard deviations sparser than usual it must be around a row, measured"
    " against its neighbours, before the row is noise; lower marks more.",
    ParameterType.FLOAT,
    default=2.5,
    minimum=0,
    maximum=1000,
)
RESOLUTION = ParameterSpec(
    "resolution",
    "How fine the communities are: higher gives more and smaller ones; twice as high gives about"
    " half as many again. Unset: the one at which random halves of the rows agree best.",
    ParameterType.FLOAT,
    default=None,
    minimum=0.01,
    maximum=100,
)


def resolve_min_cluster_size(parameters: Parameters, row_count: int) -> int:
    """Return the smallest cluster size: the parameter, or one that grows slowly with the rows."""
    given = parameters["min_cluster_size"]
    if given is not None:
        return int(given)
    return min(row_count, max(3, round(math.sqrt(row_count) / 10)))


def count_rows(labels: IntArray, graph: NeighborGraph) -> IntArray:
    """Return the number of rows of each label from 0."""
    clustered = labels >= 0
    counts = np.bincount(labels[clustered], weights=graph.multiplicities[clustered])
    return counts.astype(np.int32)
