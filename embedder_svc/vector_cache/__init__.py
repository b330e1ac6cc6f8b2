"""Vectors that were computed before, on disk: found again by the digest of what they came from.

The store is a folder of append-only files that every process on the machine may share. No process
waits for another, none can harm another by dying, and nothing that is read is believed: a record
carries its own key and checksum. Why these files and no database: docs/adr/0009-vector-cache.md.
"""

from embedder_svc.vector_cache.cache import CachedVectors, CacheStats, VectorCache

__all__ = ["CacheStats", "CachedVectors", "VectorCache"]
