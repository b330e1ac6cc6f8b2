"""The error tree, as pure code uses it."""

import pickle
import subprocess
import sys

import pytest

from level_rpc import errors
from level_rpc.errors import ErrorKind, InvalidArgument, LevelError, NotFound


class NoSuchThing(NotFound):
    reason = "THING_UNKNOWN"

    def __init__(self, number: int) -> None:
        super().__init__(f"no thing {number}", number=number)


def tree() -> list[type[LevelError]]:
    return [
        error
        for error in vars(errors).values()
        if isinstance(error, type) and issubclass(error, LevelError)
    ]


def test_metadata_is_kept_as_text():
    error = InvalidArgument("too small", field="eps", minimum=0.5)
    assert error.metadata == {"field": "eps", "minimum": "0.5"}
    assert str(error) == error.message == "too small"
    assert error.retry_after is None


def test_error_survives_pickling_whatever_its_constructor_takes():
    error = NoSuchThing(7)
    error.retry_after = 2.0
    copy = pickle.loads(pickle.dumps(error))
    assert type(copy) is NoSuchThing
    assert (copy.message, copy.reason, copy.metadata) == (
        "no thing 7",
        "THING_UNKNOWN",
        {"number": "7"},
    )
    assert copy.retry_after == 2.0


@pytest.mark.parametrize("error", tree())
def test_docstring_draws_every_error_with_its_reason(error):
    assert f"{error.__name__} " in errors.__doc__
    if error is not LevelError:
        assert error.reason in errors.__doc__


def test_each_kind_has_one_generic_child():
    generic = [error.kind for error in tree() if error.__base__ is LevelError]
    assert sorted(generic) == sorted(ErrorKind)


def test_importing_errors_loads_neither_grpc_nor_protobuf():
    program = (
        "import sys, level_rpc.errors; "
        "assert not {'grpc', 'google.protobuf', 'numpy', 'structlog'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", program], check=True)
