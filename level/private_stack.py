"""A stack for one command alone: everything that Level needs, gone when the command ends."""

import shutil
import signal
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from rich.console import Console

from level.checked_settings import check_settings
from level.client import GatewayClient
from level.settings import CommandSettings
from level.stack import LocalStack

REQUEST_SECONDS = 600.0
UPLOAD_SLACK_BYTES = 1 << 20


def prepare_command() -> None:
    """Make ready for a command that leaves nothing behind, however it is ended.

    Raises
    ------
    CommandFailed
        A setting cannot be read.
    """
    check_settings()
    # Ended from outside, a command leaves as little behind as after Ctrl-C.
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.default_int_handler)


@contextmanager
def private_stack(
    console: Console, largest_file: Path, data_dir: Path | None = None
) -> Iterator[GatewayClient]:
    """Give a client of a stack that takes files up to the size of `largest_file`.

    Parameters
    ----------
    console : Console
        Says that it is starting.
    largest_file : Path
        The largest file that will be uploaded: its size is never too large.
    data_dir : Path, optional
        A store to keep; a temporary one otherwise.

    Raises
    ------
    CommandFailed
        When the stack cannot start.
    """
    with ExitStack() as cleanup:
        if data_dir is None:
            data_dir = Path(tempfile.mkdtemp(prefix="level-run-"))
            cleanup.callback(shutil.rmtree, data_dir, ignore_errors=True)
        with console.status("Starting …"):
            environment = _environment(largest_file, data_dir)
            stack = cleanup.enter_context(LocalStack(data_dir, environment=environment))
        yield GatewayClient(cleanup.enter_context(stack.client(timeout=REQUEST_SECONDS)))


def _environment(largest_file: Path, data_dir: Path) -> dict[str, str]:
    """Return settings for a private stack.

    Its database is its own, whatever is set for others: a shared one would hand its jobs to workers
    that have not its files.
    """
    size = largest_file.stat().st_size + UPLOAD_SLACK_BYTES
    return {
        "LEVEL_DATABASE_URL": f"sqlite:///{data_dir.resolve()}/level.sqlite",
        "LEVEL_UPLOAD_RATE": "0",
        "MAX_UPLOAD_SIZE": str(max(CommandSettings().max_upload_size, size)),
    }
