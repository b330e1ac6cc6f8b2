"""Builds the ONNX graph of a BERT sentence encoder from its safetensors, without torch.

The graph takes token ids and returns unit vectors: attention, layer normalisation and GELU are the
fused operators of ONNX Runtime (domain com.microsoft), and pooling and L2 normalisation are part of
it. fp32 throughout: dynamic int8 takes its scales from the whole batch, so a vector would depend on
its batch mates.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import onnx
import safetensors
import safetensors.numpy
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from embedder_svc.model_files import ModelFiles

EXPORT_VERSION = "1"
"""Raised whenever this file changes what the graph computes; part of every fingerprint."""

TOKEN_IDS = "token_ids"
ATTENTION_MASK = "attention_mask"
VECTORS = "vectors"

_FUSED = "com.microsoft"
_MODULES = {"Transformer", "Pooling", "Normalize"}
_OPSET = 20
_IR_VERSION = 9
# Keeps the division finite; a real pooled vector is far longer.
_SMALLEST_NORM = np.float32(1e-12)


def check_supported(files: ModelFiles) -> None:
    """Raise unless the graph below computes exactly what these files describe.

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


def export_bert(files: ModelFiles) -> bytes:
    """Return the serialised ONNX model of the encoder that ``files`` describe.

    The inputs are token_ids and attention_mask, int64 of shape (texts, tokens), 1 in the mask for
    a token and 0 for padding on the right; the output is vectors, float32 of shape
    (texts, dimensions).

    Raises
    ------
    ModelNotLoaded
        The weights are broken, or not those of such an encoder.
    """
    weights = _read_weights(files)
    try:
        graph = _BertGraph(files.config, weights).build(files.pooling)
    except KeyError as error:
        problem = f"its weights lack {error.args[0]!r}; fetch the model's files again"
        raise files.refuse(problem) from error
    except ValueError as error:
        problem = "the shapes of its weights do not fit its config.json; fetch its files again"
        raise files.refuse(problem) from error
    opsets = [helper.make_opsetid("", _OPSET), helper.make_opsetid(_FUSED, 1)]
    model: onnx.ModelProto = helper.make_model(graph, opset_imports=opsets, ir_version=_IR_VERSION)
    return bytes(model.SerializeToString())


def _read_weights(files: ModelFiles) -> dict[str, NDArray[np.float32]]:
    weights: dict[str, NDArray[np.float32]] = {}
    for path in files.weight_paths:
        try:
            tensors = safetensors.numpy.load_file(path)
        except (safetensors.SafetensorError, OSError) as error:
            problem = f"{path} is damaged or incomplete; fetch the file again"
            raise files.refuse(problem) from error
        for name, tensor in tensors.items():
            weights[name.removeprefix("bert.")] = tensor.astype(np.float32, copy=False)
    return weights


