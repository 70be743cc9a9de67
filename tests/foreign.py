"""Classifiers as other people's tools write them, whose answers can be told by looking: dark, red, green or blue."""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

if TYPE_CHECKING:
    from pathlib import Path

LABELS = ("dark", "red", "green", "blue")
SIDE = 8
DARK = 0.35
"""Under this mean of its strongest channel (0..1) a picture is dark."""
STEEP = 20.0


def graph(  # noqa: PLR0913 - a network has as many ways to differ
    *, layout: str = "nchw", batch: int | str = "N", opset: int = 18, ending: str = "logits", order: str = "rgb",
    dtype: int = TensorProto.FLOAT, reshape: tuple[int, ...] = (-1, 3), side: int | str = SIDE, extra: tuple[int, ...] = (),
    unit: float = 1.0, center: tuple[float, float, float] = (0.0, 0.0, 0.0), names: tuple[str, str] = ("x", "y"),
) -> onnx.ModelProto:  # fmt: skip
    """A box filter, the mean of each channel, and a Gemm: the strongest channel wins, or dark.

    It wants values of (0..1 - `center`) x `unit`, channels in `order`; `reshape` are the constant dimensions before the Gemm;
    `ending` is what its output is: logits, Softmax, LogSoftmax, Sigmoid, or Square for what says nothing.
    """
    kind = np.float16 if dtype == TensorProto.FLOAT16 else np.float64 if dtype == TensorProto.DOUBLE else np.float32
    places = [order.index(c) for c in "rgb"]
    weights = np.zeros((4, 3))
    for label, place in enumerate(places, 1):
        weights[label, place] = STEEP / unit
    offsets = np.array([STEEP * DARK, *(STEEP * center[place] for place in places)])
    box = np.zeros((3, 3, 3, 3))
    for channel in range(3):
        box[channel, channel] = 1 / 9
    constants = {"box": box, "weights": weights, "offsets": offsets}
    initializers = [numpy_helper.from_array(value.astype(kind), name) for name, value in constants.items()]
    initializers.append(numpy_helper.from_array(np.array(reshape, np.int64), "dims"))
    picture = [3, side, side] if layout == "nchw" else [side, side, 3]
    nodes, last = [], names[0]
    if extra:
        initializers.append(numpy_helper.from_array(np.array([-1, *picture], np.int64), "plain"))
        nodes.append(helper.make_node("Reshape", [last, "plain"], ["squeezed"]))
        last = "squeezed"
    if layout == "nhwc":
        nodes.append(helper.make_node("Transpose", [last], ["planes"], perm=[0, 3, 1, 2]))
        last = "planes"
    nodes += [
        helper.make_node("Conv", [last, "box"], ["blurred"], kernel_shape=[3, 3], auto_pad="VALID"),
        helper.make_node("GlobalAveragePool", ["blurred"], ["means"]),
        helper.make_node("Reshape", ["means", "dims"], ["row"]),
        helper.make_node("Gemm", ["row", "weights", "offsets"], ["scores"], transB=1),
        _end(ending, names[1], opset),
    ]
    return helper.make_model(
        helper.make_graph(
            nodes, "colors",
            [helper.make_tensor_value_info(names[0], dtype, [batch, *extra, *picture])],
            [helper.make_tensor_value_info(names[1], dtype, [batch, 4])],
            initializers,
        ),
        opset_imports=[helper.make_opsetid("", opset)], ir_version=8 if opset > 8 else 3, producer_name="tests",
    )  # fmt: skip


def _end(ending: str, name: str, opset: int) -> onnx.NodeProto:
    if ending == "logits":
        return helper.make_node("Identity", ["scores"], [name])
    if ending == "Square":
        return helper.make_node("Mul", ["scores", "scores"], [name])
    return helper.make_node(ending, ["scores"], [name], **({} if ending == "Sigmoid" else {"axis": 1}))


def picture(label: str, rng: np.random.Generator, side: int = 20) -> np.ndarray:
    """(side, side, 3) uint8 blue-green-red: one channel of 110 to 250 and the others below 50, or all three below 60."""
    levels = rng.integers(0, 50, 3) if label != "dark" else rng.integers(0, 60, 3)
    if label != "dark":
        levels[("blue", "green", "red").index(label)] = rng.integers(110, 250)
    noise = rng.normal(0, 6, (side, side, 3))
    return np.clip(levels + noise, 0, 255).astype(np.uint8)


def write_pictures(folder: Path, count: int = 30) -> Path:
    """Write `count` pictures of each label to folder/<label>/000.png ..."""
    rng = np.random.default_rng(0)
    for label in LABELS:
        (folder / label).mkdir(parents=True)
        for i in range(count):
            cv2.imwrite(str(folder / label / f"{i:03}.png"), picture(label, rng))
    return folder


def write(path: Path, **given: object) -> Path:
    """Write a graph, see `graph`."""
    path.write_bytes(graph(**given).SerializeToString())  # type: ignore[arg-type]
    return path


def ultralytics(path: Path, **changes: str) -> Path:
    """Write a graph with the metadata that Ultralytics' exporter writes beside a classifier; `changes` go over them."""
    model = graph(batch=1, ending="Softmax", opset=17, reshape=(1, 3), names=("images", "output0"))
    metadata = {
        "description": "Ultralytics YOLO11n-cls model on colors", "author": "Ultralytics", "date": "2025-01-01T00:00:00",
        "version": "8.3.99", "license": "AGPL-3.0 License (https://ultralytics.com/license)", "docs": "https://docs.ultralytics.com",
        "stride": "1", "task": "classify", "batch": "1", "imgsz": f"[{SIDE}, {SIDE}]", "names": str(dict(enumerate(LABELS))),
        "args": "{'batch': 1, 'half': False, 'dynamic': False, 'simplify': True, 'opset': None, 'nms': False}", "channels": "3",
    }  # fmt: skip
    helper.set_model_props(model, {name: text for name, text in {**metadata, **changes}.items() if text})
    path.write_bytes(model.SerializeToString())
    return path
