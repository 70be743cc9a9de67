"""Half the bytes: weights and sums in float16."""

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
"""Operators with inputs that are float32 by their definition, and which: the scales of a resize."""


def to_fp16(model: onnx.ModelProto, pictures: NDArray[np.uint8]) -> onnx.ModelProto:  # noqa: ARG001 - nothing to calibrate
    """Weights and sums in float16; the picture still enters as uint8, and what Softmax reads is brought back to float32.

    CPUs without float16 units cast back and forth, so there it is half the bytes at the price of some time. Raises ExportError
    for a weight that float16 cannot hold.
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
    del graph.value_info[:]  # it says float of what is float16 now
    try:
        half = onnx.shape_inference.infer_shapes(half, check_type=True, strict_mode=True)
    except Exception as error:
        raise ExportError(f"fp16: this network cannot be brought to float16 ({error}); take --scheme fp32") from error
    return half


def _float_tensors(onnx: Any, graph: Any, kept: set[str]) -> Iterator[Any]:
    """The constants in float32, wherever the graph holds them."""
    yield from (t for t in graph.initializer if t.data_type == onnx.TensorProto.FLOAT and t.name not in kept)
    for node in graph.node:
        if node.op_type in ("Constant", "ConstantOfShape") and node.output[0] not in kept:
            yield from (a.t for a in node.attribute if a.name == "value" and a.t.data_type == onnx.TensorProto.FLOAT)


def _halved(onnx: Any, tensor: Any) -> Any:
    values = onnx.numpy_helper.to_array(tensor)
    largest = float(np.abs(values).max(initial=0))
    if not largest <= LARGEST:
        raise ExportError(
            f"fp16: a weight of {largest:g} in {tensor.name!r}, float16 ends at {LARGEST:g}; take another --scheme"
        )
    return onnx.numpy_helper.from_array(values.astype(np.float16), tensor.name)


def _return_to_float(onnx: Any, graph: Any) -> None:
    """Cast before Softmax, which needs the range of float32; after the last node where that is another one."""
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
