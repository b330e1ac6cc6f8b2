"""What the tests of exports share: a table with clusters, as the worker would leave it."""

import csv
import io
import json
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import openpyxl
import pytest

from gateway.exports import ExportOptions, make_export
from gateway.exports.source import ExportSource, PlannedRows
from gateway.tables import RECORDS_FILE, ROWS_FILE, TableLimits, read_table
from levelling.plans.reasons import Reason

TINY = TableLimits(min_rows=1)
DIMENSIONS = 4
HEADER = ["text", "weight", "sample_weight", "copies", "text", "", "=cmd|'/c calc'!A1"]
HOSTILE = [
    "=1+1", "+1", "-5", "@SUM(A1)", "\tx", "\rx", "\nx", "\0x", "＝1", "＋1", "－1", "＠1", "'",
    "'=1", "''", '"', '","', "a\r\nb", "NA", "null", "007", "1e5", "12345678901234567890", "true",
    "2024-02-30", " space ", "<r>x</r>", "<script>", "&amp;", "_x0041_", "_x000D_", "\x01\x1f\x7f",
    "\u2028\u2029\x85", "é好\U0001f600", "\ufeff", "\ufffe\uffff", "{}", "]]>", ";=1", "",
]  # fmt: skip
ALL = [
    "cluster_id", "cluster_label", "cluster_membership_prob", "level_sample_weight", "level_copies",
    "near_dup_group", "is_exemplar", "projection_x", "projection_y", "row_id",
]  # fmt: skip
RECIPE = {
    "level_version": "0.1.0",
    "input": {
        "file_name": "a|b\n# <b>.csv",
        "sha256": "0" * 64,
        "row_count": 3,
        "text_column": {"name": "te*xt"},
    },
    "upload": {"algorithm": "auto", "seed": "0"},
    "model": {"model_id": "small"},
    "export": {"format": "weighted"},
    "level_request": None,
    "weights": {"clusters": {"0": 0.5}},
}


@dataclass
class Dataset:
    """A table that was read, its clusters, and a folder for what does not fit into memory."""

    folder: Path
    source: ExportSource
    scratch: Path

    def export(self, **options) -> bytes:
        asked = ExportOptions.from_dict({**vars(ExportOptions()), **options}).check()
        return b"".join(make_export(self.source, asked, self.scratch))


@dataclass
class Datasets:
    """Makes datasets below a folder."""

    folder: Path
    made: int = field(default=0)

    def __call__(
        self, data: bytes, labels=None, *, weights=None, plan=None, names=None, dialect=None,
        text_column=None, groups=True,
    ) -> Dataset:  # fmt: skip
        self.made += 1
        folder = self.folder / str(self.made)
        scratch = folder / "scratch"
        scratch.mkdir(parents=True)
        (folder / "source").write_bytes(data)
        info = read_table(folder / "source", folder, text_column, TINY, dialect=dialect)
        count = info.row_count
        labels = np.zeros(count, np.int32) if labels is None else np.asarray(labels, np.int32)
        paths = {name: folder / name for name in ("source",)}
        paths |= {"rows": folder / ROWS_FILE, "records": folder / RECORDS_FILE}
        arrays = {
            "labels": labels,
            "nearest": np.maximum(labels, 0),
            "strengths": np.linspace(0, 1, count, dtype=np.float32),
            "positions": np.linspace(-1, 1, 2 * count, dtype=np.float32).reshape(count, 2),
            "vectors": np.random.default_rng(0).normal(size=(count, DIMENSIONS)).astype("f4"),
        }
        if groups:
            arrays["near_dup_groups"] = np.arange(count, dtype=np.int32)
        for name, array in arrays.items():
            paths[name] = folder / f"{name}.npy"
            np.save(paths[name], array)
        paths["terrain"] = folder / "terrain.json"
        paths["terrain"].write_text(json.dumps({"hills": hills_of(labels, names or {})}))
        source = ExportSource(info, paths, weights or {}, RECIPE, plan)
        return Dataset(folder, source, scratch)


def hills_of(labels, names):
    ids, firsts, sizes = np.unique(labels[labels >= 0], return_index=True, return_counts=True)
    return [
        {
            "cluster_id": int(one),
            "label": names.get(int(one), f"Topic {one}"),
            "parent_id": -1,
            "size": int(size),
            "spread": 0.25,
            "stability": None,
            "keywords": ["a", "b"],
            "exemplars": [{"row_id": int(first), "text": ""}],
        }
        for one, first, size in zip(ids, firsts, sizes, strict=True)
    ]


def planned(copies, weights=None, reasons=None) -> PlannedRows:
    """Return a plan that repeats rows so often."""
    copies = np.asarray(copies, np.int32)
    kept = copies > 0
    if weights is None:
        weights = np.where(kept, copies / copies[kept].mean(), 0.0)
    reasons = np.where(kept, Reason.KEPT, Reason.SURPLUS) if reasons is None else reasons
    return PlannedRows(
        copies,
        np.asarray(weights, np.float64),
        np.arange(copies.size, dtype="i4"),
        np.asarray(reasons, np.uint8),
    )


def cells_of(rows) -> bytes:
    """Return rows of cells as CSV, each cell in quotes."""
    text = io.StringIO(newline="")
    csv.writer(text, quoting=csv.QUOTE_ALL).writerows(rows)
    return text.getvalue().encode()


@pytest.fixture
def datasets(tmp_path) -> Datasets:
    return Datasets(tmp_path)


@pytest.fixture
def hostile(datasets):
    labels = [index % 3 - 1 for index in range(len(HOSTILE))]
    names = {0: "=HYPERLINK(1)", 1: 'a "b", c\n'}
    return datasets(cells_of([HEADER, *hostile_rows()]), labels, weights={0: 0.5}, names=names)


def hostile_rows():
    return [
        [f"some words {index}", cell, cell, "1", "two words", cell, cell]
        for index, cell in enumerate(HOSTILE)
    ]


def workbook(data: bytes, sheet="Data") -> list[list]:
    rows = openpyxl.load_workbook(io.BytesIO(data), read_only=True)[sheet].iter_rows()
    return [[cell.value for cell in row] for row in rows]
