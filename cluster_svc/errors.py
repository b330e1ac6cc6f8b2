"""The errors that this package raises, beside those of ``level_rpc.errors``.

::

    InvalidArgument
    ├── UnknownAlgorithm        no algorithm of that name
    └── ParameterInvalid        a parameter is unknown, of the wrong type or out of range
    FailedPrecondition
    ├── TooFewRows              fewer rows than the work needs
    └── EngineMissing           the engine that is set needs an extra or a GPU that is not there
    ResourceExhausted
    └── DeviceMemoryTooSmall    the vectors do not fit into the GPU's memory
    Unavailable
    └── EngineUnavailable       the cluster that is set does not answer, or cannot do the work
    Aborted
    └── ComputeCrashed          the compute process ended in the middle of a job
"""

from level_rpc.errors import (
    Aborted,
    FailedPrecondition,
    InvalidArgument,
    ResourceExhausted,
    Unavailable,
)


class UnknownAlgorithm(InvalidArgument):
    """No algorithm has that name."""

    reason = "ALGORITHM_UNKNOWN"


class ParameterInvalid(InvalidArgument):
    """A parameter is unknown, of the wrong type or out of its range."""

    reason = "PARAMETER_INVALID"


class TooFewRows(FailedPrecondition):
    """There are fewer rows than the work needs."""

    reason = "TOO_FEW_ROWS"


class EngineMissing(FailedPrecondition):
    """The engine that an operator has set needs an extra or a GPU that is not there."""

    reason = "ENGINE_MISSING"


class DeviceMemoryTooSmall(ResourceExhausted):
    """The vectors do not fit into the memory of the GPU."""

    reason = "DEVICE_MEMORY_TOO_SMALL"


class EngineUnavailable(Unavailable):
    """The cluster that an operator has set does not answer, or cannot do the work."""

    reason = "ENGINE_UNAVAILABLE"


class ComputeCrashed(Aborted):
    """The compute process ended in the middle of a job."""

    reason = "COMPUTE_CRASHED"
