"""Infer the shape of an operator's output from the shapes of its inputs and small constants; never too small a shape."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from edgecls.model.vet.known import Shape, Sizes
    from edgecls.model.vet.protobuf import Node

MOST_AXES = 16


def shape_of(node: Node, sizes: Sizes) -> Shape | None:
    """Return the shape of a node's outputs, or an upper bound of it; None if unknown."""
    try:
        shape = _RULES.get(node.operator, _unknown)(node, sizes)
    except (IndexError, ValueError, TypeError, ZeroDivisionError, OverflowError):
        return None  # damaged, or a case that the rules do not cover; ONNX Runtime reports errors
    return None if shape is None else tuple(max(0, int(n)) for n in shape)


def _unknown(_node: Node, _sizes: Sizes) -> Shape | None:
    return None


def _like_input(node: Node, sizes: Sizes) -> Shape | None:
    return sizes.shape(node, 0)


def _broadcast(node: Node, sizes: Sizes) -> Shape | None:
    return _broadcast_shapes([sizes.shapes[name] for name in node.inputs if name])


def _broadcast_shapes(shapes: Sequence[Shape | None]) -> Shape | None:
    known = [shape for shape in shapes if shape is not None]
    if len(known) != len(shapes):
        return None
    rank = max(map(len, known), default=0)
    return tuple(max(column) for column in zip(*((1,) * (rank - len(s)) + s for s in known), strict=True))


def _constant_of_shape(node: Node, sizes: Sizes) -> Shape | None:
    found = sizes.integers(node, "", 0)
    return None if found is None else tuple(found)


def _expand(node: Node, sizes: Sizes) -> Shape | None:
    found = sizes.integers(node, "", 1)
    return _broadcast_shapes([sizes.shape(node, 0), None if found is None else tuple(found)])


def _tile(node: Node, sizes: Sizes) -> Shape | None:
    shape, repeats = sizes.shape(node, 0), sizes.integers(node, "", 1)
    return None if shape is None or repeats is None else tuple(n * r for n, r in zip(shape, repeats, strict=True))


def _range(node: Node, sizes: Sizes) -> Shape | None:
    values = [sizes.value(node, i) for i in range(3)]
    start, limit, delta = (float(v.reshape(-1)[0]) for v in values if v is not None)
    return (math.ceil((limit - start) / delta),)


def _one_hot(node: Node, sizes: Sizes) -> Shape | None:
    shape, depth = sizes.shape(node, 0), sizes.integers(node, "", 1)
    return None if shape is None or not depth else (*shape, depth[0])


def _pad(node: Node, sizes: Sizes) -> Shape | None:
    shape, pads, axes = sizes.shape(node, 0), sizes.integers(node, "pads", 1), sizes.integers(node, "", 3)
    if shape is None or pads is None or (len(node.inputs) > 3 and node.inputs[3] and axes is None):
        return None
    padded = list(shape)
    axes = list(range(len(shape))) if axes is None else axes
    for i, axis in enumerate(axes):
        padded[axis] += pads[i] + pads[i + len(axes)]
    return tuple(padded)


def _gather_nd(node: Node, sizes: Sizes) -> Shape | None:
    data, indices = sizes.shape(node, 0), sizes.shape(node, 1)
    if data is None or indices is None:
        return None
    return (*indices[:-1], *data[int(node.numbers.get("batch_dims", [0])[0]) + indices[-1] :])


def _non_zero(node: Node, sizes: Sizes) -> Shape | None:
    shape = sizes.shape(node, 0)
    return None if shape is None else (len(shape), math.prod(shape))


def _top_k(node: Node, sizes: Sizes) -> Shape | None:
    shape, count = sizes.shape(node, 0), sizes.integers(node, "k", 1)
    if shape is None or count is None:
        return shape
    found = list(shape)
    found[int(node.numbers.get("axis", [-1])[0])] = min(count[0], max(shape))
    return tuple(found)


def _non_max_suppression(node: Node, sizes: Sizes) -> Shape | None:
    scores = sizes.shape(node, 1)
    return None if scores is None else (math.prod(scores), 3)


def _resize(node: Node, sizes: Sizes) -> Shape | None:
    shape = sizes.shape(node, 0)
    if shape is None:
        return None
    axes = [int(n) for n in node.numbers.get("axes", range(len(shape)))]
    to = sizes.integers(node, "", 3) if node.operator == "Resize" else None
    if not to:
        which = 1 if node.operator == "Upsample" or len(node.inputs) == 2 else 2
        scales = node.numbers.get("scales") or sizes.value(node, which)
        to = None if scales is None else [math.floor(shape[a] * float(s)) for a, s in zip(axes, scales, strict=True)]
    if to is None:
        return None
    resized = list(shape)
    for axis, n in zip(axes, to, strict=True):
        resized[axis] = n
    return tuple(resized)


