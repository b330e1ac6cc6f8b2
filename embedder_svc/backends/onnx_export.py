"""Builds the ONNX graph of a BERT sentence encoder from its safetensors, without torch.

The graph takes token ids and returns unit vectors: attention and GELU are fused operators of ONNX
Runtime, and pooling and L2 normalisation are part of it. Its dense layers compute in fp32 here;
`onnx_quantised` has them in 8 bits.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import safetensors
import safetensors.numpy
from numpy.typing import NDArray

from embedder_svc.backends.onnx_graph import FUSED, GraphWriter
from embedder_svc.backends.onnx_support import ATTENTION_MASK, TOKEN_IDS, VECTORS
from embedder_svc.model_files import ModelFiles

INPUT_SUFFIX = ".input"
"""What is added to a dense layer's name for the output that shows what it is given."""

# Keeps the division finite; a real pooled vector is far longer.
_SMALLEST_NORM = np.float32(1e-12)

Weights = Mapping[str, NDArray[np.float32]]


def export_bert(files: ModelFiles, *, with_dense_inputs: bool = False) -> bytes:
    """Return the serialised ONNX model, in fp32, of the encoder that ``files`` describe.

    The inputs are token_ids and attention_mask, int64 of shape (texts, tokens), 1 in the mask for
    a token and 0 for padding on the right; the output is vectors, float32 of shape
    (texts, dimensions).

    Parameters
    ----------
    files
        Of a model that `onnx_support.check_supported` takes.
    with_dense_inputs
        True to have, for each dense layer, what it is given as a further output, float32 of shape
        (texts, tokens, inputs), under the layer's name and ".input".

    Raises
    ------
    ModelNotLoaded
        The weights are broken, or not those of such an encoder.
    """
    return write_bert(files, BertGraph(files, read_weights(files), with_dense_inputs))


def read_weights(files: ModelFiles) -> Weights:
    """Return the weights by name, without the prefix that larger models give them.

    Raises
    ------
    ModelNotLoaded
        A file is damaged.
    """
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


