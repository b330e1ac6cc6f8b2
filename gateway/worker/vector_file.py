"""Vectors on disk while they arrive, so that a killed embedding goes on at its last block."""

import fcntl
import json
import os
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from gateway.artifacts import disk_errors, sync_path
from gateway.embedded_texts import EmbeddedTexts, ModelInfo, TextCounts
from level_rpc.errors import FailedPrecondition

_DATA = ".vectors.f32"
_JOURNAL = ".vectors.json"


class WrittenMeanwhile(Exception):
    """Another process has appended, or finished, since this one looked."""


class ModelsDiffer(FailedPrecondition):
    """Vectors of one dataset would come from two models."""

    def __init__(self, model: ModelInfo) -> None:
        message = (
            f"This dataset's vectors come from {model.model_id}, and an embedder has another model"
            " loaded, or the same with other settings. Start every embedder alike, then upload the"
            " file again."
        )
        super().__init__(message, model_id=model.model_id)


@dataclass(frozen=True)
class EmbeddedSoFar:
    """What the journal says: whole blocks only."""

    counts: TextCounts = field(default_factory=TextCounts)
    model: ModelInfo | None = None


class VectorFile:
    """FLOAT32 rows appended in blocks; the journal beside them names the last whole block.

    A block is synced before the journal names it, and the journal is replaced by a rename, so
    whatever is killed when, the journal never names what is not there. A journal without its rows,
    as only a disk's fault leaves it, counts as none.

    Parameters
    ----------
    folder : Path
        The dataset's folder.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._data = folder / _DATA
        self._journal = folder / _JOURNAL
        self.so_far = self._read_journal()

    def append(self, answer: EmbeddedTexts) -> None:
        """Write the next block; when this returns it survives anything but the disk's loss.

        Raises
        ------
        ModelsDiffer
            When the block is of another model than the ones before.
        WrittenMeanwhile
            When another process has appended or finished; nothing was written.
        StoreUnavailable
            When the disk is full.
        """
        known = self.so_far.model
        if known is not None and known.fingerprint != answer.model.fingerprint:
            raise ModelsDiffer(known)
        with disk_errors(), self._open() as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            if self._read_journal() != self.so_far:
                raise WrittenMeanwhile
            self._write_block(file, answer.vectors, 4 * answer.model.dimension_count)
            self.so_far = EmbeddedSoFar(self.so_far.counts + answer.counts, answer.model)
            self._write_journal(asdict(self.so_far))

    def read(self) -> NDArray[np.float32]:
        """Return a map of all rows so far, of shape [row_count, dimension_count]."""
        if self.so_far.model is None:
            raise ValueError("nothing was appended yet")
        shape = (self.so_far.counts.row_count, self.so_far.model.dimension_count)
        return np.memmap(self._data, "<f4", "r", shape=shape)

    @classmethod
    def remove_from(cls, folder: Path) -> None:
        """Remove what embedding has left in a dataset's folder."""
        for name in (_JOURNAL, _DATA):  # without a journal, rows count for nothing
            (folder / name).unlink(missing_ok=True)

    def _open(self) -> BinaryIO:
        return self._data.open("r+b" if self._data.exists() else "w+b")

    def _write_block(self, file: BinaryIO, vectors: NDArray[np.float32], row_bytes: int) -> None:
        file.truncate(self.so_far.counts.row_count * row_bytes)
        file.seek(0, os.SEEK_END)
        file.write(np.ascontiguousarray(vectors, "<f4").tobytes())
        file.flush()
        os.fsync(file.fileno())

    def _read_journal(self) -> EmbeddedSoFar:
        if not self._journal.exists():
            return EmbeddedSoFar()
        entry = json.loads(self._journal.read_bytes())
        if "counts" not in entry:
            return EmbeddedSoFar()  # an earlier version's, which knew less: embedded anew
        model = ModelInfo(**entry["model"])
        so_far = EmbeddedSoFar(TextCounts(**entry["counts"]), model)
        needed = 4 * so_far.counts.row_count * model.dimension_count
        whole = self._data.exists() and self._data.stat().st_size >= needed
        return so_far if whole else EmbeddedSoFar()

    def _write_journal(self, entry: dict[str, object]) -> None:
        temporary = self._journal.with_suffix(".part")
        with temporary.open("w") as file:
            json.dump(entry, file)
            file.flush()
            os.fsync(file.fileno())
        temporary.rename(self._journal)
        sync_path(self._folder)
