"""Limit the sizes of the tensors of a graph, before ONNX Runtime loads it.

When ONNX Runtime loads a model, it computes and keeps all tensors that depend only on constants (constant folding). A Tile, a
Range, or the product of a column and a row can turn a few bytes into gigabytes. This module therefore infers the shape of every
tensor, for a batch of one picture, from the shapes and small constants in the file.

Limits, in elements (not bytes):

- MOST_OF_A_TENSOR for each tensor, for a batch of one picture.
- For all computed constants together, the larger of SMALL_CONSTANTS and TIMES_THE_FILE times the bytes of the file: weights
  may be converted to a wider type, but not multiplied.

If the shape of a computed constant cannot be inferred, it counts as the product of the sizes of its inputs (their sum for
Concat), and is rejected if its operator is one of SIZED. A tensor of unknown shape that depends on the picture has no limit.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from edgecls.model.vet.known import Sizes
from edgecls.model.vet.shapes import shape_of
from edgecls.model.vet.values import value_of

if TYPE_CHECKING:
    from edgecls.model.vet.known import Shape
    from edgecls.model.vet.protobuf import Node, Walk

MOST_OF_A_TENSOR = 2**28
SMALL_CONSTANTS = 2**26
TIMES_THE_FILE = 8

SIZED = frozenset({
    "AffineGrid", "BlackmanWindow", "CenterCropPad", "Col2Im", "ConstantOfShape", "ConvTranspose", "DFT", "Expand",
    "HammingWindow", "HannWindow", "ImageDecoder", "MaxRoiPool", "MaxUnpool", "MelWeightMatrix", "OneHot", "Pad", "Range",
    "Resize", "RoiAlign", "STFT", "Tile", "Upsample",
})  # fmt: skip
"""Operators whose output size is given by the value of an input or attribute, so the input shapes do not limit it."""


def check_sizes(walk: Walk) -> None:
    """Raise ModelError if a tensor, or all computed constants together, exceed the limits, or if nodes are out of order."""
    shapes: dict[str, Shape | None] = {name: tuple(max(n, 1) for n in dims) for name, dims in walk.inputs.items()}
    shapes.update({name: tuple(dims) for name, dims in walk.shapes.items()})
    sizes = Sizes(shapes, dict(walk.small), set(walk.shapes))
    limit = max(SMALL_CONSTANTS, TIMES_THE_FILE * len(walk.data))
    for node in walk.nodes:
        if node.operator == "Constant":
            continue
        unknown = next((name for name in node.inputs if name and name not in sizes.shapes), None)
        if unknown is not None:
            raise walk.refuse(f"its operator {node.operator} reads {unknown!r}, which no node before it computes")
        _check_node(walk, node, sizes, limit)


def _check_node(walk: Walk, node: Node, sizes: Sizes, limit: int) -> None:
    given = [name for name in node.inputs if name]
    is_constant = all(name in sizes.constant for name in given) or node.operator == "Shape"
    shape, value = shape_of(node, sizes), value_of(node, sizes)
    if shape is None and is_constant:
        if node.operator in SIZED:
            raise walk.refuse(f"its operator {node.operator} computes a constant whose size cannot be inferred")
        combined = sum if node.operator == "Concat" else math.prod
        shape = (combined(math.prod(sizes.shapes[name] or ()) for name in given),)
    elements = math.prod(shape or ())
    if elements > MOST_OF_A_TENSOR:
        raise walk.refuse(f"its operator {node.operator} would compute a tensor of {elements:,} elements {list(shape or ())}")
    for name in filter(None, node.outputs):
        sizes.shapes[name] = shape
        if value is not None:
            sizes.values[name] = value
        if is_constant:
            sizes.constant.add(name)
            sizes.constant_elements += elements
    if sizes.constant_elements > limit:
        raise walk.refuse(
            f"loading it would compute constants of {sizes.constant_elements:,} elements, from a file of "
            f"{len(walk.data):,} bytes, at its operator {node.operator}"
        )
