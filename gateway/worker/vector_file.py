"""Vectors on disk while they arrive, so that a killed embedding goes on at its last block."""

import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from gateway.pipeline_types import ModelInfo


@dataclass(frozen=True)
class EmbeddedSoFar:
    """What the journal says: whole blocks only."""

    row_count: int
    truncated_count: int
    model: ModelInfo | None


class VectorFile:
    """FLOAT32 rows appended in blocks; the journal beside them names the last whole block.

    A block is synced before the journal names it, and the journal is replaced by a rename, so
    whatever is killed when, the journal never names what is not there.

    Parameters
    ----------
    folder : Path
        The dataset's folder.
    """

    def __init__(self, folder: Path) -> None:
        self._data = folder / ".vectors.f32"
        self._journal = folder / ".vectors.json"
        self.so_far = self._read_journal()

    def append(self, vectors: NDArray[np.float32], truncated_count: int, model: ModelInfo) -> None:
        """Write the next block; when this returns it survives anything but the disk's loss."""
        row_bytes = 4 * model.dimension_count
        with self._data.open("r+b" if self._data.exists() else "w+b") as file:
            file.truncate(self.so_far.row_count * row_bytes)
            file.seek(0, os.SEEK_END)
            file.write(np.ascontiguousarray(vectors, "<f4").tobytes())
            file.flush()
            os.fsync(file.fileno())
        self.so_far = EmbeddedSoFar(
            self.so_far.row_count + len(vectors),
            self.so_far.truncated_count + truncated_count,
            model,
        )
        self._write_journal()

    def read(self) -> NDArray[np.float32]:
        """Return a map of all rows so far, of shape [row_count, dimension_count]."""
        if self.so_far.model is None:
            raise ValueError("nothing was appended yet")
        shape = (self.so_far.row_count, self.so_far.model.dimension_count)
        return np.memmap(self._data, "<f4", "r", shape=shape)

    def remove(self) -> None:
        """Remove both files."""
        self._journal.unlink(missing_ok=True)
        self._data.unlink(missing_ok=True)

    def _read_journal(self) -> EmbeddedSoFar:
        if not self._journal.exists():
            return EmbeddedSoFar(0, 0, None)
        entry = json.loads(self._journal.read_bytes())
        return EmbeddedSoFar(
            entry["row_count"], entry["truncated_count"], ModelInfo(**entry["model"])
        )

    def _write_journal(self) -> None:
        assert self.so_far.model is not None
        entry = {**asdict(self.so_far), "model": asdict(self.so_far.model)}
        temporary = self._journal.with_suffix(".part")
        with temporary.open("w") as file:
            json.dump(entry, file)
            file.flush()
            os.fsync(file.fileno())
        temporary.rename(self._journal)
