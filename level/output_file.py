"""The file that a command writes: its type by its suffix, whole or not at all."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from level.errors import CommandFailed, WrongUsage

FILE_TYPES = {f".{name}": name for name in ("csv", "parquet", "jsonl", "xlsx", "zip")}


def file_type_of(output: Path) -> str:
    """Return the file type of GET /api/export that a name's suffix means.

    Raises
    ------
    WrongUsage
        When it means none.
    """
    file_type = FILE_TYPES.get(output.suffix.lower())
    if file_type is None:
        given = f"ends in {output.suffix}" if output.suffix else "has no ending"
        known = ", ".join(FILE_TYPES)
        raise WrongUsage(f"{output} {given}; the output's name ends in one of {known}.")
    return file_type


def check_output_file(output: Path, *inputs: Path) -> None:
    """Raise CommandFailed unless a file can be written there, and none that is read."""
    folder = output.absolute().parent
    if not folder.is_dir():
        raise CommandFailed(f"There is no folder {folder}; make it first.")
    if output.is_dir():
        raise CommandFailed(f"{output} is a folder; give the name of a file.")
    if not os.access(folder, os.W_OK):
        raise CommandFailed(f"{folder} cannot be written to.")
    if output.exists() and any(one.exists() and output.samefile(one) for one in inputs):
        raise CommandFailed(f"{output} is read by this command; choose another output.")


@contextmanager
def fresh_files(*outputs: Path) -> Iterator[tuple[Path, ...]]:
    """Give a path to write for each output; they get their names when all of them are whole.

    Whatever ends the block early leaves the outputs as they were, and nothing beside them.

    Raises
    ------
    CommandFailed
        When they cannot be written.
    """
    folder = outputs[0].absolute().parent
    try:
        fresh = Path(tempfile.mkdtemp(prefix=f".{outputs[0].name}-", dir=folder))
    except OSError as error:
        raise CommandFailed(f"{folder} cannot be written to: {error.strerror}.") from error
    try:
        paths = tuple(fresh / output.name for output in outputs)
        yield paths
        for path, output in zip(paths, outputs, strict=True):
            os.replace(path, output)
    except OSError as error:
        raise CommandFailed(f"{outputs[0]} cannot be written: {error.strerror}.") from error
    finally:
        shutil.rmtree(fresh, ignore_errors=True)
