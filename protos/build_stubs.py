"""Compile protos/ into the package `levelapi`: a Hatch build hook and a script."""

import hashlib
import shutil
import sys
from importlib.resources import files
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

PROTOS = Path(__file__).resolve().parent
ROOT = PROTOS.parent
PACKAGE = "levelapi"
STAMP = ".protos.sha256"


def protos_digest() -> str:
    """Return a digest over every file that the stubs are made from."""
    digest = hashlib.sha256()
    for path in [*sorted(PROTOS.rglob("*.proto")), Path(__file__)]:
        digest.update(path.name.encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()


def build_stubs() -> None:
    """Replace ROOT/levelapi with freshly compiled stubs."""
    from grpc_tools import protoc

    sources = sorted(str(path) for path in PROTOS.rglob("*.proto"))
    includes = [f"-I{PROTOS}", f"-I{files('grpc_tools') / '_proto'}"]
    # The fresh folder lies beside the old one so that the swap is a rename.
    with TemporaryDirectory(dir=ROOT, prefix=".stubs-") as fresh:
        outputs = [f"--{kind}_out={fresh}" for kind in ("python", "grpc_python", "pyi")]
        if protoc.main(["protoc", *includes, *outputs, *sources]):
            sys.exit("protoc failed; see the messages above")
        built = Path(fresh, PACKAGE)
        (built / STAMP).write_text(protos_digest())
        shutil.rmtree(ROOT / PACKAGE, ignore_errors=True)
        shutil.move(built, ROOT / PACKAGE)


try:
    from hatchling.builders.hooks.plugin.interface import BuildHookInterface
except ImportError:  # run as a script
    pass
else:

    class StubsHook(BuildHookInterface[Any]):
        """Compile the stubs before any wheel, editable ones too."""

        def initialize(self, version: str, build_data: dict[str, Any]) -> None:
            """Write `levelapi/`; nothing else."""
            build_stubs()


if __name__ == "__main__":
    build_stubs()
