"""Which sizes clusters are to have: exact answers to what is asked, and what they cost."""

from levelling.solver.curve import LevelCurve, level_curve
from levelling.solver.problem import Problem, make_problem
from levelling.solver.share_out import share_out
from levelling.solver.solution import Solution
from levelling.solver.solve import solve

__all__ = [
    "LevelCurve",
    "Problem",
    "Solution",
    "level_curve",
    "make_problem",
    "share_out",
    "solve",
]
