"""Installs what Level's extras need, without Level: ``python install.py EXTRA...``.

Packages change less often than our code, so that they are a layer of their own in the images.
"""

import subprocess
import sys
import tomllib
from pathlib import Path

ENVIRONMENT = "/opt/level/bin/python"


def requirements(project: dict, extras: list[str]) -> list[str]:
    """Return what the project and its extras require, as pip takes it."""
    optional = project["optional-dependencies"]
    return [*project["dependencies"], *(name for extra in extras for name in optional[extra])]


def main() -> int:
    """Return pip's exit code."""
    project = tomllib.loads(Path("pyproject.toml").read_text(encoding="utf-8"))["project"]
    pip = [sys.executable, "-m", "pip", "--python", ENVIRONMENT]
    options = ["--constraint", "constraints.txt"]
    wanted = requirements(project, sys.argv[1:])
    return subprocess.call([*pip, "install", *options, *wanted])


if __name__ == "__main__":
    sys.exit(main())
