"""What people import and type: the class, the `level` command, the local stack, the REST client."""

from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from level.balancer import LevelBalancer

try:
    __version__ = version("level")
except PackageNotFoundError:  # run from a source tree that is not installed
    __version__ = "0+unknown"

__all__ = ["LevelBalancer", "__version__"]


def __getattr__(name: str) -> Any:
    """Import the class when it is asked for: `level --help` needs neither it nor scikit-learn."""
    if name != "LevelBalancer":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from level.local.errors import needs_extra

    with needs_extra("cluster"):
        from level.balancer import LevelBalancer
    return LevelBalancer
