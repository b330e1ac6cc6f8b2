"""The libraries under the embedder report nothing to their makers."""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
SCRIPT = """
import embedder_svc.backends.onnx_model, onnxruntime, huggingface_hub.constants
assert huggingface_hub.constants.HF_HUB_DISABLE_TELEMETRY
"""


def test_importing_the_runtimes_writes_no_identifier(tmp_path):
    folders = {name: str(tmp_path) for name in ("TMPDIR", "HOME", "XDG_CACHE_HOME")}
    environment = {**os.environ, **folders, "PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1"}
    for name in ("ORT_DISABLE_TELEMETRY", "HF_HUB_DISABLE_TELEMETRY", "CI"):
        environment.pop(name, None)
    subprocess.run([sys.executable, "-c", SCRIPT], env=environment, check=True)
    assert list(tmp_path.iterdir()) == []
