"""Loads the embedder's model once while its image is built.

A download that is broken fails the build, and the graph built from the weights is kept, so that a
container starts fast and writes nothing.
"""

from embedder_svc.loading import load_model
from embedder_svc.settings import Settings

settings = Settings()
# A new volume takes the owner and the mode of the folder that it is mounted on.
(settings.cache_dir / "vectors").mkdir(mode=0o700, parents=True, exist_ok=True)
load_model(
    settings.model,
    backend=settings.backend,
    precision=settings.precision,
    dimension_count=settings.dimensions,
    revision=settings.revision,
    cache_dir=settings.cache_dir,
)
