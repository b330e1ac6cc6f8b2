"""Sets of vectors whose rows a person has put into classes, to see how clusters agree with these.

From files of vectors, or from tables of texts, which Level's own embedder turns into vectors once:
they are kept in the user's cache, under a name that stands for the texts and the model.
"""

import argparse
import csv
import hashlib
import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pyarrow.parquet
from numpy.typing import NDArray

from benchmarks.input_files import DATA_VARIABLE, find_file
from embedder_svc.embedding import embed_texts
from embedder_svc.loading import load_model

CACHE_DIR = (
    Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "level" / "benchmarks"
)
LABEL_COLUMNS = ("label", "intent", "category", "class", "topic", "primary_cat")

# A file with fewer is labelled by something else than topics, most often by yes and no.
LEAST_CLASSES = 10
# A column with more values in it than rows by this is rather a name of the row.
LEAST_ROWS_OF_A_CLASS = 5


@dataclass(frozen=True)
class LabelledSet:
    """Vectors and the classes of their rows.

    Attributes
    ----------
    name : str
    vectors : float32 array of shape (rows, dimensions)
    classes : int32 array of shape (rows,)
        From 0.
    texts : tuple of str
        Empty where only vectors are known.
    class_names : tuple of str
        The label of each class.
    """

    name: str
    vectors: NDArray[np.float32] = field(repr=False)
    classes: NDArray[np.int32] = field(repr=False)
    texts: tuple[str, ...] = field(default=(), repr=False)
    class_names: tuple[str, ...] = field(default=(), repr=False)

    @property
    def class_count(self) -> int:
        """The number of classes."""
        return int(self.classes.max()) + 1

    def draw(self, row_count: int, seed: int = 0) -> "LabelledSet":
        """Return so many rows in a random order; all in their own order if there are no more."""
        if row_count >= len(self.vectors):
            return self
        rows = np.random.default_rng(seed).permutation(len(self.vectors))[:row_count]
        return self.take(rows)

    def take(self, rows: NDArray[np.int64]) -> "LabelledSet":
        """Return these rows, their classes numbered anew."""
        texts = tuple(self.texts[row] for row in rows) if self.texts else ()
        present, classes = np.unique(self.classes[rows], return_inverse=True)
        names = tuple(self.class_names[code] for code in present) if self.class_names else ()
        return LabelledSet(self.name, self.vectors[rows], classes.astype(np.int32), texts, names)


def add_set_options(parser: argparse.ArgumentParser) -> None:
    """Add the options that name labelled sets."""
    add = parser.add_argument
    add("files", nargs="*", metavar="FILE", help=f"tables of texts; also names in {DATA_VARIABLE}")
    add("--text-column", metavar="NAME", help="of all files (default: detected)")
    add(
        "--label-column",
        metavar="NAME",
        help=f"of all files (default: the first named {', '.join(LABEL_COLUMNS)})",
    )
    add(
        "--vectors",
        action="append",
        type=Path,
        default=[],
        metavar="X.npy",
        help="vectors of a set; may be given again for further sets",
    )
    add(
        "--labels",
        action="append",
        type=Path,
        default=[],
        metavar="Y.npy",
        help="classes of the rows of the --vectors in the same place",
    )
    add(
        "--data",
        type=Path,
        default=os.environ.get(DATA_VARIABLE),
        metavar="FOLDER",
        help="where nothing else is named, every file in it with a label column of at least"
        f" {LEAST_CLASSES} classes (default: {DATA_VARIABLE})",
    )


def chosen_sets(options: argparse.Namespace) -> Iterator[LabelledSet]:
    """Yield the sets that the options name, one after the other.

    Raises
    ------
    SystemExit
        There is none, or one cannot be read.
    """
    if len(options.vectors) != len(options.labels):
        raise SystemExit("Every --vectors needs its --labels.")
    for vectors, labels in zip(options.vectors, options.labels, strict=True):
        yield _from_arrays(vectors, labels)
    for name in options.files:
        yield read_set(find_file(name), options.text_column, options.label_column)
    if options.vectors or options.files:
        return
    if not options.data or not (paths := labelled_files(options.data)):
        raise SystemExit(
            f"No labelled set: name a FILE, --vectors with --labels, or a folder with --data or"
            f" {DATA_VARIABLE} in which a file has a column {', '.join(LABEL_COLUMNS)}."
        )
    for path in paths:
        yield read_set(path)


def labelled_files(folder: Path) -> list[Path]:
    """Return the tables in a folder whose label column has as many classes as topics do."""
    found = []
    for path in sorted([*folder.glob("*.csv"), *folder.glob("*.parquet")]):
        try:
            classes = _read_columns(path, None)
        except (OSError, UnicodeDecodeError, csv.Error, SystemExit):
            continue
        count = len(set(classes[1]))
        if LEAST_CLASSES <= count <= len(classes[1]) / LEAST_ROWS_OF_A_CLASS:
            found.append(path)
    return found


def read_set(
    path: Path, text_column: str | None = None, label_column: str | None = None
) -> LabelledSet:
    """Return the set of a CSV or Parquet file, embedded by the default model."""
    columns, labels = _read_columns(path, label_column)
    texts = columns[text_column or _longest_column(columns)]
    names, classes = np.unique(labels, return_inverse=True)
    vectors = _embed(path.stem, texts)
    return LabelledSet(
        path.stem, vectors, classes.astype(np.int32), tuple(texts), tuple(map(str, names))
    )


def _from_arrays(vectors: Path, labels: Path) -> LabelledSet:
    names, classes = np.unique(np.load(labels), return_inverse=True)
    rows = np.ascontiguousarray(np.load(vectors), dtype=np.float32)
    if len(rows) != len(classes):
        raise SystemExit(f"{vectors} has {len(rows)} rows, {labels} {len(classes)}.")
    return LabelledSet(vectors.stem, rows, classes.astype(np.int32), (), tuple(map(str, names)))


def _read_columns(path: Path, label_column: str | None) -> tuple[dict[str, list[str]], list[str]]:
    """Return all columns by name, and the one with the classes."""
    if path.suffix == ".parquet":
        table = pyarrow.parquet.read_table(path)
        columns = {
            name: [str(cell) for cell in table[name].to_pylist()] for name in table.column_names
        }
    else:
        with path.open(encoding="utf-8-sig", newline="") as file:
            header, *rows = csv.reader(file)
        columns = {
            name: [row[i] for row in rows if len(row) == len(header)]
            for i, name in enumerate(header)
        }
    name = label_column or next((name for name in LABEL_COLUMNS if name in columns), None)
    if name not in columns:
        raise SystemExit(f"{path} has no column of labels; its columns are {', '.join(columns)}.")
    return columns, columns[name]


def _longest_column(columns: dict[str, list[str]]) -> str:
    """Return the column with the longest texts on average."""
    return max(columns, key=lambda name: sum(map(len, columns[name])))


def _embed(name: str, texts: list[str]) -> NDArray[np.float32]:
    model = load_model()
    digest = hashlib.blake2b(model.info.fingerprint.encode(), digest_size=8)
    for text in texts:
        digest.update(text.encode("utf-8", "surrogatepass") + b"\0")
    path = CACHE_DIR / f"{name}-{digest.hexdigest()}.npy"
    if not path.exists():
        print(f"Embedding {len(texts):,} texts of {name} (once) …", flush=True)
        vectors = embed_texts(model, texts).vectors
        path.parent.mkdir(parents=True, exist_ok=True)
        np.save(path, vectors)
    stored: NDArray[np.float32] = np.load(path)
    return stored
