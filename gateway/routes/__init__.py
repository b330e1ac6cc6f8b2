"""The routes of the REST contract, a module for each concern."""

from gateway.routes import datasets, exports, pages, system, terrains, uploads

__all__ = ["datasets", "exports", "pages", "system", "terrains", "uploads"]
