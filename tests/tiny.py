"""Small models made by hand, whose answers can be computed with a pencil."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from edgecls.export.convert import stamp
from edgecls.input_spec import InputSpec
from edgecls.model.card import ModelCard
from edgecls.model.several_labels import SeveralLabels

if TYPE_CHECKING:
    from collections.abc import Sequence

LIGHT_LABELS = ("dark", "dim", "bright")
LIGHT_CENTERS = (0.0, 0.5, 1.0)


def light_graph(spec: InputSpec | None = None, classes: int = 3) -> onnx.ModelProto:
    """A graph by the mean m (0..1) of the picture: softmax of -40 (m - center)^2, centers 0, 0.5 and 1: dark, dim, bright.

    A black picture is dark, level 128 is dim, a white one bright, each with a score above 0.99.
    """
    spec = spec or InputSpec(height=8, width=8)
    centers = np.linspace(0, 1, classes, dtype=np.float32)
    constants = {
        "axes": np.array([1, 2, 3], np.int64),
        "shape": np.array([-1, 1], np.int64),
        "full": np.array(255, np.float32),
        "slope": (80 * centers)[None].astype(np.float32),
        "offset": (-40 * centers**2).astype(np.float32),
    }
    nodes = [
        helper.make_node("Cast", ["image"], ["float"], to=TensorProto.FLOAT),
        helper.make_node("ReduceMean", ["float", "axes"], ["mean"], keepdims=0),
        helper.make_node("Div", ["mean", "full"], ["share"]),
        helper.make_node("Reshape", ["share", "shape"], ["column"]),
        helper.make_node("MatMul", ["column", "slope"], ["product"]),
        helper.make_node("Add", ["product", "offset"], ["logits"]),
        helper.make_node("Softmax", ["logits"], ["probabilities"], axis=-1),
    ]
    return helper.make_model(
        helper.make_graph(
            nodes,
            "light",
            [helper.make_tensor_value_info("image", TensorProto.UINT8, ["N", *spec.shape])],
            [helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, ["N", classes])],
            [numpy_helper.from_array(value, name) for name, value in constants.items()],
        ),
        opset_imports=[helper.make_opsetid("", 18)],
        ir_version=8,
    )


def conv_graph(stretch: Sequence[float] = (1, 1, 1, 1), classes: int = 3) -> onnx.ModelProto:
    """A graph of a convolution with four kernels and two dense layers, by chance, on 8x8 gray pictures.

    `stretch` multiplies each kernel, and the weights behind it are divided by it: the answers stay what they are.
    """
    rng = np.random.default_rng(0)
    scale = np.asarray(stretch, np.float32)
    dense = rng.normal(0, 0.3, (len(scale), 36, 8)) / scale[:, None, None]
    constants = {
        "full": np.array(1 / 255, np.float32),
        "planes": np.array([-1, 1, 8, 8], np.int64),
        "row": np.array([-1, 36 * len(scale)], np.int64),
        "kernels": (rng.normal(0, 1, (len(scale), 1, 3, 3)) * scale[:, None, None, None]).astype(np.float32),
        "dense": dense.reshape(-1, 8).astype(np.float32),
        "bias": np.zeros(8, np.float32),
        "last": rng.normal(0, 1, (8, classes)).astype(np.float32),
        "last_bias": np.zeros(classes, np.float32),
    }
    nodes = [
        helper.make_node("Cast", ["image"], ["float"], "cast", to=TensorProto.FLOAT),
        helper.make_node("Mul", ["float", "full"], ["scaled"], "scale"),
        helper.make_node("Reshape", ["scaled", "planes"], ["plane"], "to_planes"),
        helper.make_node("Conv", ["plane", "kernels"], ["edges"], "conv"),
        helper.make_node("Relu", ["edges"], ["seen"], "conv_relu"),
        helper.make_node("Reshape", ["seen", "row"], ["flat"], "to_row"),
        helper.make_node("Gemm", ["flat", "dense", "bias"], ["mixed"], "dense"),
        helper.make_node("Relu", ["mixed"], ["hidden"], "dense_relu"),
        helper.make_node("Gemm", ["hidden", "last", "last_bias"], ["logits"], "last"),
        helper.make_node("Softmax", ["logits"], ["probabilities"], "softmax", axis=-1),
    ]
    return helper.make_model(
        helper.make_graph(
            nodes,
            "conv",
            [helper.make_tensor_value_info("image", TensorProto.UINT8, ["N", 8, 8, 1])],
            [helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, ["N", classes])],
            [numpy_helper.from_array(value, name) for name, value in constants.items()],
        ),
        opset_imports=[helper.make_opsetid("", 18)],
        ir_version=8,
    )


def light_model(spec: InputSpec | None = None, labels: tuple[str, ...] = LIGHT_LABELS, **card: Any) -> bytes:
    """The bytes of an .onnx file with `light_graph` and a card."""
    spec = spec or InputSpec(height=8, width=8)
    return stamp(light_graph(spec, len(LIGHT_LABELS)), ModelCard(labels, spec, "fp32", **card))


COLOR_LABELS = ("car", "van", "truck", "background")


def color_model(**card: Any) -> bytes:
    """The bytes of an .onnx file that says car of red, van of green, truck of blue, and background of what has no colour.

    By each colour's share s of the mean picture: softmax of 60 s for the colours and 60 * 0.42 for the background, so how
    light it is does not matter.
    """
    spec = InputSpec(height=8, width=8, color="rgb")
    constants = {
        "pixels": np.array([1, 2], np.int64),
        "colors": np.array([1], np.int64),
        "slope": np.eye(3, 4, dtype=np.float32) * 60,
        "offset": np.array([0, 0, 0, 60 * 0.42], np.float32),
    }
    nodes = [
        helper.make_node("Cast", ["image"], ["float"], to=TensorProto.FLOAT),
        helper.make_node("ReduceMean", ["float", "pixels"], ["mean"], keepdims=0),
        helper.make_node("ReduceSum", ["mean", "colors"], ["sum"], keepdims=1),
        helper.make_node("Div", ["mean", "sum"], ["shares"]),
        helper.make_node("MatMul", ["shares", "slope"], ["product"]),
        helper.make_node("Add", ["product", "offset"], ["logits"]),
        helper.make_node("Softmax", ["logits"], ["probabilities"], axis=-1),
    ]
    graph = helper.make_model(
        helper.make_graph(
            nodes,
            "color",
            [helper.make_tensor_value_info("image", TensorProto.UINT8, ["N", *spec.shape])],
            [helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, ["N", len(COLOR_LABELS)])],
            [numpy_helper.from_array(value, name) for name, value in constants.items()],
        ),
        opset_imports=[helper.make_opsetid("", 18)],
        ir_version=8,
    )
    return stamp(graph, ModelCard(COLOR_LABELS, spec, "fp32", **card))


PAINT_LABELS = ("red", "green", "blue")


def paint_model(thresholds: tuple[float, ...] = (0.5, 0.5, 0.5), **card: Any) -> bytes:
    """The bytes of an .onnx file with several labels a picture: red, green and blue, by the mean m (0..1) of its channel.

    The probability is sigmoid(20 (m - 0.5)), so a channel at 255 is shown and one at 0 is not.
    """
    spec = InputSpec(height=8, width=8, color="rgb")
    constants = {
        "pixels": np.array([1, 2], np.int64),
        "slope": np.array(20 / 255, np.float32),
        "offset": np.array(-10, np.float32),
    }
    nodes = [
        helper.make_node("Cast", ["image"], ["float"], to=TensorProto.FLOAT),
        helper.make_node("ReduceMean", ["float", "pixels"], ["mean"], keepdims=0),
        helper.make_node("Mul", ["mean", "slope"], ["scaled"]),
        helper.make_node("Add", ["scaled", "offset"], ["logits"]),
        helper.make_node("Sigmoid", ["logits"], ["probabilities"]),
    ]
    graph = helper.make_model(
        helper.make_graph(
            nodes,
            "paint",
            [helper.make_tensor_value_info("image", TensorProto.UINT8, ["N", *spec.shape])],
            [helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, ["N", 3])],
            [numpy_helper.from_array(value, name) for name, value in constants.items()],
        ),
        opset_imports=[helper.make_opsetid("", 18)],
        ir_version=8,
    )
    return stamp(graph, ModelCard(PAINT_LABELS, spec, "fp32", **card).read_as(SeveralLabels(thresholds=thresholds)))
