"""The embedder's errors.

::

    InvalidArgument
    └── TextNotEmbeddable     the model has no unit vector for one row's text
    FailedPrecondition
    ├── ModelNotLoaded        the message says why and how to mend it
    └── ModelMismatch         the caller expects another model
    ResourceExhausted
    └── DeviceOutOfMemory     even the smallest batch does not fit
    Aborted
    └── EmbeddingCancelled    the caller went away, or the service stops
    Exception
    └── OutOfMemory           one batch did not fit; caught inside this package
"""

from __future__ import annotations

from level_rpc.errors import Aborted, FailedPrecondition, InvalidArgument, ResourceExhausted


class TextNotEmbeddable(InvalidArgument):
    """The model has no unit vector for one text."""

    reason = "TEXT_NOT_EMBEDDABLE"


class ModelNotLoaded(FailedPrecondition):
    """The embedding model could not be loaded.

    Parameters
    ----------
    model
        The model id or folder that was asked for.
    problem
        Why it could not be loaded, and what to do about it.
    """

    reason = "MODEL_NOT_LOADED"

    def __init__(self, model: object, problem: str) -> None:
        super().__init__(f"cannot load the embedding model {model}: {problem}", model=model)


class ModelMismatch(FailedPrecondition):
    """The loaded model is not the one that the caller expects."""

    reason = "MODEL_MISMATCH"


class DeviceOutOfMemory(ResourceExhausted):
    """The device ran out of memory at the smallest batch."""

    reason = "DEVICE_OUT_OF_MEMORY"


class EmbeddingCancelled(Aborted):
    """The caller no longer wants the vectors."""


class OutOfMemory(Exception):
    """The device had no memory for one batch; a smaller one may fit."""
