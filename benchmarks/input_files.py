"""Files to measure with: real ones from a folder of the person's, or generated ones."""

import csv
import os
import random
from collections.abc import Iterator
from itertools import count
from pathlib import Path

from level.sample import COLUMNS, sample_rows

DATA_VARIABLE = "LEVEL_BENCH_DATA"
BANKING77_ROWS = 13_083


def find_file(name: str) -> Path:
    """Return the file of that path, or of that name in the folder LEVEL_BENCH_DATA.

    Raises
    ------
    SystemExit
        With what to do, when there is none.
    """
    if (path := Path(name)).is_file():
        return path
    folder = os.environ.get(DATA_VARIABLE)
    if folder and (path := Path(folder) / name).is_file():
        return path
    where = f"nor in {folder} ({DATA_VARIABLE})" if folder else f"and {DATA_VARIABLE} is not set"
    raise SystemExit(
        f"There is no file {name} here, {where}. Give a path, set {DATA_VARIABLE} to a folder that"
        " has it, or leave FILE out to measure with a generated file."
    )


def write_messages(path: Path, row_count: int = BANKING77_ROWS) -> Path:
    """Write a CSV of generated support messages and return its path.

    The sample dataset, made again with other seeds until there are enough rows with texts of their
    own; equal texts are embedded once, so they would make a large file cheap.
    """
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(COLUMNS)
        for number, (_, row) in enumerate(
            zip(range(row_count), _different_rows(), strict=False), 1
        ):
            writer.writerow((f"{number:06d}", *row[1:]))
    return path


def write_table(path: Path, byte_count: int) -> Path:
    """Write a CSV of about that many bytes, with quotes and line breaks inside cells."""
    chance = random.Random(0)
    words = [word for row in sample_rows() for word in row[-1].split()]
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\r\n")
        writer.writerow(("id", "text", "source", "score", "note"))
        for number in count():
            if file.tell() >= byte_count:
                return path
            text = " ".join(chance.choices(words, k=chance.randint(8, 40)))
            note = 'said "later",\nthen left' if number % 10 == 0 else "café, naïve"
            writer.writerow((number, text, f"source {number % 7}", chance.random(), note))
    raise AssertionError("count() does not end")


def _different_rows() -> Iterator[tuple[str, ...]]:
    seen: set[str] = set()
    for seed in count():
        for row in sample_rows(seed):
            if row[-1] not in seen:
                seen.add(row[-1])
                yield row
