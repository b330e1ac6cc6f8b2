"""Texts to embed, short ones and some of the length of a news item's lead, and the work in them."""

import argparse
import csv
import json
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer

from benchmarks.input_files import DATA_VARIABLE, find_file, write_messages
from embedder_svc.weights import MINILM_MODEL_ID, find_model

SHORT_FILE = "banking77.csv"
LONG_FILE = "arxiv_abstracts_500.csv"
LONG_COLUMN = "abstract"

# Of arXiv's abstracts: about as many tokens, 54, as a text of AG News has.
LONG_WORDS = 37
TOKEN_LIMIT = 256


@dataclass(frozen=True)
class TextSet:
    """Different texts.

    Attributes
    ----------
    name : str
        Where they are from.
    texts : list of str
    token_counts : int64 array of shape (texts,)
        As all-MiniLM-L6-v2 reads them, special tokens included, no padding.
    flop : float
        Floating-point operations in its matrix products for all of them.
    """

    name: str
    texts: list[str] = field(repr=False)
    token_counts: NDArray[np.int64] = field(repr=False)
    flop: float

    @property
    def summary(self) -> str:
        """The set in words."""
        return (
            f"{self.name}: {len(self.texts):,} texts of {self.token_counts.mean():.1f} tokens,"
            f" {self.flop / self.token_counts.sum() / 1e6:.1f} MFLOP a token"
        )


def minilm_folder() -> Path:
    """Return the folder with the files of all-MiniLM-L6-v2, which both sides load."""
    directory = os.environ.get("LEVEL_MINILM_DIR")
    return find_model(MINILM_MODEL_ID, Path(directory) if directory else None).path


def add_text_options(parser: argparse.ArgumentParser, rows: int, long_rows: int) -> None:
    """Add the options that say how many texts there are."""
    where = f"in the folder {DATA_VARIABLE}; without it, generated ones"
    add = parser.add_argument
    add("--rows", type=int, default=rows, help=f"of {SHORT_FILE} {where} (default: %(default)s)")
    if long_rows:
        text = f"stretches of {LONG_WORDS} words of {LONG_FILE} {where} (default: %(default)s)"
        add("--long-rows", type=int, default=long_rows, help=text)


def short_texts(count: int, folder: Path) -> TextSet:
    """Return texts of banking77, or generated ones; ``folder`` takes what is generated."""
    if os.environ.get(DATA_VARIABLE):
        name, path, column = SHORT_FILE, find_file(SHORT_FILE), "text"
    else:
        name, path, column = "generated messages", write_messages(folder / "texts.csv", count), ""
    return _text_set(name, _column(path, column), count)


def long_texts(count: int, folder: Path) -> TextSet:
    """Return stretches of abstracts; without these, of generated messages put together."""
    if os.environ.get(DATA_VARIABLE):
        path, column = find_file(LONG_FILE), LONG_COLUMN
        name = f"{LONG_FILE}, stretches of {LONG_WORDS} words"
    else:
        path, column = write_messages(folder / "long.csv", 4 * count), ""
        name = f"generated messages, stretches of {LONG_WORDS} words"
    words = [text.split() for text in _column(path, column)]
    if not column:
        words = [[word for text in words for word in text]]
    return _text_set(name, (text for some in words for text in _stretches(some)), count)


def _column(path: Path, name: str) -> list[str]:
    """Return the texts of a column, the last one where it has no name."""
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    return [row[name or list(row)[-1]] for row in rows]


def _stretches(words: list[str]) -> Iterator[str]:
    for start in range(0, len(words) - LONG_WORDS + 1, LONG_WORDS):
        yield " ".join(words[start : start + LONG_WORDS])


def _text_set(name: str, texts: Iterable[str], count: int) -> TextSet:
    distinct = list(dict.fromkeys(texts))
    rows = np.sort(np.random.default_rng(0).permutation(len(distinct))[:count])
    chosen = [distinct[row] for row in rows]
    folder = minilm_folder()
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    tokenizer.no_padding()
    tokenizer.enable_truncation(TOKEN_LIMIT)
    counts = np.array([len(one.ids) for one in tokenizer.encode_batch(chosen)], np.int64)
    config = json.loads((folder / "config.json").read_text())
    return TextSet(name, chosen, counts, _flop(config, counts))


def _flop(config: dict[str, Any], token_counts: NDArray[np.int64]) -> float:
    """Return the operations in the matrix products of a BERT encoder, padding left out.

    A layer of width h and inner width i has 4 h² + 2 h i weights, each of which is multiplied and
    added once for a token; attention multiplies each token with each other one twice, over h.
    """
    layers, h, i = (
        config[name] for name in ("num_hidden_layers", "hidden_size", "intermediate_size")
    )
    linear = 2 * layers * (4 * h**2 + 2 * h * i) * token_counts
    attention = 4 * layers * h * token_counts**2
    return float((linear + attention).sum())
