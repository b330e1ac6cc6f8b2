"""The one setting that every service shares, in real processes."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("part", ["embedder", "cluster", "analyzer", "terrain"])
def test_a_log_level_that_does_not_exist_is_named_at_the_start(part, tmp_path):
    settings = {
        "LEVEL_LOG_LEVEL": "LOUD",
        f"LEVEL_{part.upper()}_BIND": f"unix:{tmp_path}/socket",
        "PYTHONPATH": str(ROOT),
    }
    ended = subprocess.run(
        [sys.executable, "-m", f"{part}_svc"],
        cwd=tmp_path,
        env=os.environ | settings,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ended.returncode == 1
    assert "Unknown level: 'LOUD'" in ended.stderr
