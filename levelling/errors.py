"""What can be wrong with the numbers that a dataset is to be levelled with."""

from __future__ import annotations

from level_rpc.errors import FailedPrecondition, InvalidArgument


class InvalidGroup(InvalidArgument):
    """A size, weight or row count is negative, not finite, or does not fit its neighbours."""

    reason = "HILL_INVALID"


class InvalidLayout(InvalidArgument):
    """Positions, labels and grid do not describe a layout."""

    reason = "FIELD_INVALID"


class InvalidSampling(InvalidArgument):
    """The rows that were asked for cannot be drawn from these weights."""

    reason = "FIELD_INVALID"


class InvalidTarget(InvalidArgument, ValueError):
    """What a dataset is to be levelled to contradicts itself or is out of range."""

    reason = "FIELD_INVALID"


class InvalidProof(InvalidArgument):
    """From these rows, labels and options nothing can be learnt about a levelling."""

    reason = "FIELD_INVALID"


class ProofNotInstalled(FailedPrecondition):
    """What trains the models of a proof is not installed."""

    reason = "FAILED_PRECONDITION"
