"""A levelling in the terminal: what it does, what it costs, and what it could not do."""

from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.table import Table

from level.cost_meter import meter_table
from level.summary import one_line, print_note


def print_plan(plan: Mapping[str, Any], console: Console, *, with_noise: bool = False) -> None:
    """Print a plan as GET /api/level gives it.

    Parameters
    ----------
    plan : mapping
        Completed; with `noise_effects` where these are to be shown.
    console : Console
    with_noise : bool
        Whether to show what each policy for noise would do.
    """
    console.print(meter_table(plan["metrics"]["before"], plan["metrics"]["after"]))
    solution = plan["solution"] or {"unmet": [], "binding": []}
    for sentence in plan["notes"]:
        if sentence not in solution["unmet"]:
            console.print(one_line(sentence), markup=False, soft_wrap=True)
    for sentence in (*solution["unmet"], *solution["binding"]):
        print_note(sentence, console)
    if with_noise and plan["metrics"]["before"]["noise_count"]:
        console.print(_noise_table(plan["noise_effects"]))


def _noise_table(effects: Sequence[Mapping[str, Any]]) -> Table:
    table = Table(title="What each policy for noise would do", title_justify="left")
    table.add_column("--noise")
    headings = ("dropped", "joined", "Gini", "flatness", "effective sample size", "design effect")
    for heading in headings:
        table.add_column(heading, justify="right")
    for effect in effects:
        figures = effect["metrics"]
        table.add_row(
            _written(effect["policy"]),
            f"{effect['dropped_count']:,}",
            f"{effect['joined_count']:,}",
            f"{figures['gini']:.3f}",
            f"{figures['flatness']:.3f}",
            f"{figures['effective_sample_size']:,.0f}",
            f"{figures['design_effect']:.2f}",
        )
    return table


def _written(policy: Mapping[str, Any]) -> str:
    """Return a policy as `--noise` takes it."""
    numbers = [policy[name] for name in ("share", "max_distance") if policy[name] is not None]
    return "=".join([policy["kind"], *map(str, numbers)])
