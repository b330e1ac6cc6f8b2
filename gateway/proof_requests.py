"""What a recorded proof asks for, as the proving process is told it, and what is refused."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from gateway.dataset import Dataset
from gateway.tables import read_texts
from level_rpc.errors import FieldInvalid
from levelling.errors import InvalidProof
from levelling.proof.labels import read_classes, refuse_untestable

_OPTIONS = ("seeds", "seed", "models", "test_share", "alphas", "max_rows")
_MAX_READ_ROWS = 100_000


def to_process_request(dataset: Dataset, request: Mapping[str, Any]) -> dict[str, Any]:
    """Return what is asked with columns by their positions."""
    return {
        "text_column": dataset.text_column,
        "label_column": find_column(dataset, request["label_column"]),
        "options": {name: request[name] for name in _OPTIONS},
        **{name: request[name] for name in ("level", "weights", "layer")},
    }


def check_label_column(dataset: Dataset, name: str | None, rows_path: Path | None) -> None:
    """Refuse a column of which it is plain that no model can learn its classes; blocks.

    Parameters
    ----------
    dataset : Dataset
    name : str, optional
        As it was asked for.
    rows_path : Path, optional
        The stored rows. Without them, and where there are more than 100,000, cells are not read:
        the proof itself then refuses what it cannot use.

    Raises
    ------
    FieldInvalid
        When there is no such column, or several, it is the text, or its cells are blank, all the
        same, or names of rows.
    """
    column = find_column(dataset, name)
    if column is None:
        return
    if column == dataset.text_column:
        message = "This column is the text itself; name a column with the classes of the rows."
        raise FieldInvalid(message, field="label_column")
    row_count = dataset.table["info"]["row_count"]
    if rows_path is None or row_count > _MAX_READ_ROWS:
        return
    try:
        codes = read_classes(read_texts(rows_path, column)).codes
        labelled = codes[codes >= 0]
        # Each row as if it had no near-duplicates: what is refused now is refused then too.
        refuse_untestable(labelled, np.arange(labelled.size))
    except InvalidProof as error:
        raise FieldInvalid(error.message, field="label_column") from None


def find_column(dataset: Dataset, name: str | None) -> int | None:
    """Return the position of a column, None for None.

    Raises
    ------
    FieldInvalid
        When there is none of this name, or several.
    """
    if name is None:
        return None
    columns = dataset.table["info"]["columns"]
    places = [place for place, column in enumerate(columns) if column == name]
    if len(places) != 1:
        problem = "There is no column" if not places else "There are several columns"
        raise FieldInvalid(f"{problem} of this name.", field="label_column")
    return places[0]
