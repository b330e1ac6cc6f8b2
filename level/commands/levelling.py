"""Options that say what a dataset is to be levelled to, and how their values are read."""

import argparse
import json
import math
from pathlib import Path
from typing import TYPE_CHECKING

from level.commands.options import cluster_weight
from level.errors import CommandFailed, WrongUsage
from level_rpc.errors import LevelError

if TYPE_CHECKING:
    from levelling.request import LevelRequest

# The words of `levelling.request`, written out: that imports NumPy, and help is to come at once.
BUDGET_UNITS = ("rows", "tokens")
MODES = ("weights", "rows")
DUPLICATE_KINDS = ("keep", "drop", "discount")
KEEP_STRATEGIES = ("central", "longest", "first")
SAMPLING_STRATEGIES = ("diverse", "central", "random")


def add_levelling_options(parser: argparse.ArgumentParser) -> None:
    """Add all that can be asked of a levelling."""
    _add_target(parser)
    _add_limits(parser)
    _add_policies(parser)


def _add_target(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group(
        "target",
        "one of these; without any, as flat as pays: a further step costs more than it gives",
    )
    add = group.add_mutually_exclusive_group().add_argument
    add("--target-flatness", type=float, metavar="F", help="at least as level as F, 0 to 1")
    add("--target-gini", type=float, metavar="G", help="at most as unequal as G, 0 to 1")
    add(
        "--alpha",
        type=float,
        metavar="A",
        help="sizes in proportion to their rows to the power of A: 0 is flat, 1 changes nothing",
    )
    add("--uniform", action="store_true", help="every cluster the same size")
    add(
        "--target",
        type=Path,
        metavar="FILE.json",
        help='a share for each cluster, as {"0": 0.5, "3": 0.5}; those not named get nothing',
    )
    add(
        "--reference",
        type=Path,
        metavar="FILE",
        help="spread as the rows of this file spread over the same clusters",
    )


def _add_limits(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument_group("how much").add_argument
    add("--budget", type=int, metavar="N", help="keep so much; alone: the best subset of that size")
    add("--budget-unit", choices=BUDGET_UNITS, default="rows", help="default: %(default)s")
    add("--max-repeat", type=float, metavar="N", help="the most a row may count or be repeated")
    add(
        "--pin",
        action="append",
        type=cluster_weight,
        default=[],
        metavar="ID=WEIGHT",
        help="a cluster's weight stays so, or noise=WEIGHT; may be repeated",
    )
    for name, what in (("--floor", "least"), ("--ceiling", "greatest")):
        add(
            name,
            action="append",
            type=size_limit,
            default=[],
            metavar="[ID=]N",
            help=f"the {what} effective size of every cluster, or of one; may be repeated",
        )
    add("--layer", type=int, metavar="N", help="level the clusters of this layer, 0 is the finest")


def _add_policies(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument_group("which rows").add_argument
    add(
        "--mode",
        choices=MODES,
        help="weights: every row stays and weighs more or less; rows: rows are left out and"
        " repeated (default: weights, and rows where there is a budget)",
    )
    add(
        "--noise",
        default="keep",
        metavar="POLICY",
        help="rows in no cluster: keep, drop, cap=SHARE of the kept rows, assign to the nearest"
        " cluster, or assign=DISTANCE to it at most (default: %(default)s)",
    )
    add(
        "--duplicates",
        choices=DUPLICATE_KINDS,
        default="keep",
        help="near-duplicates: keep them, drop all but one of each group, or count a group as one"
        " row (default: %(default)s)",
    )
    add(
        "--duplicate-distance",
        type=float,
        metavar="D",
        help="cosine distance up to which rows are near-duplicates (default: 0.05)",
    )
    add(
        "--keep",
        choices=KEEP_STRATEGIES,
        default="central",
        help="which row of such a group stays (default: %(default)s)",
    )
    add(
        "--sampling",
        choices=SAMPLING_STRATEGIES,
        default="diverse",
        help="which rows of a cluster stay when it shrinks (default: %(default)s)",
    )


def level_request(options: argparse.Namespace) -> "LevelRequest":
    """Return what the options ask for; `--reference` is not in it.

    Raises
    ------
    CommandFailed
        When a value cannot be meant, or options contradict each other.
    """
    from level.policies import make_duplicate_policy, make_target, read_noise_policy
    from levelling.request import BudgetUnit, LevelRequest, Mode, SamplingStrategy

    floors, ceilings = dict(options.floor), dict(options.ceiling)
    try:
        return LevelRequest(
            target=make_target(
                options.target_flatness,
                options.target_gini,
                options.alpha,
                "uniform" if options.uniform else _read_shares(options.target),
            ),
            mode=Mode(options.mode) if options.mode else None,
            budget=options.budget,
            budget_unit=BudgetUnit(options.budget_unit),
            max_repeat=options.max_repeat,
            pinned={int(cluster): weight for cluster, weight in options.pin},
            floor=floors.pop(None, None),
            ceiling=ceilings.pop(None, None),
            floors=floors,
            ceilings=ceilings,
            layer=options.layer,
            noise=read_noise_policy(options.noise),
            duplicates=make_duplicate_policy(
                options.duplicates, options.duplicate_distance, options.keep
            ),
            sampling=SamplingStrategy(options.sampling),
            seed=options.seed or 0,
        )
    except LevelError as error:
        raise WrongUsage(f"{error.message}.") from error


def size_limit(text: str) -> tuple[int | None, float]:
    """Return cluster id, None for every cluster, and size of an argument like 20 or 3=20."""
    cluster, equals, size = text.rpartition("=")
    try:
        return (int(cluster) if equals else None), float(size)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text!r} is not like 20 or 3=20") from error


def numbers(text: str) -> list[float]:
    """Return the numbers of an argument like 0,0.5,1."""
    try:
        found = [float(part) for part in text.split(",")]
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text!r} is not like 0,0.5,1") from error
    if not all(map(math.isfinite, found)):
        raise argparse.ArgumentTypeError(f"{text!r} holds what is no number")
    return found


def _read_shares(file: Path | None) -> dict[int, float] | None:
    if file is None:
        return None
    try:
        shares = json.loads(file.read_bytes())
        return {int(cluster): _number(share) for cluster, share in shares.items()}
    except OSError as error:
        raise CommandFailed(f"{file} cannot be read: {error.strerror}.") from error
    except (ValueError, AttributeError, TypeError, RecursionError) as error:
        message = f'{file} holds no shares of clusters; they look like {{"0": 0.5, "3": 0.5}}.'
        raise CommandFailed(message) from error


def _number(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError("not a number")
    return float(value)
