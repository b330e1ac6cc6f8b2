"""`level check`: whether a file keeps limits of balance, copies, noise and leaks; for CI."""

import asyncio
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console

from gateway.settings import GatewaySettings
from gateway.tables import ROWS_FILE, read_texts
from gateway.upload_parameters import read_fields, to_pipeline_parameters
from level.cost_meter import meter_table
from level.errors import NOT_AS_ASKED, CommandFailed
from level.input_file import check_readable, read_table_into
from level.leak import LeakedRow, find_leaks
from level.local_dataset import ClusterOptions, LocalDataset, build_dataset, embed_texts
from level.local_stages import LocalStages
from level.loop_thread import LoopThread
from level.progress import StageBars
from level_rpc.errors import LevelError
from levelling import NOISE_ID, Balance, Groups, measure
from levelling.request import NEAR_DUPLICATE_DISTANCE

SHOWN_LEAKS = 20


@dataclass(frozen=True)
class Limits:
    """What must not be passed; None is no limit.

    Attributes
    ----------
    max_gini, min_flatness : float, optional
        Of the sizes of the clusters, 0 to 1.
    max_duplicates, max_noise : float, optional
        Of the share of rows, 0 to 1, that are copies of another; that are in no cluster.
    """

    max_gini: float | None = None
    min_flatness: float | None = None
    max_duplicates: float | None = None
    max_noise: float | None = None


@dataclass(frozen=True)
class CheckOptions:
    """What `level check` was asked.

    Attributes
    ----------
    file : Path
    text_column : str, optional
    fields : dict of str to str
        What decides the clusters, as the form of an upload has it.
    limits : Limits
    layer : int, optional
        Whose clusters are measured; the terrain layer by default.
    max_distance : float
        The cosine distance up to which rows are near-duplicates, and leaked.
    held_out : Path, optional
        A table none of whose rows may be in the file.
    held_out_column : str, optional
        Its column of texts; the one of the file's name by default.
    """

    file: Path
    text_column: str | None
    fields: dict[str, str]
    limits: Limits
    layer: int | None = None
    max_distance: float = NEAR_DUPLICATE_DISTANCE
    held_out: Path | None = None
    held_out_column: str | None = None


@dataclass(frozen=True)
class LimitResult:
    """One limit and what was found."""

    name: str
    limit: float
    value: float
    is_kept: bool


