"""Options that several verbs share, and how their values are read."""

import argparse
import json
from typing import Any

from rich.console import Console

# Options that the gateway takes as fields of the upload.
_FIELDS = (
    "text_column",
    "algorithm",
    "eps",
    "min_samples",
    "min_cluster_size",
    "resolution",
    "seed",
    "exemplar_count",
    "exemplar_kind",
    "long_texts",
    "description",
    "language",
)


def add_text_column(parser: argparse.ArgumentParser) -> None:
    """Add the option that names the column with the texts."""
    parser.add_argument(
        "--text-column", "--text", metavar="NAME", help="the column to read (default: detected)"
    )


def add_clustering_options(parser: argparse.ArgumentParser) -> None:
    """Add what decides the clusters of a file."""
    add = parser.add_argument
    add("--algorithm", help="auto, communities, dbscan, hdbscan or kmeans")
    add("--eps", type=float, help="DBSCAN: cosine distance (default: automatic)")
    add("--min-samples", type=int, help="DBSCAN: neighbours of a core row")
    add("--min-cluster-size", type=int, help="rows of the smallest cluster")
    add("--resolution", type=float, help="communities: higher gives more clusters")
    add(
        "--long-texts",
        choices=("truncate", "mean"),
        help="texts longer than the model reads: their beginning counts, or the mean of their"
        " pieces, which is slower (default: truncate)",
    )


def add_naming_options(parser: argparse.ArgumentParser) -> None:
    """Add what decides how clusters are named and shown."""
    add = parser.add_argument
    add("--exemplar-count", type=int, help="exemplars of each cluster, 1 to 10")
    add("--exemplar-kind", choices=("central", "diverse"), help="which rows those are")
    add("--description", help="what the texts are; helps a language model name them")
    add("--language", help="language of the names, for example en")


def add_json(parser: argparse._ActionsContainer) -> None:
    """Add the option that asks for an answer that programs read."""
    parser.add_argument(
        "--json", action="store_true", help="print the result as JSON, and all else to stderr"
    )


def quiet_console(options: argparse.Namespace, console: Console) -> Console:
    """Return where people are told things: stderr when the result is JSON."""
    return Console(stderr=True, highlight=False) if options.json else console


def write_json(value: Any, console: Console) -> None:
    """Print a value as JSON, untouched by the terminal's width; all of it is ASCII."""
    console.file.write(json.dumps(value, indent=2, allow_nan=False) + "\n")
    console.file.flush()


def upload_fields(options: argparse.Namespace) -> dict[str, str]:
    """Return the fields of the upload that were given, as the form has them."""
    given = {name: getattr(options, name, None) for name in _FIELDS}
    return {name: str(value) for name, value in given.items() if value is not None}


def cluster_weight(text: str) -> tuple[str, float]:
    """Return cluster id and number of an argument like 3=0.5 or noise=0.5."""
    cluster, _, weight = text.partition("=")
    try:
        return "-1" if cluster == "noise" else str(int(cluster)), float(weight)
    except ValueError as error:
        message = f"{text!r} is not like 3=0.5"
        raise argparse.ArgumentTypeError(message) from error


def share(text: str) -> float:
    """Return a number from 0 to 1."""
    number = float(text)
    if not 0 <= number <= 1:
        raise argparse.ArgumentTypeError("it is a number from 0 to 1")
    return number


def port(text: str) -> int:
    """Return the number of a TCP port."""
    number = int(text)
    if not 1 <= number <= 65_535:
        raise argparse.ArgumentTypeError("a port is a number from 1 to 65535")
    return number
