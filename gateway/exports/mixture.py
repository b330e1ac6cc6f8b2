"""How the files of a folder are to be mixed so that trainers see the levelled dataset; pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

MIXTURE_VERSION = 1
STOPPING_STRATEGY = "all_exhausted"
_MEANING = (
    "Each source is drawn with its probability. all_exhausted goes on until every row of every"
    " source was seen, and begins a source anew that ends sooner; epoch_rows draws are one epoch:"
    " take as many and no more, unless every row has to be seen. Sources of probability 0 are left"
    " out."
)


@dataclass(frozen=True)
class MixtureSource:
    """The files of one cluster.

    Parameters
    ----------
    cluster_id : int
        -1 for noise.
    cluster_label : str
    files : tuple of str
        Relative to the folder.
    line_count : int
    effective_size : float
        Sum of the lines' weights.
    has_equal_weights : bool
        Whether all lines weigh the same: only then does drawing them evenly lose nothing.
    """

    cluster_id: int
    cluster_label: str
    files: tuple[str, ...]
    line_count: int
    effective_size: float
    has_equal_weights: bool


def measure_lines(line_weights: NDArray[np.float64]) -> tuple[float, bool]:
    """Return the sum of the weights of a source's lines, and whether they are all the same."""
    return float(line_weights.sum()), bool((line_weights == line_weights[:1]).all())


def describe_mixture(
    sources: Sequence[MixtureSource], *, columns: dict[str, str], about: dict[str, Any]
) -> dict[str, Any]:
    """Return ``mixture.json`` as JSON values.

    Parameters
    ----------
    sources : sequence of MixtureSource
    columns : dict of str to str
        The names that columns have in the files, by what they hold.
    about : dict
        What else is to be told.
    """
    total = sum(one.effective_size for one in sources)
    return {
        "mixture_version": MIXTURE_VERSION,
        **about,
        "columns": columns,
        "stopping_strategy": STOPPING_STRATEGY,
        "stopping_strategy_means": _MEANING,
        "epoch_rows": sum(one.line_count for one in sources if one.effective_size > 0),
        "sources": [
            {
                "cluster_id": one.cluster_id,
                "cluster_label": one.cluster_label,
                "files": list(one.files),
                "line_count": one.line_count,
                "effective_size": one.effective_size,
                "mean_weight": one.effective_size / one.line_count,
                "has_equal_weights": one.has_equal_weights,
                "probability": one.effective_size / total if total else 0.0,
            }
            for one in sources
        ],
    }