@dataclass(frozen=True)
class Checked:
    """What was found.

    Attributes
    ----------
    balance : Balance
    layer : int
    duplicate_share, noise_share : float
        0 to 1.
    limits : tuple of LimitResult
        Those that were given.
    leaks : tuple of LeakedRow, optional
        None when nothing was held out.
    """

    balance: Balance
    layer: int
    duplicate_share: float
    noise_share: float
    limits: tuple[LimitResult, ...]
    leaks: tuple[LeakedRow, ...] | None

    @property
    def passed(self) -> bool:
        """Whether every limit is kept and nothing leaked."""
        return all(limit.is_kept for limit in self.limits) and not self.leaks

    @property
    def exit_code(self) -> int:
        """0, or that of a check that failed."""
        return 0 if self.passed else NOT_AS_ASKED

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON values."""
        return {
            "passed": self.passed,
            "layer": self.layer,
            "metrics": asdict(self.balance),
            "near_duplicate_share": self.duplicate_share,
            "noise_share": self.noise_share,
            "limits": [asdict(limit) for limit in self.limits],
            "leaks": None if self.leaks is None else [leak.to_json() for leak in self.leaks],
        }


def check(options: CheckOptions, console: Console) -> Checked:
    """Look at a file in this process: no server is started, nothing is written.

    Raises
    ------
    CommandFailed
        When it cannot be done; a limit that is passed is no such thing.
    """
    texts, column = _read(options.file, options.text_column, None)
    held_out: list[str] | None = None
    if options.held_out is not None:
        held_out, _ = _read(options.held_out, options.held_out_column or column, 1)
    try:
        clustering = _cluster_options(options.fields)
        with LoopThread(LocalStages) as loop:
            return loop.run(
                lambda stages: _look(stages, texts, held_out, clustering, options, console)
            )
    except LevelError as error:
        raise CommandFailed(error.message) from error


async def _look(
    stages: LocalStages,
    texts: list[str],
    held_out: list[str] | None,
    clustering: ClusterOptions,
    options: CheckOptions,
    console: Console,
) -> Checked:
    with StageBars(console) as bars:
        dataset = await build_dataset(
            stages, texts, None, clustering, options.max_distance, bars.show
        )
        if held_out is None:
            return _judge(dataset, options, None)
        mode, distance = clustering.long_texts, options.max_distance
        vectors, _ = await embed_texts(stages, held_out, mode, dataset.fingerprint)
    leaks = await asyncio.to_thread(find_leaks, texts, dataset.vectors, held_out, vectors, distance)
    return _judge(dataset, options, tuple(leaks))


def _judge(
    dataset: LocalDataset, options: CheckOptions, leaks: tuple[LeakedRow, ...] | None
) -> Checked:
    layer = dataset.layers.find(options.layer)
    labels = dataset.clustering.layers[layer.layer_index].labels
    ids, counts = np.unique(labels, return_counts=True)
    balance = measure(Groups(ids.astype(np.int64), np.ones(ids.size), counts.astype(np.int64)))
    groups = dataset.near_dup_groups
    duplicates = 1 - np.unique(groups).size / groups.size
    noise = np.count_nonzero(labels == NOISE_ID) / labels.size
    limits, asked = options.limits, []
    for name, limit, value, sign in (
        ("max_gini", limits.max_gini, balance.gini, 1),
        ("min_flatness", limits.min_flatness, balance.flatness, -1),
        ("max_duplicates", limits.max_duplicates, duplicates, 1),
        ("max_noise", limits.max_noise, noise, 1),
    ):
        if limit is not None:
            asked.append(LimitResult(name, limit, value, bool(sign * value <= sign * limit)))
    return Checked(balance, layer.layer_index, duplicates, noise, tuple(asked), leaks)


def print_checked(checked: Checked, options: CheckOptions, console: Console) -> None:
    """Print the figures, and what is not as it should be."""
    console.print(meter_table(asdict(checked.balance)))
    console.print(f"Near-duplicates: {checked.duplicate_share:.1%} of all rows are copies.")
    console.print(f"Noise: {checked.noise_share:.1%} of all rows are in no cluster.")
    for limit in checked.limits:
        option = "--" + limit.name.replace("_", "-")
        words = "kept" if limit.is_kept else "NOT KEPT"
        style = None if limit.is_kept else "red"
        console.print(f"{option} {limit.limit:g}: {words}, it is {limit.value:.3f}", style=style)
    if checked.leaks is not None:
        _print_leaks(checked.leaks, options, console)


def _print_leaks(leaks: tuple[LeakedRow, ...], options: CheckOptions, console: Console) -> None:
    if not leaks:
        console.print(f"No row of {options.held_out} is in {options.file}.", markup=False)
        return
    count = "1 row" if len(leaks) == 1 else f"{len(leaks):,} rows"
    words = f"{count} of {options.held_out} leaked (rows count from 0, below the header):"
    console.print(words, style="red", markup=False)
    for leak in leaks[:SHOWN_LEAKS]:
        how = "the same text" if leak.is_same_text else f"distance {leak.distance:.3f}"
        words = f"  row {leak.test_row} is row {leak.row} of {options.file}, {how}"
        console.print(words, markup=False, soft_wrap=True)
    if len(leaks) > SHOWN_LEAKS:
        console.print(f"  and {len(leaks) - SHOWN_LEAKS:,} more; --json lists all")


def _read(file: Path, text_column: str | None, min_rows: int | None) -> tuple[list[str], str]:
    """Return the texts of a table, and how to ask for their column in another one."""
    check_readable(file)
    with tempfile.TemporaryDirectory(prefix="level-check-") as folder:
        info = read_table_into(Path(folder), file, text_column, min_rows)
        texts = read_texts(Path(folder) / ROWS_FILE, info.text_column)
    name = info.text_column_name
    is_clear = bool(name.strip()) and info.columns.count(name) == 1
    return texts, name if is_clear else f"#{info.text_column + 1}"


def _cluster_options(fields: dict[str, str]) -> ClusterOptions:
    """Return what the fields of an upload mean for the clusters, read as the gateway reads them."""
    settings = GatewaySettings()
    parameters = to_pipeline_parameters(
        read_fields(fields), settings.grid_size, settings.default_eps
    )
    return ClusterOptions(
        algorithm=parameters.algorithm,
        parameters=parameters.algorithm_parameters,
        seed=parameters.random_seed,
        long_texts=parameters.long_texts,
    )
