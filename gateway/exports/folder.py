"""Exports as a folder in a zip: files for each cluster, how to mix, load and repeat them."""

import json
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import replace
from importlib.resources import files

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from gateway.exports.card import write_card
from gateway.exports.columns import NOISE_LABEL
from gateway.exports.drain import Drain, member
from gateway.exports.json_lines import write_json_lines
from gateway.exports.mixture import MixtureSource, describe_mixture, measure_lines
from gateway.exports.options import ExportOptions, ShardType
from gateway.exports.parquet_file import write_parquet
from gateway.exports.sheet import Sheet
from levelling import NOISE_ID, Balance, Groups, measure
from levelling.plans.reasons import Reason

_MAX_SHARD_BYTES = 500 << 20
_SNIPPETS = ("load_datasets.py", "load_torch.py", "load_sklearn.py")


def write_folder(sheet: Sheet, options: ExportOptions) -> Iterator[bytes]:
    """Yield a zip archive; its members are the same bytes whenever and wherever it is made."""
    folder = _Folder(sheet, options)
    sink = Drain()
    with zipfile.ZipFile(sink, "w") as archive:
        sources = []
        for cluster_id, rows in folder.rows_by_cluster():
            for name, pieces in folder.shards(cluster_id, rows):
                packed = options.shard_type is ShardType.JSONL
                with archive.open(member(name, compressed=packed), "w", force_zip64=True) as shard:
                    for piece in pieces:
                        shard.write(piece)
                        yield sink.take()
            sources.append(folder.source(cluster_id, rows))
        for name, text in folder.descriptions(sources).items():
            archive.writestr(member(name, compressed=True), text)
    yield sink.take()


class _Folder:
    def __init__(self, sheet: Sheet, options: ExportOptions) -> None:
        self._sheet, self._options = sheet, options
        self._layer = sheet.source.layers.find(options.layer)
        self._labels = sheet.source.layer_array("labels", self._layer)
        self._names = {
            hill["cluster_id"]: hill["label"] for hill in sheet.source.hills(self._layer)
        }
        self._ending = str(options.shard_type or ShardType.PARQUET)
        self._written: dict[int, list[str]] = {}

    def rows_by_cluster(self) -> Iterator[tuple[int, NDArray[np.int64]]]:
        """Yield each cluster with the rows of its lines, by rising id, noise at the end."""
        rows = self._sheet.drawn.rows
        own = np.asarray(self._labels[rows], np.int64)
        order = np.argsort(np.where(own == NOISE_ID, np.iinfo(np.int64).max, own), kind="stable")
        edges = np.flatnonzero(np.diff(own[order])) + 1
        for part in np.split(order, edges):
            if part.size:
                yield int(own[part[0]]), rows[part]

    def shards(
        self, cluster_id: int, rows: NDArray[np.int64]
    ) -> Iterator[tuple[str, Iterator[bytes]]]:
        """Yield the name and the content of each file of a cluster."""
        batches = _Ahead(self._sheet.batches_of(rows))
        names = self._written[cluster_id] = []
        while batches.has_more:
            # Never after its label: that is a person's text, or a language model's.
            stem = "noise" if cluster_id == NOISE_ID else f"cluster-{cluster_id:06}"
            names.append(f"data/{stem}-{len(names):05}.{self._ending}")
            write = write_parquet if self._ending == ShardType.PARQUET else write_json_lines
            yield names[-1], write(self._sheet.schema, batches.up_to(_MAX_SHARD_BYTES))

    def source(self, cluster_id: int, rows: NDArray[np.int64]) -> MixtureSource:
        """Return what there is to tell of a cluster whose files are written."""
        effective_size, has_equal_weights = measure_lines(self._sheet.drawn.line_weight[rows])
        label = NOISE_LABEL if cluster_id == NOISE_ID else self._names.get(cluster_id, "")
        written = tuple(self._written[cluster_id])
        return MixtureSource(
            cluster_id, label, written, rows.size, effective_size, has_equal_weights
        )

    def descriptions(self, sources: Sequence[MixtureSource]) -> dict[str, str]:
        """Return the files beside the data, by name."""
        recipe = self._sheet.source.recipe
        about = {
            "format": self._options.format,
            "shard_type": self._ending,
            "layer": self._layer.layer_index,
            "seed": self._options.seed or 0,
        }
        mixture = describe_mixture(sources, columns=self._column_names(), about=about)
        card = write_card(recipe, sources, *self._balances(), self._ending)
        snippets = files("gateway.exports") / "snippets"
        return {
            "README.md": card,
            "mixture.json": json.dumps(mixture, indent=1),
            "recipe.json": json.dumps(recipe, indent=1),
            **{name: (snippets / f"{name}.txt").read_text("utf-8") for name in _SNIPPETS},
        }

    def _column_names(self) -> dict[str, str]:
        """Return the names of columns as they stand in the files, by what they hold."""
        own = {"text": self._sheet.schema.names[self._sheet.source.info.text_column]}
        return own | {column.wanted: column.name for column in self._sheet.added}

    def _balances(self) -> tuple[Balance, Balance]:
        count = self._sheet.source.info.row_count
        drawn = self._sheet.drawn
        weights = np.bincount(drawn.rows, minlength=count) * drawn.line_weight
        # Of the lines at hand: the figure of a terrain is relative to all rows, dropped ones too.
        largest = float(max(drawn.copies.max(initial=0), weights.max(initial=0.0)))
        after = replace(
            self._measure(weights), max_repeat=largest, duplicate_count=self._duplicate_count()
        )
        return self._measure(np.ones(count)), after

    def _duplicate_count(self) -> int:
        plan = self._sheet.source.plan
        return 0 if plan is None else int(np.count_nonzero(plan.reasons == Reason.NEAR_DUPLICATE))

    def _measure(self, weights: NDArray[np.float64]) -> Balance:
        pairs = np.stack([np.asarray(self._labels, np.float64), weights])
        groups, counts = np.unique(pairs, axis=1, return_counts=True)
        return measure(Groups(groups[0].astype(np.int64), groups[1], counts.astype(np.int64)))


class _Ahead:
    """Batches, of which it is known whether one more comes."""

    def __init__(self, batches: Iterator[pa.RecordBatch]) -> None:
        self._batches = batches
        self._next = next(batches, None)

    @property
    def has_more(self) -> bool:
        return self._next is not None

    def up_to(self, byte_count: int) -> Iterator[pa.RecordBatch]:
        """Yield at least one batch, and more until they are that large."""
        size = 0
        while self._next is not None and size < byte_count:
            batch = self._next
            self._next = next(self._batches, None)
            size += batch.nbytes
            yield batch