class _BertGraph:
    """A graph while it is written: methods add nodes and return the name of their output."""

    def __init__(self, config: dict[str, Any], weights: dict[str, NDArray[np.float32]]) -> None:
        self._weights = weights
        self._hidden_size = int(config["hidden_size"])
        self._layer_count = int(config["num_hidden_layers"])
        self._head_count = int(config["num_attention_heads"])
        self._epsilon = float(config.get("layer_norm_eps", 1e-12))
        self._nodes: list[onnx.NodeProto] = []
        self._constants: dict[str, onnx.TensorProto] = {}

    def build(self, pooling: str) -> onnx.GraphProto:
        hidden = self._embed_tokens()
        token_counts = self._token_counts()
        for index in range(self._layer_count):
            hidden = self._layer(f"encoder.layer.{index}", hidden, token_counts)
        pooled = self._mean(hidden) if pooling == "mean" else self._first_token(hidden)
        self._normalise(pooled)
        return helper.make_graph(
            self._nodes,
            "sentence_encoder",
            [
                helper.make_tensor_value_info(name, TensorProto.INT64, ["texts", "tokens"])
                for name in (TOKEN_IDS, ATTENTION_MASK)
            ],
            [
                helper.make_tensor_value_info(
                    VECTORS, TensorProto.FLOAT, ["texts", self._hidden_size]
                )
            ],
            list(self._constants.values()),
        )

    def _node(
        self, operator: str, inputs: Sequence[str], output: str, domain: str = "", **options: Any
    ) -> str:
        self._nodes.append(helper.make_node(operator, inputs, [output], domain=domain, **options))
        return output

    def _constant(self, name: str, value: NDArray[Any]) -> str:
        self._constants.setdefault(
            name, numpy_helper.from_array(np.asarray(value, order="C"), name)
        )
        return name

    def _integers(self, *values: int) -> str:
        name = "integers_" + "_".join(map(str, values))
        return self._constant(name, np.array(values, dtype=np.int64))

    def _weight(self, name: str) -> str:
        return self._constant(name, self._weights[name])

    def _matrix(self, name: str) -> str:
        # torch keeps (outputs, inputs); MatMul wants (inputs, outputs).
        return self._constant(f"{name}.transposed", self._weights[name].T)

    def _embed_tokens(self) -> str:
        words = self._weight("embeddings.word_embeddings.weight")
        word_vectors = self._node("Gather", [words, TOKEN_IDS], "word_vectors")
        summed = self._node("Add", [word_vectors, self._positions()], "summed_embeddings")
        norm = [self._weight(f"embeddings.LayerNorm.{part}") for part in ("weight", "bias")]
        return self._node(
            "LayerNormalization", [summed, *norm], "embedded", epsilon=self._epsilon, axis=-1
        )

    def _positions(self) -> str:
        # A single sentence is all of token type 0, so its row joins the positions once and for all.
        table = (
            self._weights["embeddings.position_embeddings.weight"]
            + self._weights["embeddings.token_type_embeddings.weight"][0]
        )
        positions = self._constant("positions", table)
        token_count = self._node("Shape", [TOKEN_IDS], "padded_length", start=1, end=2)
        bounds = [self._integers(0), token_count, self._integers(0)]
        return self._node("Slice", [positions, *bounds], "position_vectors")

    def _token_counts(self) -> str:
        mask = self._node("Cast", [ATTENTION_MASK], "mask_int32", to=TensorProto.INT32)
        return self._node("ReduceSum", [mask, self._integers(1)], "token_counts", keepdims=0)

    def _layer(self, prefix: str, hidden: str, token_counts: str) -> str:
        attended = self._attention(f"{prefix}.attention.self", hidden, token_counts)
        mixed = self._dense_and_norm(f"{prefix}.attention.output", attended, hidden)
        weight = self._matrix(f"{prefix}.intermediate.dense.weight")
        inner = self._node("MatMul", [mixed, weight], f"{prefix}.inner")
        bias = self._weight(f"{prefix}.intermediate.dense.bias")
        activated = self._node("BiasGelu", [inner, bias], f"{prefix}.activated", _FUSED)
        return self._dense_and_norm(f"{prefix}.output", activated, mixed)

    def _attention(self, prefix: str, hidden: str, token_counts: str) -> str:
        parts = [f"{prefix}.{part}" for part in ("query", "key", "value")]
        weight = np.concatenate([self._weights[f"{part}.weight"].T for part in parts], axis=1)
        bias = np.concatenate([self._weights[f"{part}.bias"] for part in parts])
        inputs = [
            hidden,
            self._constant(f"{prefix}.weight", weight),
            self._constant(f"{prefix}.bias", bias),
            token_counts,
        ]
        return self._node(
            "Attention", inputs, f"{prefix}.attended", _FUSED, num_heads=self._head_count
        )

    def _dense_and_norm(self, prefix: str, values: str, residual: str) -> str:
        dense = self._node(
            "MatMul", [values, self._matrix(f"{prefix}.dense.weight")], f"{prefix}.dense"
        )
        norm = [self._weight(f"{prefix}.LayerNorm.{part}") for part in ("weight", "bias")]
        inputs = [dense, residual, *norm, self._weight(f"{prefix}.dense.bias")]
        return self._node(
            "SkipLayerNormalization", inputs, f"{prefix}.normed", _FUSED, epsilon=self._epsilon
        )

    def _mean(self, hidden: str) -> str:
        # The sum is enough: what follows divides by the length of the vector anyway.
        mask = self._node("Cast", [ATTENTION_MASK], "mask_float", to=TensorProto.FLOAT)
        mask_row = self._node("Unsqueeze", [mask, self._integers(1)], "mask_row")
        total = self._node("MatMul", [mask_row, hidden], "token_sum")
        return self._node("Squeeze", [total, self._integers(1)], "pooled")

    def _first_token(self, hidden: str) -> str:
        index = self._constant("first_token", np.array(0, dtype=np.int64))
        return self._node("Gather", [hidden, index], "pooled", axis=1)

    def _normalise(self, pooled: str) -> None:
        norm = self._node("ReduceL2", [pooled, self._integers(1)], "norm", keepdims=1)
        smallest = self._constant("smallest_norm", np.asarray(_SMALLEST_NORM))
        self._node("Div", [pooled, self._node("Max", [norm, smallest], "safe_norm")], VECTORS)
