"""Messages to texts, vectors to messages; the only package here that knows gRPC."""

from embedder_svc.servicer.service import SERVICE, EmbedderServicer

__all__ = ["SERVICE", "EmbedderServicer"]
