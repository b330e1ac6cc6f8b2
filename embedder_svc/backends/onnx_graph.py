"""Writes ONNX graphs: nodes and constants one after the other, then the file's bytes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import onnx
from numpy.typing import DTypeLike, NDArray
from onnx import TensorProto, helper, numpy_helper

FUSED = "com.microsoft"
"""The domain of the operators that only ONNX Runtime has."""

_OPSET = 20
_IR_VERSION = 9


class GraphWriter:
    """A graph while it is written: methods add to it and return the name of what they added."""

    def __init__(self) -> None:
        self._nodes: list[onnx.NodeProto] = []
        self._constants: dict[str, onnx.TensorProto] = {}
        self._outputs: list[onnx.ValueInfoProto] = []

    def node(
        self, operator: str, inputs: Sequence[str], output: str, domain: str = "", **options: Any
    ) -> str:
        """Add an operator with one output; an empty name among ``inputs`` leaves that one out."""
        self._nodes.append(helper.make_node(operator, inputs, [output], domain=domain, **options))
        return output

    def cast(self, values: str, dtype: DTypeLike, output: str) -> str:
        """Add a conversion to another type of number."""
        return self.node(
            "Cast", [values], output, to=helper.np_dtype_to_tensor_dtype(np.dtype(dtype))
        )

    def constant(self, name: str, value: NDArray[Any] | np.generic) -> str:
        """Add a constant, once; its first value stays."""
        if name not in self._constants:
            array = np.asarray(value, order="C")
            self._constants[name] = numpy_helper.from_array(array, name)
        return name

    def integers(self, *values: int) -> str:
        """Add a constant of whole numbers, named by them."""
        name = "integers_" + "_".join(map(str, values))
        return self.constant(name, np.array(values, dtype=np.int64))

    def output(self, name: str, *shape: int | str) -> None:
        """Make what is called ``name``, float32 of that shape, a result of the graph."""
        self._outputs.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, shape))

    def serialise(self, name: str, inputs: Sequence[str], *shape: int | str) -> bytes:
        """Return the file's bytes; ``inputs`` are int64 of that shape."""
        values = [helper.make_tensor_value_info(text, TensorProto.INT64, shape) for text in inputs]
        constants = list(self._constants.values())
        graph = helper.make_graph(self._nodes, name, values, self._outputs, constants)
        opsets = [helper.make_opsetid("", _OPSET), helper.make_opsetid(FUSED, 1)]
        model = helper.make_model(graph, opset_imports=opsets, ir_version=_IR_VERSION)
        return bytes(model.SerializeToString())


def with_metadata(graph: bytes, **values: str) -> bytes:
    """Return the file's bytes with notes for whoever loads it."""
    notes = [onnx.StringStringEntryProto(key=key, value=text) for key, text in values.items()]
    # The concatenation of two Protocol Buffers messages is the message that has the fields of both.
    return graph + bytes(onnx.ModelProto(metadata_props=notes).SerializeToString())
