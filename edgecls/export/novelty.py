"""Put the novelty of a picture into the graph, as a second output beside the probabilities: see `edgecls.model.novelty`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from edgecls import extras
from edgecls.model.classifier import OUTPUT_NAME
from edgecls.model.novelty import NOVELTY_NAME, SUM_EPSILON

if TYPE_CHECKING:
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
_AXES_AS_INPUT = {"ReduceSum": 13, "ReduceMin": 18}
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
    opset = next(entry.version for entry in made.opset_import if entry.domain in ("", "ai.onnx"))
    adding = _Adding(onnx, made.graph, opset)
    features = adding.node("Cast", [embedding], to=onnx.TensorProto.FLOAT)
    positive = adding.node("Relu", [features])
    total = adding.node("Add", [adding.reduced("ReduceSum", positive), adding.constant(np.float32(SUM_EPSILON))])
    unit = adding.node("Sqrt", [adding.node("Div", [positive, total])])
    slopes, directions = adding.in_float16(novelty.slopes), adding.in_float16(novelty.directions)
    nearest = adding.node("Gemm", [unit, slopes, adding.constant(novelty.offsets)], transB=1)
    distance = adding.reduced("ReduceMin", nearest)
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


class _Adding:
    """Appends nodes and constants to a graph."""

    def __init__(self, onnx: Any, graph: Any, opset: int) -> None:
        self._onnx = onnx
        self._graph = graph
        self._opset = opset
        self._count = 0

    def node(self, operator: str, inputs: list[str], *, output: str = "", **attributes: Any) -> str:
        output = output or self._name()
        self._graph.node.append(self._onnx.helper.make_node(operator, inputs, [output], name=output, **attributes))
        return output

    def constant(self, values: NDArray[Any] | np.generic) -> str:
        name = self._name()
        self._graph.initializer.append(self._onnx.numpy_helper.from_array(np.asarray(values), name))
        return name

    def in_float16(self, values: NDArray[np.float32]) -> str:
        """Add a constant of half the bytes. ONNX Runtime converts it to float32 once, when it loads the model."""
        return self.node("Cast", [self.constant(values.astype(np.float16))], to=self._onnx.TensorProto.FLOAT)

    def reduced(self, operator: str, name: str) -> str:
        """Reduce (N, D) to (N, 1)."""
        if self._opset >= _AXES_AS_INPUT[operator]:
            return self.node(operator, [name, self.constant(np.array([1], np.int64))], keepdims=1)
        return self.node(operator, [name], keepdims=1, axes=[1])

    def _name(self) -> str:
        self._count += 1
        return f"{NOVELTY_NAME}/{self._count}"
