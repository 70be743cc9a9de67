"""Convert a model to float16, which halves its size."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from edgecls import extras
from edgecls.errors import ExportError

if TYPE_CHECKING:
    from collections.abc import Iterator

    import onnx
    from numpy.typing import NDArray

LARGEST = float(np.finfo(np.float16).max)
KEEP_FLOAT = {"Resize": (2,)}
"""Indices of the inputs that must be float32 by the definition of the operator: the scales of Resize."""


def to_fp16(model: onnx.ModelProto, pictures: NDArray[np.uint8]) -> onnx.ModelProto:  # noqa: ARG001 - nothing to calibrate
    """Return the model with weights and computations in float16. The input stays uint8, and Softmax stays in float32.

    CPUs without float16 arithmetic cast back and forth: the file is half as large, but somewhat slower there.

    Args:
        model: The float32 model; it is not changed.
        pictures: Not used; every scheme is called with calibration pictures.

    Raises:
        ExportError: A weight is outside the range of float16, or an operator does not support float16.
    """
    onnx = extras.load("onnx", extra="export", purpose="Quantizing")
    half = onnx.ModelProto()
    half.CopyFrom(model)
    graph = half.graph
    kept = {node.input[i] for node in graph.node for i in KEEP_FLOAT.get(node.op_type, ()) if i < len(node.input)}
    for tensor in _float_tensors(onnx, graph, kept):
        tensor.CopyFrom(_halved(onnx, tensor))
    for node in graph.node:
        for attribute in node.attribute:
            if node.op_type == "Cast" and attribute.name == "to" and attribute.i == onnx.TensorProto.FLOAT:
                attribute.i = onnx.TensorProto.FLOAT16
    _return_to_float(onnx, graph)
    del graph.value_info[:]  # it declares the former types
    try:
        half = onnx.shape_inference.infer_shapes(half, check_type=True, strict_mode=True)
    except Exception as error:
        raise ExportError(f"fp16: this network cannot be converted to float16 ({error}); use `scheme=fp32`") from error
    return half


def _float_tensors(onnx: Any, graph: Any, kept: set[str]) -> Iterator[Any]:
    """Yield the float32 constants of the graph, both initializers and attributes of nodes, except those in `kept`."""
    yield from (t for t in graph.initializer if t.data_type == onnx.TensorProto.FLOAT and t.name not in kept)
    for node in graph.node:
        if node.op_type in ("Constant", "ConstantOfShape") and node.output[0] not in kept:
            yield from (a.t for a in node.attribute if a.name == "value" and a.t.data_type == onnx.TensorProto.FLOAT)


def _halved(onnx: Any, tensor: Any) -> Any:
    """Return the tensor in float16. Raises ExportError if a value is outside its range."""
    values = onnx.numpy_helper.to_array(tensor)
    largest = float(np.abs(values).max(initial=0))
    if not largest <= LARGEST:
        raise ExportError(
            f"fp16: a weight in {tensor.name!r} is {largest:g}, the largest float16 is {LARGEST:g}; use another `scheme`"
        )
    return onnx.numpy_helper.from_array(values.astype(np.float16), tensor.name)


def _return_to_float(onnx: Any, graph: Any) -> None:
    """Cast to float32 before a final Softmax, which needs the range of float32, or else after the last node."""
    makers = {name: node for node in graph.node for name in node.output}
    for output in graph.output:
        last = makers[output.name]
        inner = f"{output.name}/float16"
        if last.op_type == "Softmax":
            cast = onnx.helper.make_node("Cast", [last.input[0]], [inner], name=inner, to=onnx.TensorProto.FLOAT)
            last.input[0] = inner
            graph.node.insert(list(graph.node).index(last), cast)
        else:
            last.output[list(last.output).index(output.name)] = inner
            graph.node.append(onnx.helper.make_node("Cast", [inner], [output.name], name=inner, to=onnx.TensorProto.FLOAT))
