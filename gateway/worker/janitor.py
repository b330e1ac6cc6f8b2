"""Removes what nobody needs: datasets that expired, files that no dataset names."""

import shutil
import time
from pathlib import Path

import structlog

from gateway.artifacts import ArtifactStore
from gateway.errors import DatasetNotFound
from gateway.store import DatasetStore

log = structlog.get_logger(__name__)
# An upload in progress writes to its folder all the time; one this old was cut off by a crash.
STRAY_SECONDS = 3_600.0


class Janitor:
    """Sweeps the data folder.

    Parameters
    ----------
    store : DatasetStore
    artifacts : ArtifactStore
    ttl_seconds : float
        Datasets expire this long after their last use; 0 keeps them for ever.
    """

    def __init__(self, store: DatasetStore, artifacts: ArtifactStore, ttl_seconds: float) -> None:
        self._store = store
        self._artifacts = artifacts
        self._ttl_seconds = ttl_seconds

    def sweep(self) -> None:
        """Delete expired datasets, then folders without a dataset and files without an end."""
        if self._ttl_seconds:
            for dataset_id in self._store.unused_since(time.time() - self._ttl_seconds):
                self._expire(dataset_id)
        oldest = time.time() - STRAY_SECONDS
        self._remove_strays(oldest)
        self._remove_unfinished(oldest)

    def _expire(self, dataset_id: str) -> None:
        try:
            self._store.delete(dataset_id)
        except DatasetNotFound:
            return
        self._artifacts.delete(dataset_id)
        log.info("dataset_expired", dataset_id=dataset_id)

    def _remove_strays(self, oldest: float) -> None:
        # Folders first: one that gets its dataset in between must not be taken for a stray.
        folders = list(self._artifacts.stray_folders())
        known = self._store.ids()
        for name, folder in folders:
            if name not in known and _last_change(folder) < oldest:
                shutil.rmtree(folder, ignore_errors=True)
                log.info("stray_folder_removed", folder=name)

    def _remove_unfinished(self, oldest: float) -> None:
        for path in self._artifacts.unfinished_files():
            if _last_change(path) < oldest:
                path.unlink(missing_ok=True)


def _last_change(path: Path) -> float:
    try:
        entries = [path, *path.iterdir()] if path.is_dir() else [path]
        return max(entry.stat().st_mtime for entry in entries)
    except FileNotFoundError:
        return time.time()
