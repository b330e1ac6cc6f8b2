"""The files of datasets, written so that a named file is always whole.

Each file is written under a temporary name, synced, and renamed; its folder is synced; only then is
it named in the database, with its checksum. A process that opens a file for the first time checks
that, which takes as long as reading it: open files off the event loop. Nothing is ever unpickled.
"""

import errno
import hashlib
import json
import os
import shutil
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from functools import lru_cache
from pathlib import Path
from typing import Any, BinaryIO
from uuid import UUID, uuid4

import numpy as np
from numpy.typing import NDArray

from gateway.dataset import Artifact
from gateway.errors import ArtifactDamaged, StoreUnavailable

_CHUNK = 1 << 20
_PART = ".part"
_REMEMBERED_FILES = 16_384  # of more than that, a file may be checked again
_FULL = (errno.ENOSPC, errno.EDQUOT)


class ArtifactStore:
    """A folder for each dataset under the data folder.

    Parameters
    ----------
    data_dir : Path
        The data folder; made when missing.
    """

    def __init__(self, data_dir: Path) -> None:
        self._datasets = data_dir / "datasets"
        self._incoming = data_dir / "incoming"
        for folder in (self._datasets, self._incoming):
            folder.mkdir(parents=True, exist_ok=True)
        # What it raises is not remembered: a file that was restored is good again.
        self._verify_once = lru_cache(_REMEMBERED_FILES)(_verify)

    def incoming_dir(self, dataset_id: str) -> Path:
        """Return the folder that an upload is read into; made when missing."""
        folder = self._incoming / str(UUID(dataset_id))
        folder.mkdir(exist_ok=True)
        return folder

    def accept(self, dataset_id: str) -> None:
        """Turn an upload's folder into the dataset's: all of its files appear at once."""
        source, target = self.incoming_dir(dataset_id), self.dataset_dir(dataset_id)
        for path in source.iterdir():
            sync_path(path)
        sync_path(source)
        source.rename(target)
        for parent in (self._datasets, self._incoming):
            sync_path(parent)

    def discard_incoming(self, dataset_id: str) -> None:
        """Remove what an upload has left."""
        shutil.rmtree(self._incoming / str(UUID(dataset_id)), ignore_errors=True)

    def dataset_dir(self, dataset_id: str) -> Path:
        """Return the folder of a dataset, whether or not it exists."""
        return self._datasets / str(UUID(dataset_id))

    def delete(self, dataset_id: str) -> None:
        """Remove every file of a dataset; absent ones are no error."""
        shutil.rmtree(self.dataset_dir(dataset_id), ignore_errors=True)

    def remove(self, dataset_id: str, pattern: str, but: Collection[str]) -> None:
        """Remove the files of a dataset whose names match a pattern, but for some.

        Where nothing is left, its folder goes too: the dataset was deleted meanwhile.
        """
        folder = self.dataset_dir(dataset_id)
        for path in folder.glob(pattern):
            if path.name not in but:
                path.unlink(missing_ok=True)
        with suppress(OSError):
            folder.rmdir()

    def stray_folders(self) -> Iterator[tuple[str, Path]]:
        """Yield (id, folder) of every folder on disk, uploads in progress included."""
        for parent in (self._incoming, self._datasets):
            for folder in parent.iterdir():
                yield folder.name, folder

    def unfinished_files(self) -> Iterator[Path]:
        """Yield the files of datasets that are being written, or whose writer was killed."""
        yield from self._datasets.glob(f"*/.*{_PART}")

    @contextmanager
    def writing(self, dataset_id: str, file_name: str) -> Iterator[BinaryIO]:
        """Give a file to write; it gets its name only when the block ends without an error.

        Raises
        ------
        StoreUnavailable
            When the disk is full.
        """
        folder = self.dataset_dir(dataset_id)
        # A name of its own: two processes that both believe a dataset theirs must not mix bytes.
        temporary = folder / f".{file_name}.{uuid4().hex[:12]}{_PART}"
        try:
            with disk_errors():
                with temporary.open("wb") as file:
                    yield file
                    file.flush()
                    os.fsync(file.fileno())
                temporary.rename(folder / file_name)
                sync_path(folder)
        finally:
            temporary.unlink(missing_ok=True)

    def save_array(
        self,
        dataset_id: str,
        name: str,
        array: NDArray[Any],
        parents: tuple[str, ...] = (),
        *,
        file_name: str = "",
    ) -> Artifact:
        """Write an array as `name`.npy, or `file_name`, and return what to record of it."""
        file_name = file_name or f"{name}.npy"
        with self.writing(dataset_id, file_name) as file:
            np.save(file, array, allow_pickle=False)
        return self.describe(dataset_id, name, file_name, parents)

    def save_json(
        self, dataset_id: str, name: str, value: Any, parents: tuple[str, ...] = ()
    ) -> Artifact:
        """Write a JSON value as `name`.json and return what to record of it."""
        with self.writing(dataset_id, f"{name}.json") as file:
            file.write(json.dumps(value, allow_nan=False).encode())
        return self.describe(dataset_id, name, f"{name}.json", parents)

    def describe(
        self, dataset_id: str, name: str, file_name: str, parents: tuple[str, ...] = ()
    ) -> Artifact:
        """Return the record of a file that is already in the dataset's folder."""
        path = self.dataset_dir(dataset_id) / file_name
        return Artifact(name, file_name, file_checksum(path), path.stat().st_size, parents)

    def path(self, dataset_id: str, artifact: Artifact) -> Path:
        """Return the path of a recorded file; the first time, all of it is read and checked.

        Raises
        ------
        ArtifactDamaged
            When the file is not as recorded.
        """
        path = self.dataset_dir(dataset_id) / artifact.path
        if not path.is_file() or path.stat().st_size != artifact.byte_count:
            message = f"The stored file {artifact.name} of this dataset is missing or cut short."
            raise ArtifactDamaged(message)
        self._verify_once(path, artifact)
        return path

    def open_array(self, dataset_id: str, artifact: Artifact) -> NDArray[Any]:
        """Return a read-only map of a stored array; no private copy."""
        array: NDArray[Any] = np.load(
            self.path(dataset_id, artifact), mmap_mode="r", allow_pickle=False
        )
        return array

    def load_json(self, dataset_id: str, artifact: Artifact) -> Any:
        """Return a stored JSON value."""
        return json.loads(self.path(dataset_id, artifact).read_bytes())


def _verify(path: Path, artifact: Artifact) -> None:
    if file_checksum(path) != artifact.checksum:
        raise ArtifactDamaged(f"The stored file {artifact.name} of this dataset was changed.")


def file_checksum(path: Path) -> str:
    """Return "blake2b:<hex>" of a file's bytes."""
    digest = hashlib.blake2b(digest_size=16)
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
    return f"blake2b:{digest.hexdigest()}"


def sync_path(path: Path) -> None:
    """Wait until a file, or the names in a folder, are on the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def disk_errors() -> Iterator[None]:
    """Raise StoreUnavailable when the block finds the disk full."""
    try:
        yield
    except OSError as error:
        if error.errno in _FULL:
            raise StoreUnavailable("The disk is full; make room on it.") from error
        raise
