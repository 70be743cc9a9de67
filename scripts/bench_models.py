"""Additional models for scripts/bench: the float form of an int8 model, and a model for larger pictures."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from edgecls import InputSpec
from edgecls.export.convert import stamp
from edgecls.model.card import METADATA_KEY, ModelCard

if TYPE_CHECKING:
    from pathlib import Path

SIDE = 224
CLASSES = 1000
WIDTHS = (20, 44, 88, 176, 352)
"""Channels of the stages of `write_large`, each at half the resolution of the previous one. Total: 0.4 GFLOP."""


def write_float(model: Path, path: Path) -> Path:
    """Write the float form of an int8 model of edgecls: the same network without rounding between the layers."""
    proto = onnx.load(model)
    graph = proto.graph
    values = {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer}
    before = {name: node.op_type for node in graph.node for name in node.output}
    same: dict[str, str] = {}  # the float value for each rounded value
    levels = {"image"}  # values that are still integers
    nodes, constants = [], []
    for node in graph.node:
        source, target = node.input[0], node.output[0]
        if node.op_type == "QuantizeLinear" and before[source] in ("Conv", "Gemm"):
            nodes.append(helper.make_node("Relu", [source], [target]))  # the lower limit of the levels, 0, acted as ReLU
        elif node.op_type == "QuantizeLinear":
            same[target] = same.get(source, source)
        elif node.op_type != "DequantizeLinear":
            nodes.append(node)
            levels |= {target} if source in levels else set()
        elif source in values:
            constants.append(numpy_helper.from_array(_dequantized(node, values), target))
        elif source in levels:
            constants.append(numpy_helper.from_array(values[node.input[1]].astype(np.float32), f"{target}_scale"))
            nodes.append(helper.make_node("Cast", [source], [f"{target}_cast"], to=TensorProto.FLOAT))
            nodes.append(helper.make_node("Mul", [f"{target}_cast", f"{target}_scale"], [target]))
        else:
            same[target] = same.get(source, source)
    for node in nodes:
        node.input[:] = [same.get(name, name) for name in node.input]
    used = {name for node in nodes for name in node.input}
    constants += [tensor for tensor in graph.initializer if tensor.name in used]
    floats = helper.make_graph(nodes, "float", graph.input, graph.output, constants)
    card = ModelCard.from_json({entry.key: entry.value for entry in proto.metadata_props}[METADATA_KEY], str(model))
    made = helper.make_model(floats, opset_imports=proto.opset_import, ir_version=proto.ir_version)
    path.write_bytes(stamp(made, ModelCard(card.labels, card.input, "fp32", about="made by scripts/bench")))
    return path


def write_large(path: Path, plain: Path) -> Path:
    """Write a 224x224 RGB float classifier of 0.4 GFLOP with random weights for edgecls. It sees the center of a picture.

    `plain` gets the same network for other programs: with input float (1, 3, 224, 224) and the metadata of Ultralytics.
    """
    rng = np.random.default_rng(0)
    constants, nodes = [], []

    def constant(name: str, value: object) -> str:
        constants.append(numpy_helper.from_array(np.asarray(value), name))
        return name

    def add(kind: str, inputs: list[str], **attributes: object) -> str:
        nodes.append(helper.make_node(kind, inputs, [f"v{len(nodes)}"], **attributes))
        return nodes[-1].output[0]

    def convolve(value: str, channels: tuple[int, int], side: int, stride: int) -> str:
        fan_in = channels[0] * side * side
        weights = rng.normal(0, (2 / fan_in) ** 0.5, (channels[1], channels[0], side, side)).astype(np.float32)
        value = add("Conv", [value, constant(f"w{len(nodes)}", weights)], strides=[stride] * 2, pads=[side // 2] * 4)
        return add("Relu", [value])

    value, channels = "images", 3
    for i, width in enumerate(WIDTHS):
        value = convolve(value, (channels, width), 3, 2)
        if i >= 2:
            value = convolve(convolve(value, (width, width // 2), 1, 1), (width // 2, width), 3, 1)
        channels = width
    value = add("Flatten", [add("GlobalAveragePool", [value])])
    weights = rng.normal(0, 0.05, (channels, CLASSES)).astype(np.float32)
    value = add("MatMul", [value, constant("head", weights)])
    nodes.append(helper.make_node("Softmax", [value], ["probabilities"]))

    labels = tuple(f"class {i}" for i in range(CLASSES))
    output = [helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, ["N", CLASSES])]
    onnx.save(_plain(nodes, constants, output, labels), plain)
    front = [
        helper.make_node("Transpose", ["image"], ["turned"], perm=[0, 3, 1, 2]),
        helper.make_node("Cast", ["turned"], ["cast"], to=TensorProto.FLOAT),
        helper.make_node("Div", ["cast", constant("full", np.float32(255))], ["images"]),
    ]
    image = helper.make_tensor_value_info("image", TensorProto.UINT8, ["N", SIDE, SIDE, 3])
    graph = helper.make_graph([*front, *nodes], "large", [image], output, constants)
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=8)
    path.write_bytes(
        stamp(made, ModelCard(labels, InputSpec(SIDE, SIDE, "rgb", fit="center-crop"), "fp32", about="made by scripts/bench"))
    )
    return path


def _dequantized(node: onnx.NodeProto, values: dict[str, np.ndarray]) -> np.ndarray:
    quantized, scale = values[node.input[0]].astype(np.float32), values[node.input[1]]
    zero = values[node.input[2]].astype(np.float32) if len(node.input) > 2 else np.float32(0)
    if scale.ndim:
        axis = next((a.i for a in node.attribute if a.name == "axis"), 1)
        shape = [-1 if i == axis else 1 for i in range(quantized.ndim)]
        scale, zero = scale.reshape(shape), zero.reshape(shape)
    return ((quantized - zero) * scale).astype(np.float32)


def _plain(
    nodes: list[onnx.NodeProto], constants: list[onnx.TensorProto], output: list[onnx.ValueInfoProto], labels: tuple[str, ...]
) -> onnx.ModelProto:
    images = helper.make_tensor_value_info("images", TensorProto.FLOAT, [1, 3, SIDE, SIDE])
    graph = helper.make_graph(nodes, "plain", [images], output, constants)
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=8)
    names = dict(enumerate(labels))
    facts = {"task": "classify", "names": str(names), "imgsz": str([SIDE, SIDE]), "stride": "1", "batch": "1", "channels": "3"}
    helper.set_model_props(made, facts)
    return made
