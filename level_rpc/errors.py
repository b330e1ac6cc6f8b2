"""The error tree every part of Level raises from; imports no gRPC.

::

    LevelError                  kind                  reason
    ├── InvalidArgument         INVALID_ARGUMENT      INVALID_ARGUMENT
    │   ├── ConfigNotFirst                            CONFIG_NOT_FIRST
    │   ├── FieldInvalid                              FIELD_INVALID
    │   ├── TensorSizeMismatch                        TENSOR_SIZE_MISMATCH
    │   ├── TensorTypeMismatch                        TENSOR_TYPE_MISMATCH
    │   ├── TensorRowsMismatch                        TENSOR_ROWS_MISMATCH
    │   └── TensorNotFinite                           TENSOR_NOT_FINITE
    ├── NotFound                NOT_FOUND             NOT_FOUND
    ├── FailedPrecondition      FAILED_PRECONDITION   FAILED_PRECONDITION
    │   ├── ContractVersionMismatch                   CONTRACT_VERSION_MISMATCH
    │   └── ServiceNotReady                           SERVICE_NOT_READY
    ├── ResourceExhausted       RESOURCE_EXHAUSTED    RESOURCE_EXHAUSTED
    │   ├── ArrayTooLarge                             ARRAY_TOO_LARGE
    │   └── QueueFull                                 QUEUE_FULL
    ├── Unavailable             UNAVAILABLE           UNAVAILABLE
    │   └── ServiceLoading                            SERVICE_LOADING
    ├── DeadlineExceeded        DEADLINE_EXCEEDED     DEADLINE_EXCEEDED
    │   └── StreamIdle                                STREAM_IDLE
    ├── Aborted                 ABORTED               ABORTED
    ├── DataLoss                DATA_LOSS             DATA_LOSS
    │   └── TensorChecksumMismatch                    TENSOR_CHECKSUM_MISMATCH
    └── Internal                INTERNAL              INTERNAL

A message says what is wrong and what to do about it; the numbers in it are repeated as metadata, so
that a program need not read the sentence. A package derives its own from the generic children::

    class UnknownAlgorithm(InvalidArgument):
        reason = "ALGORITHM_UNKNOWN"

    raise UnknownAlgorithm("no algorithm 'foo'; ListAlgorithms names them", algorithm="foo")
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import ClassVar, Self


class ErrorKind(StrEnum):
    """Names of the gRPC status codes that Level uses, spelt as in ``grpc.StatusCode``."""

    INVALID_ARGUMENT = "INVALID_ARGUMENT"
    NOT_FOUND = "NOT_FOUND"
    FAILED_PRECONDITION = "FAILED_PRECONDITION"
    RESOURCE_EXHAUSTED = "RESOURCE_EXHAUSTED"
    UNAVAILABLE = "UNAVAILABLE"
    DEADLINE_EXCEEDED = "DEADLINE_EXCEEDED"
    ABORTED = "ABORTED"
    DATA_LOSS = "DATA_LOSS"
    INTERNAL = "INTERNAL"


class LevelError(Exception):
    """An error whose message, reason and metadata may be shown to the caller.

    Parameters
    ----------
    message
        What is wrong and what to do; never the text of a foreign exception, never row text.
    retry_after
        Seconds after which trying again makes sense, None where that is not known.
    **metadata
        The variable parts of the message, by name; kept as strings.
    """

    kind: ClassVar[ErrorKind] = ErrorKind.INTERNAL
    reason: str = "INTERNAL"

    def __init__(
        self, message: str, *, retry_after: float | None = None, **metadata: object
    ) -> None:
        super().__init__(message)
        self.message = message
        self.retry_after = retry_after
        self.metadata: dict[str, str] = {key: str(value) for key, value in metadata.items()}

    @classmethod
    def rebuild(
        cls, message: str, reason: str, metadata: Mapping[str, str], retry_after: float | None
    ) -> Self:
        """Return an error of these parts, past a constructor that a subclass may have narrowed."""
        error = cls.__new__(cls)
        LevelError.__init__(error, message, retry_after=retry_after)
        error.metadata = dict(metadata)
        error.reason = reason
        return error

    def __reduce__(self) -> tuple[object, ...]:
        """Return what pickle needs to carry the error out of a child process."""
        return self.rebuild, (self.message, self.reason, self.metadata, self.retry_after)


class InvalidArgument(LevelError):
    """The request itself is wrong and stays wrong when sent again."""

    kind = ErrorKind.INVALID_ARGUMENT
    reason = "INVALID_ARGUMENT"


class NotFound(LevelError):
    """What the request names does not exist."""

    kind = ErrorKind.NOT_FOUND
    reason = "NOT_FOUND"


class FailedPrecondition(LevelError):
    """The request is right, but the state of the system must be changed before it can be served."""

    kind = ErrorKind.FAILED_PRECONDITION
    reason = "FAILED_PRECONDITION"


class ResourceExhausted(LevelError):
    """A limit is reached: memory, a queue, a quota."""

    kind = ErrorKind.RESOURCE_EXHAUSTED
    reason = "RESOURCE_EXHAUSTED"


class Unavailable(LevelError):
    """The service cannot answer now; the same request may succeed later."""

    kind = ErrorKind.UNAVAILABLE
    reason = "UNAVAILABLE"


class DeadlineExceeded(LevelError):
    """The answer did not come in time."""

    kind = ErrorKind.DEADLINE_EXCEEDED
    reason = "DEADLINE_EXCEEDED"


class Aborted(LevelError):
    """The work was broken off, by a conflict or by the death of the process that did it."""

    kind = ErrorKind.ABORTED
    reason = "ABORTED"


class DataLoss(LevelError):
    """Data was damaged on its way; the same call may succeed when repeated."""

    kind = ErrorKind.DATA_LOSS
    reason = "DATA_LOSS"


class TensorChecksumMismatch(DataLoss):
    """A block of an array was changed on its way."""

    reason = "TENSOR_CHECKSUM_MISMATCH"


class Internal(LevelError):
    """A fault of the program; the cause is in its log."""

    kind = ErrorKind.INTERNAL
    reason = "INTERNAL"


class ConfigNotFirst(InvalidArgument):
    """A request stream began with something other than its config, or sent a second one."""

    reason = "CONFIG_NOT_FIRST"


class FieldInvalid(InvalidArgument):
    """A field of the request is missing or out of range; metadata ``field`` names it."""

    reason = "FIELD_INVALID"


class TensorSizeMismatch(InvalidArgument):
    """The bytes of a tensor do not match its shape and element type."""

    reason = "TENSOR_SIZE_MISMATCH"


class TensorTypeMismatch(InvalidArgument):
    """A tensor has another element type or other axes than announced."""

    reason = "TENSOR_TYPE_MISMATCH"


class TensorRowsMismatch(InvalidArgument):
    """The blocks of an array have a gap, an overlap, or too few or too many rows."""

    reason = "TENSOR_ROWS_MISMATCH"


class TensorNotFinite(InvalidArgument):
    """A floating-point tensor holds NaN or an infinity."""

    reason = "TENSOR_NOT_FINITE"


class ContractVersionMismatch(FailedPrecondition):
    """Caller and service were built from different versions of the contract."""

    reason = "CONTRACT_VERSION_MISMATCH"


class ServiceNotReady(FailedPrecondition):
    """The service could not load; the message says why and how to mend it."""

    reason = "SERVICE_NOT_READY"


class ArrayTooLarge(ResourceExhausted):
    """An array or one row of it is larger than the receiver accepts."""

    reason = "ARRAY_TOO_LARGE"


class QueueFull(ResourceExhausted):
    """As much work is waiting as is taken; try again later."""

    reason = "QUEUE_FULL"


class ServiceLoading(Unavailable):
    """The service is still loading what it needs to answer."""

    reason = "SERVICE_LOADING"


class StreamIdle(DeadlineExceeded):
    """A stream stayed silent for longer than its idle limit."""

    reason = "STREAM_IDLE"
