"""The version of the installed distribution."""

from importlib.metadata import PackageNotFoundError, version


def _installed_version() -> str:
    try:
        return version("level")
    except PackageNotFoundError:
        return "0+unknown"


VERSION = _installed_version()
