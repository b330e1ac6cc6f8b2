"""Text to vectors: the embedding models, the batching around them, and the gRPC service.

No runtime is imported here, so ``embedder_svc.embedding`` costs a caller neither torch nor gRPC.
"""

import os

# ONNX Runtime and huggingface_hub report to their makers unless told not to before they are
# imported; Level sends nothing anywhere that nobody asked for.
os.environ["ORT_DISABLE_TELEMETRY"] = "1"
os.environ["HF_HUB_DISABLE_TELEMETRY"] = "1"