class BertGraph:
    """A graph with dense layers in fp32; methods return the name of what they added to it."""

    def __init__(
        self, files: ModelFiles, weights: Weights, with_dense_inputs: bool = False
    ) -> None:
        config = files.config
        self.writer = GraphWriter()
        self.weights = weights
        self.head_count = int(config["num_attention_heads"])
        self._pooling = files.pooling
        self._hidden_size = int(config["hidden_size"])
        self._layer_count = int(config["num_hidden_layers"])
        self._epsilon = float(config.get("layer_norm_eps", 1e-12))
        self._with_dense_inputs = with_dense_inputs

    def build(self) -> bytes:
        """Return the file's bytes."""
        hidden = self._embed_tokens()
        token_counts = self._token_counts()
        for index in range(self._layer_count):
            hidden = self._layer(f"encoder.layer.{index}", hidden, token_counts)
        pooled = self._mean(hidden) if self._pooling == "mean" else self._first_token(hidden)
        self._normalise(pooled)
        self.writer.output(VECTORS, "texts", self._hidden_size)
        inputs = (TOKEN_IDS, ATTENTION_MASK)
        return self.writer.serialise("sentence_encoder", inputs, "texts", "tokens")

    def attention(self, prefix: str, hidden: str, token_counts: str) -> str:
        """Add the attention of all heads, up to what its output layer is given."""
        self.show_input(prefix, hidden)
        weights, bias = self.attention_weights(prefix)
        inputs = [
            hidden,
            self.writer.constant(f"{prefix}.weight", weights),
            self.writer.constant(f"{prefix}.bias", bias),
            token_counts,
        ]
        return self.writer.node(
            "Attention", inputs, f"{prefix}.attended", FUSED, num_heads=self.head_count
        )

    def dense(self, prefix: str, values: str) -> str:
        """Add a dense layer with its bias."""
        self.show_input(prefix, values)
        weights = self.writer.constant(f"{prefix}.weight", self.matrix(prefix))
        product = self.writer.node("MatMul", [values, weights], f"{prefix}.product")
        bias = self._weight(f"{prefix}.bias")
        return self.writer.node("Add", [product, bias], f"{prefix}.result")

    def activation(self, prefix: str, values: str) -> str:
        """Add the function between the two layers of a block."""
        return self.writer.node("Gelu", [values], f"{prefix}.activated", FUSED)

    def matrix(self, prefix: str) -> NDArray[np.float32]:
        """Return a layer's weights, of shape (inputs, outputs): torch keeps them transposed."""
        return self.weights[f"{prefix}.weight"].T

    def attention_weights(self, prefix: str) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Return the weights and biases of query, key and value, side by side."""
        parts = [f"{prefix}.{part}" for part in ("query", "key", "value")]
        weights = np.concatenate([self.matrix(part) for part in parts], axis=1)
        return weights, np.concatenate([self.weights[f"{part}.bias"] for part in parts])

    def show_input(self, prefix: str, values: str) -> None:
        """Make what a layer is given an output of the graph, where that was asked for."""
        if self._with_dense_inputs:
            name = self.writer.node("Identity", [values], f"{prefix}{INPUT_SUFFIX}")
            self.writer.output(name, "texts", "tokens", f"{prefix}.width")

    def _weight(self, name: str) -> str:
        return self.writer.constant(name, self.weights[name])

    def _embed_tokens(self) -> str:
        words = self._weight("embeddings.word_embeddings.weight")
        word_vectors = self.writer.node("Gather", [words, TOKEN_IDS], "word_vectors")
        summed = self.writer.node("Add", [word_vectors, self._positions()], "summed_embeddings")
        return self._norm("embeddings", summed)

    def _positions(self) -> str:
        # A single sentence is all of token type 0, so its row joins the positions once and for all.
        table = (
            self.weights["embeddings.position_embeddings.weight"]
            + self.weights["embeddings.token_type_embeddings.weight"][0]
        )
        positions = self.writer.constant("positions", table)
        token_count = self.writer.node("Shape", [TOKEN_IDS], "padded_length", start=1, end=2)
        bounds = [self.writer.integers(0), token_count, self.writer.integers(0)]
        return self.writer.node("Slice", [positions, *bounds], "position_vectors")

    def _token_counts(self) -> str:
        mask = self.writer.cast(ATTENTION_MASK, np.int32, "mask_int32")
        inputs = [mask, self.writer.integers(1)]
        return self.writer.node("ReduceSum", inputs, "token_counts", keepdims=0)

    def _layer(self, prefix: str, hidden: str, token_counts: str) -> str:
        attended = self.attention(f"{prefix}.attention.self", hidden, token_counts)
        mixed = self._dense_and_norm(f"{prefix}.attention.output", attended, hidden)
        inner = self.dense(f"{prefix}.intermediate.dense", mixed)
        return self._dense_and_norm(f"{prefix}.output", self.activation(prefix, inner), mixed)

    def _dense_and_norm(self, prefix: str, values: str, residual: str) -> str:
        dense = self.dense(f"{prefix}.dense", values)
        return self._norm(prefix, self.writer.node("Add", [dense, residual], f"{prefix}.sum"))

    def _norm(self, prefix: str, values: str) -> str:
        inputs = [values, *(self._weight(f"{prefix}.LayerNorm.{part}") for part in _NORM_PARTS)]
        return self.writer.node(
            "LayerNormalization", inputs, f"{prefix}.normed", epsilon=self._epsilon, axis=-1
        )

    def _mean(self, hidden: str) -> str:
        # The sum is enough: what follows divides by the length of the vector anyway.
        mask = self.writer.cast(ATTENTION_MASK, np.float32, "mask_float")
        mask_row = self.writer.node("Unsqueeze", [mask, self.writer.integers(1)], "mask_row")
        total = self.writer.node("MatMul", [mask_row, hidden], "token_sum")
        return self.writer.node("Squeeze", [total, self.writer.integers(1)], "pooled")

    def _first_token(self, hidden: str) -> str:
        index = self.writer.constant("first_token", np.int64(0))
        return self.writer.node("Gather", [hidden, index], "pooled", axis=1)

    def _normalise(self, pooled: str) -> None:
        norm = self.writer.node("ReduceL2", [pooled, self.writer.integers(1)], "norm", keepdims=1)
        smallest = self.writer.constant("smallest_norm", _SMALLEST_NORM)
        safe_norm = self.writer.node("Max", [norm, smallest], "safe_norm")
        self.writer.node("Div", [pooled, safe_norm], VECTORS)


_NORM_PARTS = ("weight", "bias")


def write_bert(files: ModelFiles, graph: BertGraph) -> bytes:
    """Return the file's bytes of ``graph``, which is made of ``files``.

    Raises
    ------
    ModelNotLoaded
        The weights are not those of such an encoder.
    """
    try:
        return graph.build()
    except KeyError as error:
        problem = f"its weights lack {error.args[0]!r}; fetch the model's files again"
        raise files.refuse(problem) from error
    except ValueError as error:
        problem = "the shapes of its weights do not fit its config.json; fetch its files again"
        raise files.refuse(problem) from error
