"""What is known about the tensors of a graph while their shapes are inferred."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from edgecls.model.vet.protobuf import Node

    Shape = tuple[int, ...]
    Values = NDArray[np.generic]


@dataclass(slots=True)
class Sizes:
    """What is known about the tensors so far, by name.

    Attributes:
        shapes: Their shapes; None if unknown.
        values: The values of small tensors, as far as they are known.
        constant: The tensors that depend only on constants.
        constant_elements: The number of elements that the graph computes from constants.
    """

    shapes: dict[str, Shape | None]
    values: dict[str, Values]
    constant: set[str]
    constant_elements: int = 0

    def shape(self, node: Node, i: int) -> Shape | None:
        """Return the shape of input `i` of a node; None if unknown."""
        return self.shapes.get(node.inputs[i]) if i < len(node.inputs) else None

    def value(self, node: Node, i: int) -> Values | None:
        """Return the values of input `i` of a node; None if unknown."""
        return self.values.get(node.inputs[i]) if i < len(node.inputs) and node.inputs[i] else None

    def integers(self, node: Node, name: str, i: int) -> list[int] | None:
        """Return the integers of the attribute `name`, or else of input `i`; None if unknown."""
        if name in node.numbers:
            return [int(n) for n in node.numbers[name]]
        value = self.value(node, i)
        return None if value is None else [int(n) for n in np.nan_to_num(value.reshape(-1).astype(np.float64), posinf=2**62)]
