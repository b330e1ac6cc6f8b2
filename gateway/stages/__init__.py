"""The stages of the pipeline over gRPC: arrays and dataclasses in, the same out.

The only folder of the gateway that knows the services' messages.
"""

from gateway.stages.client import GrpcStages

__all__ = ["GrpcStages"]
