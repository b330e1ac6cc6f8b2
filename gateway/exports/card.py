"""The card of a folder: a README with the header that dataset hubs read; pure."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from gateway.exports.mixture import MixtureSource
from levelling import NOISE_ID, Balance

_SHOWN_CLUSTERS = 100
_SHOWN_CHARS = 80
# Whatever could begin markup, end a table's cell, or be more than one line.
_SPECIAL = re.compile(r"([\\`*_{}\[\]()#+\-.!|~$:@])")
_SIZES = (
    (1_000, "n<1K"),
    (10_000, "1K<n<10K"),
    (100_000, "10K<n<100K"),
    (1_000_000, "100K<n<1M"),
)
_FIGURES = (
    ("gini", "Gini", "{:.3f}"),
    ("flatness", "flatness", "{:.3f}"),
    ("effective_clusters", "effective clusters", "{:.1f}"),
    ("row_count", "rows that count", "{:,}"),
    ("effective_sample_size", "effective sample size", "{:,.0f}"),
    ("effective_sample_share", "effective sample share", "{:.1%}"),
    ("design_effect", "design effect", "{:.2f}"),
    ("max_repeat", "largest repeat", "{:.2f}"),
    ("dropped_row_count", "rows dropped", "{:,}"),
    ("duplicate_count", "of these as near-duplicates", "{:,}"),
)
# What of a levelling is told, where it was given, and as what.
_LEVELLING = {
    "layer": "layer",
    "target": "target",
    "mode": "mode",
    "budget": "budget",
    "budget_unit": "budget's unit",
    "max_repeat": "most repeats",
    "pinned": "pinned weights",
    "floor": "floor",
    "ceiling": "ceiling",
    "floors": "floors of clusters",
    "ceilings": "ceilings of clusters",
    "noise": "noise",
    "duplicates": "near-duplicates",
    "sampling": "sampling",
    "seed": "seed",
}
_COLUMNS = """\
| column | |
|---|---|
| `cluster_id` | number of the row's cluster; -1 is noise |
| `cluster_label` | name of the cluster |
| `cluster_membership_prob` | how firmly the row belongs to it, 0 to 1 |
| `sample_weight` | what a line counts in training; mean 1 over all lines |
| `copies` | how often the row of the input stands in the dataset |
| `near_dup_group` | rows of equal number are near-duplicates |
| `is_exemplar` | whether the row is one of its cluster's typical ones |
| `projection_x`, `projection_y` | where the row lies on the map, -1 to 1 |
| `row_id` | number of the row in the input, from 0 |

Every other column is the input's own, as text, each cell as it came. Where the input has a column
of one of these names, Level's is called `level_…`; mixture.json says how.
"""
_LOADING = """\
* `load_datasets.py`: Hugging Face datasets, the clusters interleaved in their shares.
* `load_torch.py`: PyTorch, a WeightedRandomSampler over all lines.
* `load_sklearn.py`: texts and `sample_weight` for scikit-learn, XGBoost, LightGBM and Keras.
* `recipe.json`: `level replay recipe.json INPUT` makes these files again.
"""


def write_card(
    recipe: Mapping[str, Any],
    sources: Sequence[MixtureSource],
    before: Balance,
    after: Balance,
    shard_type: str,
) -> str:
    """Return README.md.

    Parameters
    ----------
    recipe : mapping
        As `make_recipe` gave it.
    sources : sequence of MixtureSource
    before, after : Balance
        Of the input, and of what is in the folder.
    shard_type : str
        The ending of the files with rows.
    """
    line_count = sum(one.line_count for one in sources)
    made = recipe["input"]
    return "\n".join(
        (
            _header(line_count, shard_type),
            f"# {escape(made['file_name'])}, levelled\n",
            f"{line_count:,} lines of {made['row_count']:,} rows, in files for each of"
            f" {_groups(sources)}, made by Level {recipe['level_version']}.\n",
            "## Before and after\n",
            _figures(before, after),
            "## Recipe\n",
            _table(_recipe(recipe)),
            "## Levelling\n",
            _levelling(recipe["level_request"], recipe["weights"]["clusters"]),
            "## Versions\n",
            _table(_versions(recipe)),
            "## Clusters\n",
            _clusters(sources),
            "## Columns\n",
            _COLUMNS,
            "## Loading\n",
            _LOADING,
        )
    )


def escape(text: str) -> str:
    """Return somebody's text for one line of Markdown: shown as it is, never markup."""
    line = " ".join(text.split())[:_SHOWN_CHARS]
    printable = "".join(char if char.isprintable() else "\ufffd" for char in line)
    marked = _SPECIAL.sub(r"\\\1", printable)
    return marked.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _header(line_count: int, shard_type: str) -> str:
    """Return the YAML header; nothing of a person's is in it."""
    size = next((name for limit, name in _SIZES if line_count < limit), "1M<n<10M")
    if line_count >= 10_000_000:
        size = "10M<n<100M"
    return (
        "---\nconfigs:\n- config_name: default\n  data_files:\n  - split: train\n"
        f"    path: data/*.{shard_type}\nsize_categories:\n- {size}\ntags:\n- level\n---\n"
    )


