"""The cost meter: how level a dataset is and what that costs, before and after."""

from collections.abc import Callable, Mapping
from typing import Any

from rich.table import Table

Figures = Mapping[str, Any]


def meter_table(before: Figures, after: Figures | None = None, title: str = "Balance") -> Table:
    """Return a table of every figure of balance and cost.

    Parameters
    ----------
    before : mapping
        The fields of `levelling.Balance` at weight 1.
    after : mapping, optional
        The same of the levelled dataset; without it the table has one column of figures.
    title : str
    """
    columns = [before] if after is None else [before, after]
    table = Table(title=title, title_justify="left", show_header=after is not None)
    table.add_column("")
    for heading in ("before", "after")[: len(columns)]:
        table.add_column(heading, justify="right")
    for name, show in _ROWS:
        table.add_row(name, *(show(figures) for figures in columns))
    return table


def _plain(name: str, form: str) -> Callable[[Figures], str]:
    return lambda figures: format(figures[name], form)


def _sample(figures: Figures) -> str:
    size, share = figures["effective_sample_size"], figures["effective_sample_share"]
    return f"{size:,.0f} rows ({100 * share:.1f} %)"


_ROWS: tuple[tuple[str, Callable[[Figures], str]], ...] = (
    ("Gini (0 = equal sizes)", _plain("gini", ".3f")),
    ("flatness (1 = level)", _plain("flatness", ".3f")),
    ("clusters", _plain("cluster_count", ",")),
    ("effective clusters", _plain("effective_clusters", ".1f")),
    ("effective sample size", _sample),
    ("design effect", _plain("design_effect", ".2f")),
    ("largest repeat", _plain("max_repeat", ".2f")),
    ("rows", _plain("row_count", ",")),
    ("noise rows", _plain("noise_count", ",")),
    ("rows dropped", _plain("dropped_row_count", ",")),
    ("near-duplicates dropped", _plain("duplicate_count", ",")),
)
