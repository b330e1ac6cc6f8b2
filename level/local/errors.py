"""What can be missing from this process."""

from collections.abc import Iterator
from contextlib import contextmanager

from level_rpc.errors import FailedPrecondition


class ExtraMissing(FailedPrecondition):
    """A part of Level is used whose extra is not installed."""


@contextmanager
def needs_extra(extra: str) -> Iterator[None]:
    """Raise ExtraMissing when the block imports something that only the extra brings."""
    try:
        yield
    except ModuleNotFoundError as error:
        raise ExtraMissing(
            f"this needs {error.name}, which comes with the extra {extra}; install it:"
            f" pip install 'level[{extra}]'",
            extra=extra,
        ) from error
