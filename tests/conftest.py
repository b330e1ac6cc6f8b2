"""Fixtures that more than one folder of tests uses."""

import os
from pathlib import Path

import pytest

from level_rpc.logs import keep_grpc_quiet

keep_grpc_quiet()  # pytest captures every level
# No run of the tests finds the vectors of an earlier one, in the cache of whoever runs them.
os.environ.setdefault("LEVEL_EMBEDDER_CACHE_MIB", "0")

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder of real datasets; tests that need it are skipped where it is absent."""
    folder = Path(os.environ.get("LEVEL_TEST_DATA", ROOT.parent / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip(f"no real datasets at {folder}; set LEVEL_TEST_DATA to their folder")
    return folder
