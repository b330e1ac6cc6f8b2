"""Which rows stay: diverse, central or random ones, and how well they stand for the others."""

from levelling.selection.selecting import select_rows

__all__ = ["select_rows"]
