"""Whether a levelled dataset is a better one: a model's accuracy, from picks made without labels.

Level's default and other published ways to pick rows, each from the same long-tailed pools, judged
by a linear model on a balanced test part; docs/outcome.md says how and why. The sets are those of
benchmarks.clustering; each row's class is only seen by the judge.
"""

import argparse
import multiprocessing
import os
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from benchmarks.labelled import LabelledSet, add_set_options, chosen_sets
from benchmarks.outcome_frontier import FRONTIER
from benchmarks.outcome_level import pick_by_level
from benchmarks.outcome_protocol import (
    BALANCED_DRAWS,
    RANDOM_DRAWS,
    REGULARISATION,
    Floats,
    Judgement,
    Recovered,
    Task,
    draw_task,
    largest_class,
    mean_interval,
    pick_balanced,
    prepare_set,
    recovered_share,
)
from benchmarks.outcome_rivals import RIVALS, Picker
from benchmarks.report import Figure, Report, make_parser

LEVEL = "Level"
RANDOM = "random"
BALANCED = "label-balanced"
METHODS: dict[str, Picker] = {LEVEL: pick_by_level, **RIVALS}

# By the names of sets: the least recovered share.
GOALS = {"banking77": 0.85, "clinc150_imbalanced": 0.60}
RARE_GOAL = 0.5
LARGEST_LOSS = 0.02
# The similarities of all pairs, which several rivals need, are then 0.15 GB.
POOL_ROWS = 6_000
THREAD_VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


@dataclass(frozen=True)
class Outcome:
    """What one method came to on one pool; means where it was drawn several times."""

    accuracy: float
    rare_accuracy: float
    seconds: float


Outcomes = dict[str, Outcome]


def main() -> None:
    """Run the benchmark."""
    options = _parse()
    # One thread each, as all picks of a seed are made in one process.
    os.environ.update(dict.fromkeys(THREAD_VARIABLES, "1"))
    report = Report("outcome", vars(options))
    methods = {**{name: METHODS[name] for name in options.methods or METHODS}}
    if options.frontier:
        methods |= FRONTIER
    found = {}
    for chosen in chosen_sets(options):
        prepared, left_out = prepare_set(chosen, options.leave_out)
        outcomes = _run(prepared, list(methods), options)
        print(f"\n{_heading(prepared, left_out, options)}")
        found[prepared.name] = _tell(report, prepared.name, outcomes)
    _judge(report, found)
    report.finish(options.json)


def run_seed(
    chosen: LabelledSet,
    methods: Sequence[str],
    pool_rows: int,
    regularisation: float,
    seed: int,
) -> Outcomes:
    """Return what each method comes to on the pool of a seed, the two references among them."""
    drawn = draw_task(chosen, seed, largest_class(chosen.class_count, pool_rows))
    task = replace(drawn, regularisation=regularisation)
    generator = np.random.default_rng([seed, 2])
    size, budget = len(task.classes), task.pool.budget
    outcomes = {
        RANDOM: _mean(
            [task.judge(generator.choice(size, budget, replace=False)) for _ in range(RANDOM_DRAWS)]
        ),
        BALANCED: _mean(
            [
                task.judge(pick_balanced(task.classes, budget, generator))
                for _ in range(BALANCED_DRAWS)
            ]
        ),
    }
    known = METHODS | FRONTIER
    return outcomes | {name: _outcome(task, known[name]) for name in methods}


def _parse() -> argparse.Namespace:
    parser = make_parser(__doc__)
    add_set_options(parser)
    add = parser.add_argument
    add("--seeds", type=int, default=20, metavar="N", help="default: %(default)s")
    add("--processes", type=int, default=2, metavar="N", help="default: %(default)s")
    add(
        "--leave-out",
        action="append",
        default=["oos"],
        metavar="LABEL",
        help="a label that is no class of its own; may be given again (oos always is one)",
    )
    add(
        "--pool-rows",
        type=int,
        default=POOL_ROWS,
        metavar="N",
        help="the most rows of a pool (default: %(default)s)",
    )
    add(
        "--regularisation",
        type=float,
        default=REGULARISATION,
        metavar="C",
        help="of the judge; the larger, the weaker its penalty (default: %(default)g)",
    )
    add(
        "--methods",
        nargs="+",
        choices=METHODS,
        metavar="NAME",
        help=f"default: all of {', '.join(METHODS)}",
    )
    add(
        "--frontier",
        action="store_true",
        help="also even picks over a grid of cluster counts; the best of them knows the labels",
    )
    return parser.parse_args()


def _run(
    chosen: LabelledSet, methods: list[str], options: argparse.Namespace
) -> dict[str, list[Outcome]]:
    """Return the outcomes of every method, in the order of the seeds."""
    work = partial(run_seed, chosen, methods, options.pool_rows, options.regularisation)
    # Not forked: threads of this process may hold locks.
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(options.processes, context) as pool:
        seeds = list(pool.map(work, range(options.seeds)))
    return {name: [outcomes[name] for outcomes in seeds] for name in seeds[0]}


