"""gRPC plumbing shared by Level's services and their callers; knows no Level domain.

Nothing is imported here, so that ``level_rpc.errors`` costs a pure module neither grpc nor
protobuf.
"""