def _figures(before: Balance, after: Balance) -> str:
    lines = ["| figure | before | after |", "|---|---|---|"]
    for name, shown, pattern in _FIGURES:
        values = (pattern.format(getattr(one, name)) for one in (before, after))
        lines.append(f"| {shown} | {' | '.join(values)} |")
    return "\n".join(lines) + "\n"


def _recipe(recipe: Mapping[str, Any]) -> dict[str, str]:
    export = recipe["export"]
    facts = {
        "input": f"{escape(recipe['input']['file_name'])}, SHA-256 `{recipe['input']['sha256']}`",
        "text column": escape(recipe["input"]["text_column"]["name"]),
        "clustering": escape(recipe["upload"]["algorithm"]),
        "seed of the clustering": escape(str(recipe["upload"]["seed"])),
        "export": escape(", ".join(f"{k}={v}" for k, v in export.items())),
    }
    if export.get("format") == "resampled":
        facts["seed of the draw"] = escape(str(export.get("seed", 0)))
    return facts


def _versions(recipe: Mapping[str, Any]) -> dict[str, str]:
    model, libraries = recipe["model"], recipe.get("versions", {})
    told = {
        "embedding model": model.get("model_id"),
        "its revision": model.get("revision"),
        "its fingerprint": model.get("fingerprint"),
        "instruction set": model.get("instruction_set"),
        "Level": recipe["level_version"],
        **libraries,
    }
    return {escape(name): escape(str(value)) for name, value in told.items() if value}


def _levelling(request: Mapping[str, Any] | None, weights: Mapping[str, float]) -> str:
    if request is None:
        return _weights(weights)
    given = {name: request.get(name) for name in _LEVELLING}
    if given["budget"] is None:
        del given["budget_unit"]
    return _table(
        {
            _LEVELLING[name]: _told(value)
            for name, value in given.items()
            if value is not None and value != {}
        }
    )


def _weights(weights: Mapping[str, float]) -> str:
    if not weights:
        return "None: every row weighs as much as any other.\n"
    return _table({"weights of the finest clusters": _told(weights)})


def _told(value: Any) -> str:
    """Return a value as the cell of a table: of an object each part that was given."""
    if not isinstance(value, Mapping):
        return escape(str(value))
    parts = [
        # The kind of a policy says what it is; its other parts have names.
        escape(str(part)) if name == "kind" else f"{escape(str(name))}: {_told(part)}"
        for name, part in value.items()
        if part is not None and part != {}
    ]
    rest = len(parts) - _SHOWN_CLUSTERS
    more = f", {rest:,} more in recipe.json" if rest > 0 else ""
    return ", ".join(parts[:_SHOWN_CLUSTERS]) + more


def _table(facts: Mapping[str, str]) -> str:
    return "\n".join(("| | |", "|---|---|", *(f"| {k} | {v} |" for k, v in facts.items()))) + "\n"


def _groups(sources: Sequence[MixtureSource]) -> str:
    clusters = sum(one.cluster_id != NOISE_ID for one in sources)
    shown = f"{clusters:,} clusters of like texts"
    return shown if clusters == len(sources) else f"{shown} and for noise"


def _clusters(sources: Sequence[MixtureSource]) -> str:
    total = sum(one.effective_size for one in sources) or 1.0
    lines = ["| cluster | name | lines | share |", "|---|---|---|---|"]
    for one in sources[:_SHOWN_CLUSTERS]:
        share = one.effective_size / total
        label = escape(one.cluster_label)
        lines.append(f"| {one.cluster_id} | {label} | {one.line_count:,} | {share:.2%} |")
    if len(sources) > _SHOWN_CLUSTERS:
        lines.append(f"| … | {len(sources) - _SHOWN_CLUSTERS:,} more, in mixture.json | | |")
    return "\n".join(lines) + "\n"
