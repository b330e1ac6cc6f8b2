"""Limits that callers and services agree on; imports no gRPC."""

IDLE_SECONDS = 60.0
"""How long a client may be silent while it sends, where nothing else is set."""
