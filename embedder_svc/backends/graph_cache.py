"""Keeps built graphs on disk; a name carries the file's own checksum, so one rename stores both."""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Callable
from pathlib import Path

_CHECKSUM_DIGITS = 32


def cached_graph(cache_dir: Path, key: str, build: Callable[[], bytes]) -> Path:
    """Return the file with the graph of ``key``, built if it is not there or was damaged.

    Parameters
    ----------
    cache_dir
        Made if it is not there; several processes may use it at once.
    key
        Stands for everything that the graph depends on; letters, digits and dashes.
    build
        Returns the graph's bytes.

    Raises
    ------
    OSError
        The folder cannot be written.
    """
    for path in sorted(cache_dir.glob(f"{key}.*.onnx")):
        with path.open("rb") as file:
            checksum = hashlib.file_digest(file, "sha256").hexdigest()
        if path.name == _file_name(key, checksum):
            return path
        path.unlink(missing_ok=True)
    graph = build()
    path = cache_dir / _file_name(key, hashlib.sha256(graph).hexdigest())
    _write_atomically(path, graph)
    return path


def graph_checksum(path: Path) -> str:
    """Return the checksum that is part of the name of a file from `cached_graph`."""
    return path.name.split(".")[1]


def _file_name(key: str, checksum: str) -> str:
    return f"{key}.{checksum[:_CHECKSUM_DIGITS]}.onnx"


def _write_atomically(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=path.stem, suffix=".part")
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
