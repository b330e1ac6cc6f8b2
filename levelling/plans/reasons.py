"""Why a row is in a levelled dataset, or not."""

from enum import IntEnum


class Reason(IntEnum):
    """Why a row is in the levelled dataset or not, as a byte for each row."""

    KEPT = 0
    SURPLUS = 1
    """Its cluster has more rows than it is to have."""
    NOISE = 2
    """It is in no cluster, and the noise policy keeps no more such rows."""
    NEAR_DUPLICATE = 3
    """Another row of its group of near-duplicates is kept."""
