"""What people import and type: the `level` command, the local stack, the REST client."""

from importlib.metadata import PackageNotFoundError, version

try:
    __version__ = version("level")
except PackageNotFoundError:  # run from a source tree that is not installed
    __version__ = "0+unknown"

__all__ = ["__version__"]