def _tell(report: Report, name: str, outcomes: dict[str, list[Outcome]]) -> dict[str, Recovered]:
    """Print the table of a set and return the recovered share of each method."""
    print(
        f"  {'':<28} {'accuracy':>8} {'against random':>24} {'recovered':>9} {'':<15}"
        f" {'rarest third':>12} {'':<15} {'seconds':>7}"
    )
    recovered: dict[str, Recovered] = {}
    goals: list[Figure] = []
    for method, found in outcomes.items():
        shares = [_recovered(outcomes, found, part) for part in ("accuracy", "rare_accuracy")]
        gain = _column(found, "accuracy") - _column(outcomes[RANDOM], "accuracy")
        low, high = mean_interval(gain)
        print(
            f"  {method:<28} {_column(found, 'accuracy').mean():8.4f} {gain.mean():+8.4f}"
            f" ({low:+.4f}, {high:+.4f}) {_written(shares[0])} {_written(shares[1], 12)}"
            f" {_column(found, 'seconds').mean():7.2f}",
            flush=True,
        )
        recovered[method] = shares[0]
        _keep(report, f"{name}, {method}", found, shares)
        if method == LEVEL:
            goals = _goals(name, shares, float(gain.mean()))
    report.add(*goals)
    return recovered


def _goals(name: str, shares: list[Recovered], gain: float) -> list[Figure]:
    figures = [Figure(f"{name}, above random", gain, "accuracy", -LARGEST_LOSS, True)]
    if name in GOALS:
        figures += [
            Figure(f"{name}, recovered share", shares[0].share, "", GOALS[name], True),
            Figure(f"{name}, the same of the rarest third", shares[1].share, "", RARE_GOAL, True),
        ]
    return figures


def _keep(report: Report, name: str, found: list[Outcome], shares: list[Recovered]) -> None:
    """Add to the report what the table has said already."""
    for part in ("accuracy", "rare_accuracy", "seconds"):
        values = tuple(_column(found, part).tolist())
        report.figures.append(Figure(f"{name}, {part}", float(np.mean(values)), "", samples=values))
    for part, share in zip(("recovered", "recovered, rarest third"), shares, strict=True):
        samples = (share.low, share.high)
        report.figures.append(Figure(f"{name}, {part}", share.share, "", samples=samples))


def _judge(report: Report, found: dict[str, dict[str, Recovered]]) -> None:
    """Add whether Level is above every rival: on each set that has a goal, and on average."""
    if not all(LEVEL in methods for methods in found.values()):
        return
    print("\nRecovered share, Level above the rival")
    for rival in (name for name in RIVALS if all(name in methods for methods in found.values())):
        gaps = {
            name: methods[LEVEL].share - methods[rival].share for name, methods in found.items()
        }
        report.add(
            *(
                Figure(f"{name}, {rival}", gap, "", 0.0, True)
                for name, gap in gaps.items()
                if name in GOALS
            )
        )
        others = [gap for name, gap in gaps.items() if name not in GOALS]
        if others:
            mean = float(np.mean(others))
            report.add(Figure(f"mean of {len(others)} other sets, {rival}", mean, "", 0.0, True))


def _heading(chosen: LabelledSet, left_out: Sequence[str], options: argparse.Namespace) -> str:
    task = draw_task(chosen, 0, largest_class(chosen.class_count, options.pool_rows))
    parts = [
        f"{chosen.name}: {chosen.class_count} classes, pool of {len(task.classes):,} rows,"
        f" budget {task.pool.budget:,}, {len(task.test_classes):,} test rows,"
        f" {options.seeds} seeds",
        *left_out,
    ]
    return "; ".join(parts)


def _outcome(task: Task, pick: Picker) -> Outcome:
    began = time.process_time()
    picked = pick(task.pool)
    seconds = time.process_time() - began
    found = task.judge(picked)
    return Outcome(found.accuracy, found.rare_accuracy, seconds)


def _mean(found: Sequence[Judgement]) -> Outcome:
    accuracy = float(np.mean([one.accuracy for one in found]))
    return Outcome(accuracy, float(np.mean([one.rare_accuracy for one in found])), 0.0)


def _recovered(outcomes: dict[str, list[Outcome]], found: list[Outcome], part: str) -> Recovered:
    return recovered_share(
        _column(found, part), _column(outcomes[RANDOM], part), _column(outcomes[BALANCED], part)
    )


def _column(found: list[Outcome], part: str) -> Floats:
    return np.array([getattr(one, part) for one in found])


def _written(share: Recovered, width: int = 9) -> str:
    return f"{share.share:{width}.3f} ({share.low:+.2f}, {share.high:+.2f})"


if __name__ == "__main__":
    main()
