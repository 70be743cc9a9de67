"""Convert Keras to ONNX with tf2onnx, adding what it lacks: captured constants, grouped convolutions and two operators."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from unittest import mock

import numpy as np

from edgecls import extras
from edgecls.errors import ExportError
from edgecls.model.classifier import INPUT_NAME, OUTPUT_NAME

if TYPE_CHECKING:
    from collections.abc import Sequence

    import onnx

OPSET = 18


def traced(model: Any, shape: Sequence[int], dtype: str) -> onnx.ModelProto:
    """Convert a keras.Model with one input of (N, *shape) and one output.

    tf2onnx gets a tf.function, because its own Keras API fails on Keras 3, and the export of Keras does not let one choose the
    names and the batch axis.

    Raises ExportError for a network with an operator that ONNX does not have.
    """
    tensorflow = extras.load("tensorflow", extra="export", purpose="Exporting")
    tf2onnx = extras.load("tf2onnx", extra="export", purpose="Exporting")
    signature = [tensorflow.TensorSpec((None, *shape), dtype, name=INPUT_NAME)]
    function = tensorflow.function(lambda image: {OUTPUT_NAME: model(image, training=False)}, input_signature=signature)
    with mock.patch.object(tensorflow, "function", _without_xla(tensorflow.function)):
        captured = function.get_concrete_function().graph.captures
    converted, _ = tf2onnx.convert.from_function(function, input_signature=signature, opset=OPSET)
    _keep_captured(converted.graph, captured)
    _decompose(converted.graph)
    _check_operators(converted)
    return converted


def _without_xla(function: Any) -> Any:
    """Wrap tf.function to ignore `jit_compile`: Keras compiles grouped convolutions with XLA, which tf2onnx cannot convert."""

    def plain(*args: Any, jit_compile: object = None, **kwargs: Any) -> Any:  # noqa: ARG001 - dropped on purpose
        return function(*args, **kwargs)

    return plain


def _keep_captured(graph: Any, captured: Sequence[tuple[Any, Any]]) -> None:
    """Turn captured tensors, such as the mean of a Normalization layer, into constants.

    tf2onnx freezes only variables, and leaves captured tensors as inputs that nothing feeds.
    """
    onnx = extras.load("onnx", extra="export", purpose="Exporting")
    values = {inner.name: outer for outer, inner in captured if outer.dtype != "resource"}
    for unfed in [i for i in graph.input if i.name in values]:
        graph.initializer.append(onnx.numpy_helper.from_array(np.asarray(values[unfed.name]), unfed.name))
        graph.input.remove(unfed)


def _decompose(graph: Any) -> None:
    """Replace Erfc (from exact GELU) and Expm1 (from CELU), which ONNX lacks, by operators that it has."""
    onnx = extras.load("onnx", extra="export", purpose="Exporting")
    one = onnx.numpy_helper.from_array(np.array(1, np.float32), "one/of/spelled/out")
    nodes: list[Any] = []
    for node in graph.node:
        if node.op_type in _DECOMPOSED:
            operator, swapped = _DECOMPOSED[node.op_type]
            inner = f"{node.output[0]}/{operator}"
            nodes.append(onnx.helper.make_node(operator, list(node.input), [inner], name=inner))
            operands = [one.name, inner] if swapped else [inner, one.name]
            nodes.append(onnx.helper.make_node("Sub", operands, list(node.output), name=node.name))
        else:
            nodes.append(node)
    if len(nodes) != len(graph.node):
        graph.initializer.append(one)
        del graph.node[:]
        graph.node.extend(nodes)


_DECOMPOSED = {"Erfc": ("Erf", True), "Expm1": ("Exp", False)}
"""1 - erf(x) and exp(x) - 1: the operator, and whether the 1 is the first operand."""


def _check_operators(model: Any) -> None:
    onnx = extras.load("onnx", extra="export", purpose="Exporting")
    known = {entry.domain: onnx.defs.has for entry in model.opset_import}
    nodes = [node for node in model.graph.node if node.domain not in known or not onnx.defs.has(node.op_type, node.domain)]
    unsupported = sorted({node.op_type for node in nodes})
    if unsupported:
        raise ExportError(
            f"tf2onnx has no ONNX operator for TensorFlow's {', '.join(unsupported)}; replace the layers that use them"
        )