def _matmul(node: Node, sizes: Sizes) -> Shape | None:
    left, right = sizes.shape(node, 0), sizes.shape(node, 1)
    if left is None or right is None:
        return None
    if len(left) < 2 or len(right) < 2:
        return (*left[:-1], *right[:-2], *right[-1:]) if len(right) > 1 else left[:-1]
    return (*(_broadcast_shapes([left[:-2], right[:-2]]) or ()), left[-2], right[-1])


def _gemm(node: Node, sizes: Sizes) -> Shape | None:
    left, right = sizes.shape(node, 0), sizes.shape(node, 1)
    if left is None or right is None:
        return None
    flip = [bool(node.numbers.get(name, [0])[0]) for name in ("transA", "transB")]
    return left[1 if flip[0] else 0], right[0 if flip[1] else 1]


def _window_counts(node: Node, shape: Shape, kernel: Sequence[int]) -> list[int]:
    """Return the number of positions of a window along each axis: the size of the output."""
    count = len(shape)
    strides, dilations = ([int(n) for n in node.numbers.get(name, [1] * count)] for name in ("strides", "dilations"))
    pads = [int(n) for n in node.numbers.get("pads", [0] * 2 * count)]
    if node.same:
        return [math.ceil(n / stride) for n, stride in zip(shape, strides, strict=True)]
    rounded = math.ceil if node.numbers.get("ceil_mode", [0])[0] else math.floor
    spans = [dilations[i] * (kernel[i] - 1) + 1 for i in range(count)]
    return [rounded((shape[i] + pads[i] + pads[i + count] - spans[i]) / strides[i]) + 1 for i in range(count)]


def _conv(node: Node, sizes: Sizes) -> Shape | None:
    shape, weights = sizes.shape(node, 0), sizes.shape(node, 1)
    return None if shape is None or weights is None else (shape[0], weights[0], *_window_counts(node, shape[2:], weights[2:]))


def _pool(node: Node, sizes: Sizes) -> Shape | None:
    shape = sizes.shape(node, 0)
    kernel = [int(n) for n in node.numbers["kernel_shape"]] if "kernel_shape" in node.numbers else None
    return None if shape is None or kernel is None else (*shape[:2], *_window_counts(node, shape[2:], kernel))


def _global_pool(node: Node, sizes: Sizes) -> Shape | None:
    shape = sizes.shape(node, 0)
    return None if shape is None else (*shape[:2], *(1 for _ in shape[2:]))


def _conv_transpose(node: Node, sizes: Sizes) -> Shape | None:
    shape, weights = sizes.shape(node, 0), sizes.shape(node, 1)
    if shape is None or weights is None:
        return None
    count = len(shape) - 2
    strides, dilations, output_padding = (
        [int(n) for n in node.numbers.get(name, [value] * count)]
        for name, value in (("strides", 1), ("dilations", 1), ("output_padding", 0))
    )
    default = [
        strides[i] * (shape[2 + i] - 1) + output_padding[i] + dilations[i] * (weights[2 + i] - 1) + 1 for i in range(count)
    ]
    to = [int(n) for n in node.numbers.get("output_shape", default)]
    return (shape[0], weights[1] * int(node.numbers.get("group", [1])[0]), *to)


def _concat(node: Node, sizes: Sizes) -> Shape | None:
    shapes = [sizes.shapes[name] for name in node.inputs]
    if any(shape is None for shape in shapes):
        return None
    known = [shape for shape in shapes if shape is not None]
    joined, axis = list(known[0]), int(node.numbers.get("axis", [1])[0])
    joined[axis] = sum(shape[axis] for shape in known)
    return tuple(joined)


