"""Weights fetched while an image is built are found by its service, which has no network."""

import os
import subprocess
import sys

from tests.unit.deployment.documents import ROOT
from tests.unit.embedder_svc.hub_server import COMMIT, running_hub
from tests.unit.embedder_svc.tiny_model import write_tiny_model

FIND = """
import sys
from embedder_svc.weights import find_model
folder = find_model(sys.argv[1])
print(folder.model_id, folder.revision, (folder.path / "model.safetensors").is_file())
"""


def run(*arguments, **environment):
    done = subprocess.run(
        [sys.executable, *arguments],
        env=os.environ | {"PYTHONPATH": str(ROOT), "HF_HUB_DISABLE_XET": "1", **environment},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_a_pinned_revision_is_the_one_that_the_service_finds(tmp_path):
    published = write_tiny_model(tmp_path / "tiny-bert")
    (published / "pytorch_model.bin").write_bytes(b"pickle")
    home = str(tmp_path / "hub")
    with running_hub("someone/tiny", published) as (endpoint, fetched):
        script = ROOT / "docker/fetch_model.py"
        run(script, "someone/tiny", COMMIT, HF_ENDPOINT=endpoint, HF_HOME=home)
    found = run("-c", FIND, "someone/tiny", HF_HOME=home, HF_HUB_OFFLINE="1")
    assert found.split() == ["someone/tiny", COMMIT, "True"]
    assert "pytorch_model.bin" not in fetched
