"""Which models ONNX Runtime is given here, and the names of what their graphs take and return.

Knows no library: a start with a graph from the cache need not import the one that writes graphs.
"""

from __future__ import annotations

from embedder_svc.model_files import ModelFiles

TOKEN_IDS = "token_ids"
ATTENTION_MASK = "attention_mask"
VECTORS = "vectors"

MEAN_COSINE = "mean_cosine"
"""The note in an 8-bit graph: how like fp32 its vectors of the calibration texts are."""

EXPORT_VERSION = "2"
"""Raised whenever the graph computes something else; part of every fingerprint."""

QUANTISATION_VERSION = "1"
"""Raised whenever the 8-bit graph is made in another way; part of its fingerprint."""

_MODULES = {"Transformer", "Pooling", "Normalize"}


def check_supported(files: ModelFiles) -> None:
    """Raise unless the graph computes exactly what these files describe.

    Raises
    ------
    ModelNotLoaded
        Names the part that is not supported.
    """
    config = files.config
    facts = [
        ("model_type", config.get("model_type"), {"bert"}),
        ("hidden_act", config.get("hidden_act", "gelu"), {"gelu"}),
        (
            "position_embedding_type",
            config.get("position_embedding_type", "absolute"),
            {"absolute"},
        ),
        ("pooling", files.pooling, {"mean", "cls"}),
    ]
    facts += [("module", module, _MODULES) for module in files.module_names]
    for name, found, supported in facts:
        if found not in supported:
            raise files.refuse(
                f"ONNX Runtime is given BERT encoders only, and its {name} is {found!r}; install "
                "the extra torch and set LEVEL_EMBEDDER_BACKEND=sentence-transformers"
            )
