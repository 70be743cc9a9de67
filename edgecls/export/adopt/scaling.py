"""Find the range of values that a graph expects from how it scales the levels of a picture before its first layer.

Keras' Rescaling, Normalization and `preprocess_input`, and the normalization in PyTorch networks, are sums and products with
constants: y = (x - mean) / std. Operators that only move or shrink pixels do not change their range.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from edgecls import extras

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    import onnx
    from numpy.typing import NDArray

KEEPS_LEVELS = frozenset(
    [
        "AveragePool",
        "Cast",
        "Clip",
        "Concat",
        "DepthToSpace",
        "Dropout",
        "Flatten",
        "Gather",
        "Identity",
        "MaxPool",
        "Pad",
        "Reshape",
        "Resize",
        "ReverseSequence",
        "Slice",
        "SpaceToDepth",
        "Split",
        "Squeeze",
        "Transpose",
        "Unsqueeze",
        "Upsample",
    ]
)
LEAST_STD = 20.0
"""Levels of 0..255 have a standard deviation of 40 to 80, far above that of any other usual range."""
LARGEST_UNIT_MEAN = 2.0
"""A mean above this belongs to the range 0..255."""
UNIT_MEANS, UNIT_STDS = (0.2, 0.8), (0.1, 0.6)
"""The ranges of mean and standard deviation for values of 0..1: usually 0.485 and 0.229, or 0.5 and 0.5."""


class _Affine(NamedTuple):
    """factor * level + offset; each is one number, or one per channel."""

    factor: NDArray[np.float64]
    offset: NDArray[np.float64]


_AS_IT_IS = _Affine(np.ones(1), np.zeros(1))


def own_values(model: onnx.ModelProto) -> str:
    """Return the setting `values` that the graph needs, "0..255" or "0..1"; "" if its nodes do not show it."""
    onnx = extras.load("onnx", extra="export", purpose="Adopting a model")
    constants = {i.name: i for i in model.graph.initializer}
    for node in model.graph.node:
        if node.op_type == "Constant" and node.attribute[0].name == "value":
            constants[node.output[0]] = node.attribute[0].t
    found = {i.name: _AS_IT_IS for i in model.graph.input if i.name not in constants}
    read: list[_Affine] = []
    for node in model.graph.node:
        data = [found[name] for name in node.input if name in found]
        if not data or node.op_type in ("Shape", "Size"):
            continue  # reads no levels
        beside = [onnx.numpy_helper.to_array(constants[name]) for name in node.input if name in constants]
        after = _after(node, data, beside, first=node.input[0] in found)
        if after is None:
            read += data
        else:
            found.update(dict.fromkeys(node.output, after))
    wanted = {_wanted(affine) for affine in read}
    return wanted.pop() if len(wanted) == 1 else ""


def _after(node: onnx.NodeProto, data: list[_Affine], beside: list[NDArray[np.generic]], *, first: bool) -> _Affine | None:
    """Return the scaling after a node; None if it is more than a sum and a product of each level with constants."""
    if node.op_type in KEEPS_LEVELS:
        return data[0] if len(data) == 1 else _Affine(_joined(a.factor for a in data), _joined(a.offset for a in data))
    if node.op_type not in _STEPS or len(data) != 1 or len(beside) != 1 or beside[0].dtype.kind not in "fiu":
        return None
    (affine,), constant = data, beside[0].reshape(-1).astype(np.float64)
    if len({len(constant), len(affine.factor), len(affine.offset), 1}) > 2 or not len(constant):
        return None  # neither one number nor one per channel
    return _STEPS[node.op_type](affine, constant) if first or node.op_type in ("Mul", "Add") else None


_STEPS: Mapping[str, Callable[[_Affine, NDArray[np.float64]], _Affine]] = {
    "Mul": lambda a, c: _Affine(a.factor * c, a.offset * c),
    "Div": lambda a, c: _Affine(a.factor / np.where(c == 0, np.inf, c), a.offset / np.where(c == 0, np.inf, c)),
    "Add": lambda a, c: _Affine(a.factor, a.offset + c),
    "Sub": lambda a, c: _Affine(a.factor, a.offset - c),
}


def _joined(parts: Iterable[NDArray[np.float64]]) -> NDArray[np.float64]:
    return np.concatenate(list(parts))


def _wanted(affine: _Affine) -> str:
    """Return the range of values for which this scaling is usual; "" if unknown."""
    factor, offset = np.broadcast_arrays(affine.factor, affine.offset)
    if not (np.isfinite(factor).all() and np.isfinite(offset).all() and (factor > 0).all()):
        return ""
    std, mean = 1 / factor, -offset / factor
    if std.max() >= LEAST_STD or mean.max() > LARGEST_UNIT_MEAN:
        return "0..255"
    is_unit = (mean >= UNIT_MEANS[0]) & (mean <= UNIT_MEANS[1]) & (std >= UNIT_STDS[0]) & (std <= UNIT_STDS[1])
    return "0..1" if is_unit.all() else ""
