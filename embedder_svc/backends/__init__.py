"""The libraries that run models, one file each, behind `embedder_svc.model.EmbeddingModel`."""
