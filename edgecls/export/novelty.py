"""Put the novelty of a picture into the graph, as a second output beside the probabilities: see `edgecls.model.novelty`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from edgecls import extras
from edgecls.model.classifier import OUTPUT_NAME
from edgecls.model.novelty import NOVELTY_NAME, SUM_EPSILON

if TYPE_CHECKING:
    from collections.abc import Sequence

    import onnx
    from numpy.typing import NDArray

    from edgecls.model.novelty import Novelty

BATCH_AXIS = "N"
_PASSED = (
    "Softmax",
    "Sigmoid",
    "Add",
    "Cast",
    "Reshape",
    "Flatten",
    "Squeeze",
    "Identity",
    "DequantizeLinear",
    "QuantizeLinear",
)
"""Operators between the last layer and the output."""
_AXES_AS_INPUT = {"ReduceSum": 13, "ReduceMin": 18, "ReduceMean": 18}
"""The opset since which the axes are an input instead of an attribute."""


def add_novelty(model: onnx.ModelProto, embedding: str, novelty: Novelty) -> onnx.ModelProto:
    """Return a copy of a graph with the output "novelty", float32 (N,). It is computed in float, and takes a few microseconds.

    Args:
        model: The graph; it may be quantized.
        embedding: The tensor with the features, (N, D) float32 or float16.
        novelty: Fitted to that tensor.
    """
    onnx = extras.load("onnx", extra="export", purpose="Exporting")
    made = type(model)()
    made.CopyFrom(model)
    adding = Adding(made, NOVELTY_NAME)
    positive = adding.node("Relu", [adding.cast_to_float(embedding)])
    total = adding.node("Add", [adding.reduced("ReduceSum", positive, keep=True), adding.constant(np.float32(SUM_EPSILON))])
    unit = adding.node("Sqrt", [adding.node("Div", [positive, total])])
    slopes, directions = adding.in_float16(novelty.slopes), adding.in_float16(novelty.directions)
    nearest = adding.node("Gemm", [unit, slopes, adding.constant(novelty.offsets)], transB=1)
    distance = adding.reduced("ReduceMin", nearest, keep=True)
    if len(novelty.directions):
        along = adding.node("Gemm", [unit, directions], transB=1)
        squares = adding.node("Gemm", [adding.node("Mul", [along, along]), adding.constant(novelty.weights[:, None])])
        distance = adding.node("Add", [distance, squares])
    adding.node("Reshape", [distance, adding.constant(np.array([-1], np.int64))], output=NOVELTY_NAME)
    made.graph.output.append(onnx.helper.make_tensor_value_info(NOVELTY_NAME, onnx.TensorProto.FLOAT, [BATCH_AXIS]))
    return made


def embedding_of(model: onnx.ModelProto) -> str:
    """Return the name of the tensor that the last layer of a classifier reads; "" if there is no such layer of its own."""
    makers = {name: node for node in model.graph.node for name in node.output}
    constants = {i.name for i in model.graph.initializer}
    name = OUTPUT_NAME
    while (node := makers.get(name)) is not None:
        inputs = [n for n in node.input if n and n not in constants and not _is_constant(makers.get(n), makers, constants)]
        if node.op_type in ("Gemm", "MatMul"):
            return inputs[0] if len(inputs) == 1 and inputs[0] == node.input[0] else ""
        if node.op_type not in _PASSED or len(inputs) != 1:
            return ""
        name = inputs[0]
    return ""


def _is_constant(node: Any, makers: dict[str, Any], constants: set[str]) -> bool:
    """Whether a node computes from constants only, as the dequantization of weights does."""
    if node is None:
        return False
    return all(name in constants or _is_constant(makers.get(name), makers, constants) for name in node.input if name)


class Adding:
    """Appends nodes and constants to a graph, whose names begin with `prefix`."""

    def __init__(self, model: onnx.ModelProto, prefix: str) -> None:
        """Append to this model."""
        self._onnx = extras.load("onnx", extra="export", purpose="Exporting")
        self._graph = model.graph
        self._opset = next(entry.version for entry in model.opset_import if entry.domain in ("", "ai.onnx"))
        self._prefix = prefix
        self._count = 0

    def node(self, operator: str, inputs: Sequence[str], *, output: str = "", **attributes: Any) -> str:
        """Append a node. Returns the name of its output, which is new if none is given."""
        output = output or self._name()
        self._graph.node.append(self._onnx.helper.make_node(operator, list(inputs), [output], name=output, **attributes))
        return output

    def constant(self, values: NDArray[Any] | np.generic) -> str:
        """Append a constant. Returns its name."""
        name = self._name()
        self._graph.initializer.append(self._onnx.numpy_helper.from_array(np.asarray(values), name))
        return name

    def in_float16(self, values: NDArray[np.float32]) -> str:
        """Append a float32 constant in half the bytes. ONNX Runtime converts it once, when it loads the model."""
        return self.cast_to_float(self.constant(values.astype(np.float16)))

    def cast_to_float(self, name: str) -> str:
        """Convert to float32, which costs nothing if it is."""
        return self.node("Cast", [name], to=self._onnx.TensorProto.FLOAT)

    def reduced(self, operator: str, name: str, *, axes: Sequence[int] = (1,), keep: bool = False) -> str:
        """Reduce axes to one number, and leave them out unless `keep`."""
        if self._opset >= _AXES_AS_INPUT[operator]:
            return self.node(operator, [name, self.constant(np.array(axes, np.int64))], keepdims=int(keep))
        return self.node(operator, [name], keepdims=int(keep), axes=list(axes))

    def _name(self) -> str:
        self._count += 1
        return f"{self._prefix}/{self._count}"
