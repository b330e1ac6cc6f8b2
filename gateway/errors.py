"""Errors of the gateway; `problems.py` says which HTTP status each one gets.

LevelError
├── NotFound
│   └── DatasetNotFound
├── FailedPrecondition
│   ├── DatasetNotReady         the dataset is still processing
│   ├── DatasetFailed           the dataset failed; its error says why
│   └── RevisionConflict        the weights changed since the caller read them
├── InvalidArgument
│   ├── FieldInvalid
│   │   └── LayerUnknown        a layer that the dataset has not
│   ├── WeightsRefused          an adjustment that cannot be applied
│   └── UploadRefused           a request that is not a usable upload
├── Unavailable
│   └── StoreUnavailable        the database or the disk cannot answer now
└── Internal
    ├── ArtifactDamaged         a stored file is missing or was changed
    └── StoreDamaged            the database's file is not a database any more
"""

from level_rpc.errors import (
    FailedPrecondition,
    FieldInvalid,
    Internal,
    InvalidArgument,
    NotFound,
    Unavailable,
)


class DatasetNotFound(NotFound):
    """No dataset has that id."""

    reason = "DATASET_NOT_FOUND"

    def __init__(self) -> None:
        super().__init__("There is no dataset with this id; it may have expired or been deleted.")


class DatasetNotReady(FailedPrecondition):
    """The dataset is still processing."""

    reason = "DATASET_NOT_READY"

    def __init__(self) -> None:
        super().__init__("This dataset is still processing; its status says how far it is.")


class DatasetFailed(FailedPrecondition):
    """The dataset failed."""

    reason = "DATASET_FAILED"

    def __init__(self, error: str | None) -> None:
        super().__init__(f"This dataset failed: {error or 'see its status'}")


class RevisionConflict(FailedPrecondition):
    """The weights have another revision than the caller expects."""

    reason = "REVISION_CONFLICT"

    def __init__(self, expected: int, current: int) -> None:
        super().__init__(
            f"The weights are at revision {current}, not {expected}; read the terrain again.",
            expected=expected,
            current=current,
        )


class WeightsRefused(InvalidArgument):
    """An adjustment that cannot be applied; nothing was changed."""

    reason = "WEIGHTS_REFUSED"


class UploadRefused(InvalidArgument):
    """A request that is not a usable upload."""

    reason = "UPLOAD_REFUSED"


class StoreUnavailable(Unavailable):
    """The database or the disk cannot answer now."""

    reason = "STORE_UNAVAILABLE"


class ArtifactDamaged(Internal):
    """A stored file is missing or was changed."""

    reason = "ARTIFACT_DAMAGED"


class StoreDamaged(Internal):
    """The database's file is not a database any more."""

    reason = "STORE_DAMAGED"


class LayerUnknown(FieldInvalid):
    """The dataset has no such layer."""

    def __init__(self, layer_index: int, layer_count: int) -> None:
        there_are = "only layer 0" if layer_count == 1 else f"layers 0 to {layer_count - 1}"
        message = f"There is no layer {layer_index}; this dataset has {there_are}."
        super().__init__(message, field="layer", layer_count=layer_count)
