"""Compute the values of small integer and float tensors in a graph, such as shapes, pads and scales."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from numpy.typing import NDArray

    from edgecls.model.vet.known import Sizes, Values
    from edgecls.model.vet.protobuf import Node

MOST_VALUES = 64
"""The most elements of such a tensor: shapes, pads and scales have fewer."""


def value_of(node: Node, sizes: Sizes) -> Values | None:
    """Return the values of a node's output; None if it has more than MOST_VALUES or they cannot be computed."""
    if node.operator == "Shape":
        shape = sizes.shape(node, 0)
        return None if shape is None else np.array(shape, np.int64)
    values = [sizes.value(node, i) for i in range(len(node.inputs))]
    if node.operator not in _OPERATORS or any(v is None for v in values):
        return None
    try:
        with np.errstate(all="ignore"):
            output = np.asarray(_OPERATORS[node.operator](node, [v for v in values if v is not None]))
    except (IndexError, ValueError, TypeError, OverflowError):
        return None
    return output if output.size <= MOST_VALUES else None


def _divide(_node: Node, values: list[Values]) -> Values:
    left, right = values
    integer = left.dtype.kind in "iu" and right.dtype.kind in "iu"
    return np.asarray(np.trunc(np.true_divide(left, right)).astype(np.int64) if integer else np.true_divide(left, right))


def _slice(_node: Node, values: list[Values]) -> Values:
    data, start, stop, *rest = values
    step = int(rest[1].reshape(-1)[0]) if len(rest) > 1 else 1
    return data.reshape(-1)[int(start.reshape(-1)[0]) : int(stop.reshape(-1)[0]) : step]


def _of_row(values: Values) -> NDArray[np.float64]:
    """Return the values of a row, all of which an operator reduces. Raises ValueError for others."""
    if values.ndim > 1:
        raise ValueError
    return values.astype(np.float64).reshape(-1)


def _all_alike(values: Values) -> Values:
    """Return values that are all the same, such as pads of 0, whose order does not matter. Raises ValueError for others."""
    if not (values == values.reshape(-1)[:1]).all():
        raise ValueError
    return values


def _constant_of_shape(_node: Node, values: list[Values]) -> Values:
    count = math.prod(int(n) for n in values[0].reshape(-1))
    if not 0 <= count <= MOST_VALUES:
        raise ValueError
    return np.ones(count, np.int64)  # the value attribute is not read; where shapes are computed, it is 1


_OPERATORS: Mapping[str, Callable[[Node, list[Values]], object]] = {
    "Add": lambda _node, v: np.add(v[0], v[1]),
    "Ceil": lambda _node, v: np.ceil(v[0]),
    "Concat": lambda _node, v: np.concatenate([part.reshape(-1) for part in v]),
    "ConstantOfShape": _constant_of_shape,
    "Div": _divide,
    "Equal": lambda _node, v: np.equal(v[0], v[1]),
    "Floor": lambda _node, v: np.floor(v[0]),
    "Gather": lambda _node, v: v[0].reshape(-1)[v[1].astype(np.int64)],
    "Max": lambda _node, v: np.maximum(v[0], v[-1]),
    "Min": lambda _node, v: np.minimum(v[0], v[-1]),
    "Mul": lambda _node, v: np.multiply(v[0], v[1]),
    "Neg": lambda _node, v: np.negative(v[0]),
    "ReduceMax": lambda _node, v: _of_row(v[0]).max(),
    "ReduceMin": lambda _node, v: _of_row(v[0]).min(),
    "ReduceProd": lambda _node, v: np.asarray(v[0].astype(np.float64).prod()).reshape(-1),
    "Slice": _slice,
    "Sqrt": lambda _node, v: np.sqrt(v[0]),
    "Sub": lambda _node, v: np.subtract(v[0], v[1]),
    "Transpose": lambda _node, v: _all_alike(v[0]),
    "Where": lambda _node, v: np.where(v[0], v[1], v[2]),
    **dict.fromkeys(("Cast", "Identity", "Reshape", "Squeeze", "Unsqueeze"), lambda _node, v: v[0]),
}
