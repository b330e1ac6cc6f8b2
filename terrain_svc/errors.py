"""What can be wrong with a terrain that is asked for."""

from __future__ import annotations

from level_rpc.errors import InvalidArgument


class InvalidGridSize(InvalidArgument):
    """The grid is smaller or larger than this service draws."""

    reason = "GRID_SIZE_INVALID"


class InvalidHill(InvalidArgument):
    """A hill has a value that is not finite or not allowed, or there are too many hills."""

    reason = "HILL_INVALID"


class InvalidHeightScale(InvalidArgument):
    """The height scale is not a number that heights can be multiplied with."""

    reason = "FIELD_INVALID"


class InvalidProblem(InvalidArgument):
    """More clusters, or steps of a curve, than one call solves for."""

    reason = "FIELD_INVALID"
