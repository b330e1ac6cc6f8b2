"""Errors of the gateway; `problems.py` says which HTTP status each one gets.

LevelError
├── NotFound
│   ├── DatasetNotFound
│   └── JobGone                 a newer job took the place of this one
├── FailedPrecondition
│   ├── DatasetNotReady         the dataset is still processing
│   ├── DatasetFailed           the dataset failed; its error says why
│   ├── RevisionConflict        the weights changed since the caller read them
│   ├── PlanMissing             no levelling was applied, or its plan failed
│   ├── PlanNotReady            the plan is being made
│   ├── PlanStale               the weights changed since the plan was asked for
│   ├── ProofMissing            no proof was asked for
│   ├── ReferenceRefused        the reference was embedded by another model
│   ├── DatasetTooOld           an earlier version made the dataset without what this needs
│   └── RecipeInputDiffers      a recipe was made from another file
├── InvalidArgument
│   ├── FieldInvalid
│   │   └── LayerUnknown        a layer that the dataset has not
│   ├── WeightsRefused          an adjustment that cannot be applied
│   ├── RecipeInvalid           a file that is no recipe, or one of another version
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


class JobGone(NotFound):
    """The job was replaced by a newer one, or its dataset was deleted."""

    reason = "JOB_GONE"

    def __init__(self) -> None:
        super().__init__("There is no such job any more; a newer one took its place.")


class PlanMissing(FailedPrecondition):
    """The dataset has no plan: none was asked for, or making it failed."""

    reason = "PLAN_MISSING"

    def __init__(self, error: str | None = None) -> None:
        why = f"The last levelling failed: {error}" if error else "Nothing was levelled yet."
        super().__init__(f'{why} Send POST /api/level/{{dataset_id}} with "apply": true.')


class PlanNotReady(FailedPrecondition):
    """The plan is being made."""

    reason = "PLAN_NOT_READY"

    def __init__(self) -> None:
        message = "The plan is being made; GET /api/level/{dataset_id} says how far it is."
        super().__init__(message)


class PlanStale(FailedPrecondition):
    """The weights are not those of the plan any more."""

    reason = "PLAN_STALE"

    def __init__(self, revision: int, current: int) -> None:
        super().__init__(
            f"The plan belongs to revision {revision} of the weights, which are at {current} now:"
            ' level again (POST /api/level/{dataset_id} with "apply": true), or export'
            " format=weighted or format=resampled, which follow the weights.",
            revision=revision,
            current=current,
        )


class ProofMissing(FailedPrecondition):
    """No proof was asked for."""

    reason = "PROOF_MISSING"

    def __init__(self) -> None:
        super().__init__("There is no proof yet; send POST /api/prove/{dataset_id}.")


class ReferenceRefused(FailedPrecondition):
    """The reference's vectors cannot be compared with those of the dataset."""

    reason = "MODEL_MISMATCH"

    def __init__(self, own_model: str, other_model: str) -> None:
        super().__init__(
            "The reference was embedded by another model or version, so its rows cannot be compared"
            f" with these: {other_model} there, {own_model} here. Upload the reference again.",
            model=own_model,
            reference_model=other_model,
        )


class DatasetTooOld(FailedPrecondition):
    """An earlier version made the dataset, without what is asked for."""

    reason = "DATASET_TOO_OLD"

    def __init__(self, what: str) -> None:
        message = f"An earlier version of Level made this dataset, without {what}."
        super().__init__(f"{message} Upload the file again.")


class RecipeInputDiffers(FailedPrecondition):
    """A recipe was made from another file."""

    reason = "RECIPE_INPUT_DIFFERS"

    def __init__(self, expected: str, found: str) -> None:
        super().__init__(
            f"This is not the file that the recipe was made from: its SHA-256 is {found}, the"
            f" recipe's is {expected}. Give that file, byte for byte as it was.",
            expected=expected,
            found=found,
        )


class RecipeInvalid(InvalidArgument):
    """A file that is no recipe, or one of another version."""

    reason = "RECIPE_INVALID"

    def __init__(self, why: str) -> None:
        super().__init__(
            f"This is no recipe that can be used: {why}. GET /api/recipe/{{dataset_id}} gives one,"
            " and so does a folder's recipe.json."
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
