"""The graph of a BERT encoder whose dense layers compute in 8 bits, made without torch.

How the 8 bits are chosen is in `quantisation`; what the layers are given, in `calibration`.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from embedder_svc.backends.onnx_export import BertGraph, Weights, read_weights, write_bert
from embedder_svc.backends.onnx_graph import FUSED
from embedder_svc.backends.quantisation import (
    Observed,
    QuantisedDense,
    choose_factors,
    quantise_dense,
)
from embedder_svc.model_files import ModelFiles


def export_quantised_bert(files: ModelFiles, observed: Mapping[str, Observed]) -> bytes:
    """Return the serialised ONNX model, with the inputs and output of `onnx_export.export_bert`.

    Parameters
    ----------
    files
        Of a model that `onnx_support.check_supported` takes.
    observed
        What each dense layer was given, by its name.

    Raises
    ------
    ModelNotLoaded
        The weights are broken, or not those of such an encoder.
    """
    return write_bert(files, _QuantisedBertGraph(files, read_weights(files), observed))


class _QuantisedBertGraph(BertGraph):
    def __init__(
        self, files: ModelFiles, weights: Weights, observed: Mapping[str, Observed]
    ) -> None:
        super().__init__(files, weights)
        self._observed = observed

    def attention(self, prefix: str, hidden: str, token_counts: str) -> str:
        weights, bias = self.attention_weights(prefix)
        # What the output layer is given is a mean of values: they take its factors for nothing.
        factors = self._factors(_output_layer(prefix))
        weights[:, -len(factors) :] *= factors
        bias[-len(factors) :] *= factors
        observed = self._observed[prefix]
        dense = quantise_dense(observed, weights, choose_factors(observed, weights))
        values = self._scaled(prefix, hidden, dense.factors)
        steps, weight_steps, scale, weight_scales, zero_point = self._steps(prefix, values, dense)
        no_shift = np.zeros(len(dense.weight_scales), dtype=np.int8)
        inputs = [
            steps,
            weight_steps,
            self.writer.constant(f"{prefix}.bias", bias),
            scale,
            weight_scales,
            token_counts,
            zero_point,
            self.writer.constant(f"{prefix}.weight_zero_points", no_shift),
        ]
        return self.writer.node(
            "QAttention", inputs, f"{prefix}.attended", FUSED, num_heads=self.head_count
        )

    def dense(self, prefix: str, values: str) -> str:
        weights = self.matrix(prefix)
        factors = self._factors(prefix)
        if not prefix.endswith(_ATTENTION_OUTPUT):
            values = self._scaled(prefix, values, factors)
        dense = quantise_dense(self._observed[prefix], weights, factors)
        steps, weight_steps, scale, weight_scales, zero_point = self._steps(prefix, values, dense)
        bias = self.writer.constant(f"{prefix}.bias", self.weights[f"{prefix}.bias"])
        inputs = [steps, weight_steps, scale, weight_scales, zero_point, "", bias]
        return self.writer.node("MatMulIntegerToFloat", inputs, f"{prefix}.result", FUSED)

    def activation(self, prefix: str, values: str) -> str:
        # By tanh rather than erf: faster, and off by far less than half a step.
        return self.writer.node("FastGelu", [values], f"{prefix}.activated", FUSED)

    def _factors(self, prefix: str) -> NDArray[np.float32]:
        return choose_factors(self._observed[prefix], self.matrix(prefix))

    def _scaled(self, prefix: str, values: str, factors: NDArray[np.float32]) -> str:
        if (factors == 1).all():
            return values
        constant = self.writer.constant(f"{prefix}.factors", factors)
        return self.writer.node("Mul", [values, constant], f"{prefix}.scaled")

    def _steps(self, prefix: str, values: str, dense: QuantisedDense) -> tuple[str, ...]:
        """Return the rounded input, the weights, the scales of both, and the input's zero."""
        scale = self.writer.constant(f"{prefix}.scale", dense.scale)
        zero_point = self.writer.constant(f"{prefix}.zero_point", dense.zero_point)
        inputs = [values, scale, zero_point]
        return (
            self.writer.node("QuantizeLinear", inputs, f"{prefix}.steps"),
            self.writer.constant(f"{prefix}.weight", dense.weights),
            scale,
            self.writer.constant(f"{prefix}.weight_scales", dense.weight_scales),
            zero_point,
        )


_ATTENTION_OUTPUT = ".attention.output.dense"


def _output_layer(attention: str) -> str:
    return attention.removesuffix(".attention.self") + _ATTENTION_OUTPUT
