"""What any call may ask for, checked before there are arrays."""

from __future__ import annotations

from cluster_svc.errors import TooFewRows
from cluster_svc.exemplars import MAX_EXEMPLAR_COUNT
from level_rpc.errors import FieldInvalid

MAX_ROW_COUNT = 2**31 - 1
MAX_DIMENSION_COUNT = 65_536
MIN_NEIGHBOR_COUNT, MAX_NEIGHBOR_COUNT = 2, 200
MAX_SEED = 2**32 - 1
MAX_COSINE_DISTANCE = 2


def check_range(field: str, value: float, low: float, high: float) -> None:
    """Raise FieldInvalid unless a field of the config is within its range."""
    if not low <= value <= high:
        raise FieldInvalid(f"config.{field} must be {low} to {high}", field=f"config.{field}")


def check_shape(row_count: int, dimension_count: int) -> None:
    """Raise FieldInvalid or TooFewRows unless there can be that many vectors of that length."""
    if row_count == 0:
        raise TooFewRows("config.row_count is 0: no rows", row_count=0, minimum_row_count=1)
    check_range("row_count", row_count, 1, MAX_ROW_COUNT)
    check_range("dimension_count", dimension_count, 1, MAX_DIMENSION_COUNT)


def check_clustering(seed: int, neighbor_count: int, exemplar_count: int) -> None:
    """Raise FieldInvalid unless the options of a clustering are within their ranges."""
    check_range("random_seed", seed, 0, MAX_SEED)
    check_range("exemplar_count", exemplar_count, 1, MAX_EXEMPLAR_COUNT)
    check_range("neighbor_count", neighbor_count, MIN_NEIGHBOR_COUNT, MAX_NEIGHBOR_COUNT)
