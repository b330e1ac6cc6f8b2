"""A proof in the terminal: the verdict, the figures with their intervals, the curve."""

from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from level.summary import one_line, print_note

_METRICS = {
    "macro_accuracy": "macro accuracy",
    "accuracy": "accuracy",
    "macro_f1": "macro F1",
    "balanced_macro_f1": "macro F1, classes even",
    "worst_class": "worst class",
    "worst_cluster": "worst cluster",
}
_PROXIES = {
    "coverage": "rows near a kept row (more is better)",
    "mean_distance": "distance to the nearest kept row (less is better)",
    "novelty": "distance of kept rows from each other",
}
SHOWN_PARTS = 10


def print_proof(proof: Mapping[str, Any], console: Console) -> None:
    """Print a proof as GET /api/prove gives its result."""
    for model in proof["models"]:
        console.print(_comparisons(one_line(model["title"]), model["metrics"], _METRICS))
    if proof["proxies"] is not None:
        console.print(_comparisons("Proxies: no labels were given", proof["proxies"], _PROXIES))
    if proof["classes"]:
        console.print(_parts(proof["classes"]))
    if proof["curve"]:
        console.print(_curve(proof["curve"], proof["best_alpha"]))
    for note in proof["notes"]:
        print_note(note, console)
    console.print(one_line(proof["verdict"]["text"]), style="bold", markup=False, soft_wrap=True)


def _comparisons(title: str, found: Mapping[str, Any], names: Mapping[str, str]) -> Table:
    table = _table(title, "", "before", "after", "difference", "95 % interval")
    for name, shown in names.items():
        one = found[name]
        table.add_row(
            shown,
            f"{one['before']:.3f}",
            f"{one['after']:.3f}",
            f"{one['difference']:+.3f}",
            _interval(one),
        )
    return table


def _parts(classes: Sequence[Mapping[str, Any]]) -> Table:
    table = _table("Worst classes, before", "class", "held out", "before", "after")
    for one in classes[:SHOWN_PARTS]:
        name = Text(one_line(str(one["name"])))
        table.add_row(name, f"{one['test_rows']:,}", f"{one['before']:.3f}", f"{one['after']:.3f}")
    return table


def _curve(curve: Sequence[Mapping[str, Any]], best: float | None) -> Table:
    headings = ("alpha", "flatness", "sample share", "macro accuracy", "gain", "95 % interval")
    table = _table("Sizes in proportion to rows to the power of alpha", *headings)
    for point in curve:
        mark = " *" if point["alpha"] == best else ""
        gain = point["gain"]
        table.add_row(
            f"{point['alpha']:g}{mark}",
            f"{point['flatness']:.3f}",
            f"{point['effective_sample_share']:.2f}",
            f"{point['scores']['macro_accuracy']:.3f}",
            f"{gain['difference']:+.3f}",
            _interval(gain),
        )
    return table


def _interval(found: Mapping[str, Any]) -> str:
    if found["low"] is None:
        return "not known"
    return f"{found['low']:+.3f} to {found['high']:+.3f}"


def _table(title: str, *headings: str) -> Table:
    table = Table(title=Text(title), title_justify="left")
    for place, heading in enumerate(headings):
        table.add_column(heading, justify="right" if place else "left")
    return table
