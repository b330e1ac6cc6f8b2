"""The summary table in the terminal."""

import unicodedata
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from level.cost_meter import meter_table

SHOWN_HILLS = 40


def print_summary(terrain: dict[str, Any], status: dict[str, Any], console: Console) -> None:
    """Print the clusters, largest first, and the figures of the whole dataset."""
    metrics = terrain["metrics"]
    rows = metrics["original"]["row_count"]
    console.print(_hills_table(terrain["hills"], rows))
    hidden = len(terrain["hills"]) - SHOWN_HILLS
    if hidden > 0:
        console.print(f"… and {hidden} smaller clusters (all are in layers.csv)", markup=False)
    console.print(_dataset_table(metrics, status))
    original = metrics["original"]
    now = {name: value for name, value in metrics.items() if name != "original"}
    console.print(meter_table(original, None if now == original else now))


def _hills_table(hills: list[dict[str, Any]], rows: int) -> Table:
    table = Table(title="Clusters", title_justify="left")
    for heading in ("id", "rows", "share"):
        table.add_column(heading, justify="right")
    table.add_column("name", overflow="fold")
    for hill in sorted(hills, key=lambda one: -one["size"])[:SHOWN_HILLS]:
        share = f"{100 * hill['size'] / max(rows, 1):.1f} %"
        name = Text(one_line(hill["label"]))
        table.add_row(str(hill["cluster_id"]), f"{hill['size']:,}", share, name)
    return table


def _dataset_table(metrics: dict[str, Any], status: dict[str, Any]) -> Table:
    table = Table(title="Dataset", title_justify="left", show_header=False)
    table.add_column()
    table.add_column(justify="right")
    rows, noise = metrics["original"]["row_count"], metrics["original"]["noise_count"]
    figures = {
        "rows": f"{rows:,}",
        "clusters": f"{metrics['cluster_count']:,}",
        "noise rows": f"{noise:,} ({100 * noise / max(rows, 1):.1f} %)",
    }
    if (copies := (status.get("counts") or {}).get("near_duplicate_count")) is not None:
        figures["near-duplicates"] = f"{copies:,} ({100 * copies / max(rows, 1):.1f} %)"
    if algorithm := (status.get("clustering") or {}).get("algorithm"):
        figures["algorithm"] = algorithm
    for name, value in figures.items():
        table.add_row(name, value)
    return table


def print_note(text: str, console: Console) -> None:
    """Print what a person should know."""
    console.print(f"Note: {one_line(text)}", style="yellow", markup=False, soft_wrap=True)


def one_line(text: str) -> str:
    """Return a text that cannot move the cursor or change a terminal's state."""
    return "".join(" " if unicodedata.category(char)[0] == "C" else char for char in text)