def _reshape(node: Node, sizes: Sizes) -> Shape | None:
    shape, to = sizes.shape(node, 0), sizes.integers(node, "shape", 1)
    if shape is None or to is None:
        return None
    dims = [shape[i] if n == 0 and not node.numbers.get("allowzero", [0])[0] else n for i, n in enumerate(to)]
    rest = math.prod(n for n in dims if n != -1)
    return tuple(math.prod(shape) // rest if n == -1 else n for n in dims)


def _transpose(node: Node, sizes: Sizes) -> Shape | None:
    shape = sizes.shape(node, 0)
    return None if shape is None else tuple(shape[int(i)] for i in node.numbers.get("perm", range(len(shape))[::-1]))


def _flatten(node: Node, sizes: Sizes) -> Shape | None:
    shape, axis = sizes.shape(node, 0), int(node.numbers.get("axis", [1])[0])
    return None if shape is None else (math.prod(shape[:axis]), math.prod(shape[axis:]))


def _squeeze(node: Node, sizes: Sizes) -> Shape | None:
    shape, axes = sizes.shape(node, 0), sizes.integers(node, "axes", 1)
    if shape is None:
        return None
    removed = [i for i, n in enumerate(shape) if n == 1] if axes is None else [a % len(shape) for a in axes]
    return tuple(n for i, n in enumerate(shape) if i not in removed)


def _unsqueeze(node: Node, sizes: Sizes) -> Shape | None:
    shape, axes = sizes.shape(node, 0), sizes.integers(node, "axes", 1)
    if shape is None or axes is None:
        return None
    rank, rest = len(shape) + len(axes), iter(shape)
    new = {a % rank for a in axes}
    return tuple(1 if i in new else next(rest) for i in range(rank))


def _gather(node: Node, sizes: Sizes) -> Shape | None:
    shape, indices, axis = sizes.shape(node, 0), sizes.shape(node, 1), int(node.numbers.get("axis", [0])[0])
    if shape is None or indices is None:
        return None
    axis %= max(1, len(shape))
    return (*shape[:axis], *indices, *shape[axis + 1 :])


def _reduce(node: Node, sizes: Sizes) -> Shape | None:
    shape, axes, keepdims = sizes.shape(node, 0), sizes.integers(node, "axes", 1), node.numbers.get("keepdims", [1])[0]
    if shape is None or (axes is None and len(node.inputs) > 1 and node.inputs[1]):
        return None
    removed = set(range(len(shape))) if axes is None else {a % len(shape) for a in axes}
    return tuple(1 if i in removed else n for i, n in enumerate(shape) if keepdims or i not in removed)


def _arg(node: Node, sizes: Sizes) -> Shape | None:
    shape, keepdims = sizes.shape(node, 0), node.numbers.get("keepdims", [1])[0]
    if shape is None:
        return None
    removed = int(node.numbers.get("axis", [0])[0]) % len(shape)
    return tuple(1 if i == removed else n for i, n in enumerate(shape) if keepdims or i != removed)


def _grid_sample(node: Node, sizes: Sizes) -> Shape | None:
    data, points = sizes.shape(node, 0), sizes.shape(node, 1)
    return None if data is None or points is None else (*data[:2], *points[1:-1])


def _rank(node: Node, sizes: Sizes) -> Shape | None:
    shape = sizes.shape(node, 0)
    return (MOST_AXES if shape is None else len(shape),)


_BROADCASTING = (
    "Add", "And", "BitShift", "Div", "Equal", "Greater", "GreaterOrEqual", "Less", "LessOrEqual", "Max", "Mean", "Min", "Mod",
    "Mul", "Or", "PRelu", "Pow", "Sub", "Sum", "Where", "Xor",
)  # fmt: skip
_LIKE_INPUT = (
    "Abs", "BatchNormalization", "Cast", "CastLike", "Ceil", "Celu", "Clip", "DequantizeLinear", "Dropout", "Elu", "Erf", "Exp",
    "EyeLike", "Floor", "Gelu", "GroupNormalization", "HardSigmoid", "HardSwish", "Identity", "InstanceNormalization", "LRN",
    "LayerNormalization", "LeakyRelu", "Log", "LogSoftmax", "LpNormalization", "Mish", "Neg", "Not", "QuantizeLinear",
    "Reciprocal", "Relu", "Round", "Selu", "Shrink", "Sigmoid", "Sign", "Slice", "Softmax", "Softplus", "Softsign", "Split",
    "Sqrt", "Swish", "Tanh", "ThresholdedRelu", "Trilu",
)  # fmt: skip
"""Operators whose output is as large as their first input, or smaller (Slice, Split). How much smaller matters only for the
values of shapes, which `edgecls.model.vet.values` computes.
"""
_RULES: Mapping[str, Callable[[Node, Sizes], Shape | None]] = {
    **dict.fromkeys(_BROADCASTING, _broadcast),
    **dict.fromkeys(_LIKE_INPUT, _like_input),
    **dict.fromkeys((f"Reduce{name}" for name in ("L1", "L2", "LogSum", "LogSumExp", "Max", "Mean", "Min", "Prod", "Sum",
                                                  "SumSquare")), _reduce),
    **dict.fromkeys(("ArgMax", "ArgMin"), _arg),
    **dict.fromkeys(("AveragePool", "LpPool", "MaxPool"), _pool),
    **dict.fromkeys(("GlobalAveragePool", "GlobalLpPool", "GlobalMaxPool"), _global_pool),
    **dict.fromkeys(("Resize", "Upsample"), _resize),
    "Concat": _concat, "ConstantOfShape": _constant_of_shape, "Conv": _conv, "ConvTranspose": _conv_transpose,
    "Expand": _expand, "Flatten": _flatten, "Gather": _gather,
    "GatherElements": lambda node, sizes: sizes.shape(node, 1), "GatherND": _gather_nd, "Gemm": _gemm,
    "GridSample": _grid_sample,
    "MatMul": _matmul, "NonMaxSuppression": _non_max_suppression, "NonZero": _non_zero, "OneHot": _one_hot, "Pad": _pad,
    "Range": _range, "Reshape": _reshape, "Shape": _rank, "Squeeze": _squeeze, "Tile": _tile, "TopK": _top_k,
    "Transpose": _transpose, "Unsqueeze": _unsqueeze,
}  # fmt: skip
