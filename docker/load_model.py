"""Loads the embedder's model once while its image is built.

A download that is broken fails the build, and the graph built from the weights is kept, so that a
container starts fast and writes nothing.
"""

from embedder_svc.loading import load_model
from embedder_svc.settings import Settings

settings = Settings()
settings.cache_dir.mkdir(parents=True, exist_ok=True)
load_model(
    settings.model,
    backend=settings.backend,
    precision=settings.precision,
    cache_dir=settings.cache_dir,
)
