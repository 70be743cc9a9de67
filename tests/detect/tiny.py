"""A small detector made by hand, whose boxes can be told by looking: it finds what is red, green or blue."""

from __future__ import annotations

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

COLORS = ("red", "green", "blue")
SIZE_HW = (64, 96)
UNMIX = np.array([[1, -0.5, -0.5], [-0.5, 1, -0.5], [-0.5, -0.5, 1]], np.float32) * 1.2
"""From red, green and blue to how much of each there is besides gray."""


def color_graph(metadata: dict[str, str] | None = None, *, size_hw: tuple[int, int] = SIZE_HW) -> onnx.ModelProto:
    """A graph (1, 3, height, width) of 0..1 -> (1, 3, 7): for each colour the box of all that has it, and three scores.

    The box is that of a rectangle with the same mean and variance of positions; the score is the strongest colour in it.
    """
    height, width = size_hw
    columns, rows = (np.arange(width, dtype=np.float32) + 0.5) / width, (np.arange(height, dtype=np.float32) + 0.5) / height
    constants = {
        "unmix": UNMIX.reshape(3, 3, 1, 1),
        "zero": np.array(0, np.float32),
        "half": np.array(0.5, np.float32),
        "one": np.array(1, np.float32),
        "two": np.array(2, np.float32),
        "tiny": np.array(1e-6, np.float32),
        "twelve": np.array(12, np.float32),
        "plane": np.array([2, 3], np.int64),
        "x": np.broadcast_to(columns[None, :], size_hw).copy(),
        "y": np.broadcast_to(rows[:, None], size_hw).copy(),
        "pixel_x": np.array(1 / width**2, np.float32),
        "pixel_y": np.array(1 / height**2, np.float32),
        "eye": np.eye(3, dtype=np.float32)[None],
        "last": np.array([2], np.int64),
    }
    nodes = [
        helper.make_node("Conv", ["images", "unmix"], ["mixed"]),
        helper.make_node("Clip", ["mixed", "zero", "one"], ["clipped"]),
        helper.make_node("Sub", ["clipped", "half"], ["shifted"]),
        helper.make_node("Relu", ["shifted"], ["much"]),
        helper.make_node("ReduceMax", ["much", "plane"], ["most"], keepdims=0),
        helper.make_node("Mul", ["most", "two"], ["score"]),
        helper.make_node("ReduceSum", ["much", "plane"], ["sum"], keepdims=0),
        helper.make_node("Add", ["sum", "tiny"], ["weight"]),
    ]
    for axis in "xy":
        nodes += [
            helper.make_node("Mul", ["much", axis], [f"{axis}_each"]),
            helper.make_node("ReduceSum", [f"{axis}_each", "plane"], [f"{axis}_sum"], keepdims=0),
            helper.make_node("Div", [f"{axis}_sum", "weight"], [f"{axis}_mean"]),
            helper.make_node("Mul", [f"{axis}_each", axis], [f"{axis}_square_each"]),
            helper.make_node("ReduceSum", [f"{axis}_square_each", "plane"], [f"{axis}_square_sum"], keepdims=0),
            helper.make_node("Div", [f"{axis}_square_sum", "weight"], [f"{axis}_square"]),
            helper.make_node("Mul", [f"{axis}_mean", f"{axis}_mean"], [f"{axis}_mean_square"]),
            helper.make_node("Sub", [f"{axis}_square", f"{axis}_mean_square"], [f"{axis}_signed"]),
            helper.make_node("Relu", [f"{axis}_signed"], [f"{axis}_variance"]),
            helper.make_node("Mul", [f"{axis}_variance", "twelve"], [f"{axis}_wide"]),
            helper.make_node("Add", [f"{axis}_wide", f"pixel_{axis}"], [f"{axis}_wider"]),
            helper.make_node("Sqrt", [f"{axis}_wider"], [f"{axis}_size"]),
        ]
    for name in ("x_mean", "y_mean", "x_size", "y_size", "score"):
        nodes.append(helper.make_node("Unsqueeze", [name, "last"], [f"{name}_column"]))
    nodes.append(helper.make_node("Mul", ["eye", "score_column"], ["scores"]))
    columns_of = [f"{name}_column" for name in ("x_mean", "y_mean", "x_size", "y_size")]
    nodes.append(helper.make_node("Concat", [*columns_of, "scores"], ["output0"], axis=2))
    model = helper.make_model(
        helper.make_graph(
            nodes,
            "colors",
            [helper.make_tensor_value_info("images", TensorProto.FLOAT, [1, 3, height, width])],
            [helper.make_tensor_value_info("output0", TensorProto.FLOAT, [1, 3, 7])],
            [numpy_helper.from_array(value, name) for name, value in constants.items()],
        ),
        opset_imports=[helper.make_opsetid("", 18)],
        ir_version=8,
    )
    if metadata:
        helper.set_model_props(model, metadata)
    return model


ULTRALYTICS = {
    "description": "Ultralytics rtdetr-l model",
    "task": "detect",
    "names": str(dict(enumerate(COLORS))),
    "imgsz": str(list(SIZE_HW)),
    "stride": "32",
    "license": "AGPL-3.0 License",
}
"""The metadata that Ultralytics writes."""


def constant_graph(outputs: dict[str, np.ndarray], size_hw: tuple[int, int], *, input_dims=None) -> onnx.ModelProto:
    """A graph that gives these outputs for every picture; the mean of the picture, times zero, is added to floats."""
    height, width = size_hw
    nodes = [
        helper.make_node("ReduceMean", ["images"], ["mean"], keepdims=0),
        helper.make_node("Mul", ["mean", "none"], ["nothing"]),
    ]
    constants = {"none": np.array(0, np.float32)}
    given = []
    for name, value in outputs.items():
        constants[f"{name}/value"] = value
        is_float = value.dtype.kind == "f"
        inputs = [f"{name}/value", "nothing"] if is_float else [f"{name}/value"]
        nodes.append(helper.make_node("Add" if is_float else "Identity", inputs, [name]))
        kind = helper.np_dtype_to_tensor_dtype(value.dtype)
        given.append(helper.make_tensor_value_info(name, kind, value.shape))
    dims = [1, 3, height, width] if input_dims is None else input_dims
    return helper.make_model(
        helper.make_graph(
            nodes,
            "constant",
            [helper.make_tensor_value_info("images", TensorProto.FLOAT, dims)],
            given,
            [numpy_helper.from_array(value, name) for name, value in constants.items()],
        ),
        opset_imports=[helper.make_opsetid("", 18)],
        ir_version=8,
    )


def painted(size_hw: tuple[int, int], **boxes: tuple[int, int, int, int]) -> np.ndarray:
    """A gray picture (height, width, 3), blue-green-red, with a rectangle (left, top, right, bottom) of each colour."""
    picture = np.full((*size_hw, 3), 90, np.uint8)
    for color, (left, top, right, bottom) in boxes.items():
        picture[top:bottom, left:right] = {"red": (0, 0, 255), "green": (0, 255, 0), "blue": (255, 0, 0)}[color]
    return picture
