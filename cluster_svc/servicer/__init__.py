"""Messages to jobs, events to messages; the only package here that knows gRPC."""

from cluster_svc.servicer.service import SERVICE, ClusterServicer

__all__ = ["SERVICE", "ClusterServicer"]
