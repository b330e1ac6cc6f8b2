"""The model and the cache that the settings ask for."""

from __future__ import annotations

from functools import partial

from embedder_svc.loading import load_model, load_model_on_ray
from embedder_svc.model import EmbeddingModel
from embedder_svc.settings import Settings
from embedder_svc.vector_cache import VectorCache


def load_from(settings: Settings) -> EmbeddingModel:
    """Return the model of the settings, loaded; raises ModelNotLoaded."""
    load = partial(
        load_model,
        settings.model,
        revision=settings.revision,
        backend=settings.backend,
        precision=settings.precision,
        dimension_count=settings.dimensions,
        cache_dir=settings.cache_dir,
        minilm_dir=settings.minilm_dir,
    )
    if not settings.ray_address:
        return load(threads=settings.threads)
    return load_model_on_ray(
        load,
        model=settings.model,
        backend=settings.backend,
        address=settings.ray_address,
        actor_count=settings.ray_actors,
        threads=settings.threads,
    )


def open_cache(settings: Settings, model: EmbeddingModel) -> VectorCache:
    """Return the cache of a model's vectors, which other processes share."""
    return VectorCache(
        settings.cache_dir.expanduser() / "vectors",
        model.info.dimension_count,
        settings.cache_mib * 2**20,
    )
