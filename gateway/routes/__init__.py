"""The routes of the REST contract, a module for each concern."""

from gateway.routes import (
    datasets,
    exports,
    levellings,
    pages,
    proofs,
    system,
    terrains,
    uploads,
)

__all__ = [
    "datasets",
    "exports",
    "levellings",
    "pages",
    "proofs",
    "system",
    "terrains",
    "uploads",
]
