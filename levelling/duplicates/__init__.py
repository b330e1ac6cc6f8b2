"""Rows that say nearly the same: how they are found, grouped, and which of them stays."""
