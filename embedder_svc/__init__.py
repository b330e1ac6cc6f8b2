"""Text to vectors: the embedding models, the batching around them, and the gRPC service.

Nothing is imported here, so that ``embedder_svc.embedding`` costs a caller neither torch nor gRPC.
"""
