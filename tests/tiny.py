"""Small models made by hand, whose answers can be computed with a pencil."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from edgecls.card import InputSpec, ModelCard
from edgecls.export.convert import stamp

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


def light_model(spec: InputSpec | None = None, labels: tuple[str, ...] = LIGHT_LABELS, **card: Any) -> bytes:
    """The bytes of an .onnx file with `light_graph` and a card."""
    spec = spec or InputSpec(height=8, width=8)
    return stamp(light_graph(spec, len(LIGHT_LABELS)), ModelCard(labels, spec, "fp32", **card))
