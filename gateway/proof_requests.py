"""What a recorded proof asks for, as the proving process is told it; pure."""

from collections.abc import Mapping
from typing import Any

from gateway.dataset import Dataset
from level_rpc.errors import FieldInvalid

_OPTIONS = ("seeds", "seed", "models", "test_share", "alphas", "max_rows")


def to_process_request(dataset: Dataset, request: Mapping[str, Any]) -> dict[str, Any]:
    """Return what is asked with columns by their positions."""
    return {
        "text_column": dataset.text_column,
        "label_column": find_column(dataset, request["label_column"]),
        "options": {name: request[name] for name in _OPTIONS},
        **{name: request[name] for name in ("level", "weights", "layer")},
    }


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
