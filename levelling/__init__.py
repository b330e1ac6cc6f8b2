"""How level a dataset is, what levelling it costs, and the files that come of it.

Pure NumPy: arrays and dataclasses in, the same out. ``docs/definitions.md`` defines every figure.
"""

from levelling.errors import InvalidGroup, InvalidLayout, InvalidSampling
from levelling.groups import NOISE_ID, Groups
from levelling.hills import Hills, place_hills, place_layers
from levelling.measures import (
    Balance,
    compute_gini_coefficient,
    design_effect,
    effective_clusters,
    effective_sample_size,
    flatness,
    max_repeat,
    measure,
)
from levelling.resample import resample_rows, spread_copies
from levelling.solver import (
    LevelCurve,
    Problem,
    Solution,
    level_curve,
    make_problem,
    share_out,
    solve,
)
from levelling.targets import Target, TargetKind
from levelling.weights import row_weights

__all__ = [
    "NOISE_ID",
    "Balance",
    "Groups",
    "Hills",
    "InvalidGroup",
    "InvalidLayout",
    "InvalidSampling",
    "LevelCurve",
    "Problem",
    "Solution",
    "Target",
    "TargetKind",
    "compute_gini_coefficient",
    "design_effect",
    "effective_clusters",
    "effective_sample_size",
    "flatness",
    "level_curve",
    "make_problem",
    "max_repeat",
    "measure",
    "place_hills",
    "place_layers",
    "resample_rows",
    "row_weights",
    "share_out",
    "solve",
    "spread_copies",
]
