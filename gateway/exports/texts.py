"""Values of Arrow columns as texts or as numbers of no more digits than they have; pure."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa


def to_texts(values: pa.Array) -> Sequence[str]:
    """Return each value as text: "" for null, true and false, numbers with the fewest digits.

    A number is written with the fewest digits that give the same number of its width back.
    """
    if pa.types.is_string(values.type):
        return [value or "" for value in values.to_pylist()]
    if pa.types.is_float32(values.type) and not values.null_count:
        # As text, a float32 has the fewest digits that give the same float32 back.
        return list(values.to_numpy().astype(str))
    return list(map(_text_of, values.to_pylist()))


def to_values(values: pa.Array) -> list[Any]:
    """Return each value as Python has it: None for null, a list for a list of float32.

    A float32 becomes the float that is written with the fewest digits of those that give it back.
    """
    if pa.types.is_float32(values.type) and not values.null_count:
        return _short_numbers(values.to_numpy())
    if pa.types.is_fixed_size_list(values.type):
        length = values.type.list_size
        numbers = _short_numbers(values.flatten().to_numpy())
        return [numbers[first : first + length] for first in range(0, len(numbers), length)]
    found: list[Any] = values.to_pylist()
    return found


def _short_numbers(values: np.ndarray[Any, np.dtype[np.float32]]) -> list[float]:
    return [float(text) for text in values.astype(str)]


def _text_of(value: object) -> str:
    if value is None:
        return ""
    return str(value).lower() if isinstance(value, bool) else repr(value)
