"""Build EfficientNet-Lite as an ONNX graph from its table of blocks and its weights, with `onnx` alone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from edgecls import extras
from edgecls.export.convert import BATCH_AXIS
from edgecls.export.trace import OPSET
from edgecls.model.classifier import INPUT_NAME
from edgecls.pretrained.lite import EPSILON, HEAD, MEAN, SCALE
from edgecls.pretrained.packages import EXTRA

if TYPE_CHECKING:
    from collections.abc import Mapping

    import onnx
    from numpy.typing import NDArray

    from edgecls.pretrained import Lite

    Weights = Mapping[str, NDArray[np.generic]]

EMBEDDING = "embedding"
"""The name of the output."""
AFTER_LAYERS = ("pool", EMBEDDING)
"""The nodes that stay in float, so that an embedding is not rounded to 256 steps."""
IR_VERSION = 8
SIX = 6.0
"""The limit of ReLU6."""


def lite_graph(network: Lite, weights: Weights) -> onnx.ModelProto:
    """Return the float network up to its average pooling, for pictures of any size.

    Its input is `image`, (N, height, width, 3) uint8, red first; its output is `embedding`, (N, 1280) float32, not normalized.
    Batch normalizations are folded into the convolutions. Padding is that of TensorFlow, which depends on the size of the
    picture, so it is left to the runtime.

    Args:
        network: A row of `edgecls.pretrained.LITE`.
        weights: Its weights by name, as `edgecls.pretrained.weights_of` returns them.
    """
    onnx = extras.load("onnx", extra=EXTRA, purpose="Building a backbone")
    graph = _Graph(onnx, weights)
    x = graph.scaled()
    x = graph.convolution(x, "_conv_stem", "_bn0", stride=2)
    for block in network.blocks:
        before = x
        if block.expansion != 1:
            x = graph.convolution(x, f"{block.prefix}_expand_conv", f"{block.prefix}_bn0")
        x = graph.convolution(x, f"{block.prefix}_depthwise_conv", f"{block.prefix}_bn1", stride=block.stride)
        x = graph.convolution(x, f"{block.prefix}_project_conv", f"{block.prefix}_bn2", activation=False)
        if block.adds:
            x = graph.node("Add", [before, x], f"{block.prefix}add")
    x = graph.convolution(x, "_conv_head", "_bn1")
    x = graph.node("GlobalAveragePool", [x], AFTER_LAYERS[0])
    graph.node("Flatten", [x], EMBEDDING, axis=1)
    return graph.model(network.name)


def at_size(model: onnx.ModelProto, size: int) -> onnx.ModelProto:
    """Return a copy of a graph for pictures of size x size pixels."""
    onnx = extras.load("onnx", extra=EXTRA, purpose="Building a backbone")
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    for dim in copy.graph.input[0].type.tensor_type.shape.dim[1:3]:
        dim.dim_value = size
    del copy.graph.value_info[:]
    return copy


class _Graph:
    """Collects the nodes and constants of a graph."""

    def __init__(self, onnx: Any, weights: Weights) -> None:
        self._onnx = onnx
        self._weights = weights
        self._nodes: list[Any] = []
        self._constants: list[Any] = []

    def scaled(self) -> str:
        """Add the preprocessing of the uint8 picture."""
        x = self.node("Cast", [INPUT_NAME], "levels", to=self._onnx.TensorProto.FLOAT)
        x = self.node("Sub", [x, self._constant("mean", np.array(MEAN, np.float32))], "centered")
        x = self.node("Mul", [x, self._constant("scale", np.array(1 / SCALE, np.float32))], "scaled")
        return self.node("Transpose", [x], "channels first", perm=[0, 3, 1, 2])

    def convolution(self, x: str, kernel: str, norm: str, *, stride: int = 1, activation: bool = True) -> str:
        """Add a convolution with its batch normalization, and ReLU6 after it."""
        folded, bias = _folded(self._weights, kernel, norm)
        channels, per_group, *sides = folded.shape
        names = [x, self._constant(f"{kernel}.weight", folded), self._constant(f"{kernel}.bias", bias)]
        y = self.node(
            "Conv",
            names,
            kernel,
            kernel_shape=sides,
            strides=[stride, stride],
            auto_pad="SAME_UPPER",
            group=channels if per_group == 1 else 1,
        )
        if not activation:
            return y
        limits = [self._constant(name, np.array(value, np.float32)) for name, value in (("zero", 0.0), ("six", SIX))]
        return self.node("Clip", [y, *limits], f"{kernel}.relu6")

    def node(self, operator: str, inputs: list[str], output: str, **attributes: Any) -> str:
        self._nodes.append(self._onnx.helper.make_node(operator, inputs, [output], name=output, **attributes))
        return output

    def _constant(self, name: str, values: NDArray[np.float32]) -> str:
        if all(constant.name != name for constant in self._constants):
            self._constants.append(self._onnx.numpy_helper.from_array(np.ascontiguousarray(values), name))
        return name

    def model(self, name: str) -> onnx.ModelProto:
        helper, kinds = self._onnx.helper, self._onnx.TensorProto
        picture = helper.make_tensor_value_info(INPUT_NAME, kinds.UINT8, [BATCH_AXIS, "H", "W", 3])
        embedding = helper.make_tensor_value_info(EMBEDDING, kinds.FLOAT, [BATCH_AXIS, HEAD])
        graph = helper.make_graph(self._nodes, name, [picture], [embedding], self._constants)
        opsets = [helper.make_opsetid("", OPSET)]
        model: onnx.ModelProto = helper.make_model(graph, opset_imports=opsets, ir_version=IR_VERSION, producer_name="edgecls")
        self._onnx.checker.check_model(model)
        return model


def _folded(weights: Weights, kernel: str, norm: str) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return the kernel and the bias of a convolution with its batch normalization, computed in float64."""
    scale, shift, mean, variance = (
        weights[f"{norm}.{part}"].astype(np.float64) for part in ("weight", "bias", "running_mean", "running_var")
    )
    factor = scale / np.sqrt(variance + EPSILON)
    folded = weights[f"{kernel}.weight"].astype(np.float64) * factor[:, None, None, None]
    return folded.astype(np.float32), (shift - mean * factor).astype(np.float32)
