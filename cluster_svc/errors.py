"""The errors that this package raises, beside those of ``level_rpc.errors``.

::

    InvalidArgument
    ├── UnknownAlgorithm        no algorithm of that name
    └── ParameterInvalid        a parameter is unknown, of the wrong type or out of range
    FailedPrecondition
    └── TooFewRows              fewer rows than the work needs
    Aborted
    └── ComputeCrashed          the compute process ended in the middle of a job
"""

from level_rpc.errors import Aborted, FailedPrecondition, InvalidArgument


class UnknownAlgorithm(InvalidArgument):
    """No algorithm has that name."""

    reason = "ALGORITHM_UNKNOWN"


class ParameterInvalid(InvalidArgument):
    """A parameter is unknown, of the wrong type or out of its range."""

    reason = "PARAMETER_INVALID"


class TooFewRows(FailedPrecondition):
    """There are fewer rows than the work needs."""

    reason = "TOO_FEW_ROWS"


class ComputeCrashed(Aborted):
    """The compute process ended in the middle of a job."""

    reason = "COMPUTE_CRASHED"
