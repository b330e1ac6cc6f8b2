"""How the exporting process tells what went wrong."""

from typing import Any

from level_rpc.errors import ErrorKind, Internal, InvalidArgument, LevelError

FAILED = 3
MESSAGE = "The export could not be made."


def describe_error(error: Exception) -> dict[str, Any]:
    """Return an error as JSON values; of an unexpected one, its type alone."""
    if not isinstance(error, LevelError):
        return {"unexpected": type(error).__name__}
    return {
        "kind": error.kind,
        "message": error.message,
        "reason": error.reason,
        "metadata": error.metadata,
    }


def described_error(value: dict[str, Any]) -> LevelError:
    """Return the error that `describe_error` described."""
    if "unexpected" in value:
        return Internal(MESSAGE, cause=value["unexpected"])
    kinds = {ErrorKind.INVALID_ARGUMENT: InvalidArgument}
    kind = kinds.get(ErrorKind(value["kind"]), Internal)
    return kind.rebuild(value["message"], value["reason"], value["metadata"], None)
