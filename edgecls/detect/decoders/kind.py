"""What the table of decoders consists of."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from numpy.typing import NDArray

    from edgecls.detect.boxes import Boxes
    from edgecls.detect.input import DetectorFit, Order
    from edgecls.input_spec import Interpolation

Outputs: TypeAlias = "Mapping[str, NDArray[Any]]"
"""What a detector gives for one picture, by the name that the decoder gives each output, such as "boxes"."""
Decode: TypeAlias = "Callable[[Outputs, tuple[int, int], float], Boxes]"
"""From outputs, (height, width) of the input in pixels, and the lowest score, to boxes in pixels of the input."""


RT_DETR_HEAD = "RTDETRDecoder"
"""The last layer of Ultralytics' RT-DETR."""
LARGEST_FRACTION = 2
"""Boxes may reach beyond the input, but not by more than its size."""


@dataclass(frozen=True, slots=True)
class Seen:
    """What is known of a detector before its kind is.

    Attributes:
        outputs: What it gave for one picture, by the names in the file.
        size_hw: Height and width of its input in pixels.
        classes: The number of its classes; 0 if unknown.
        head: The name of its last layer in the metadata of Ultralytics; "" if unknown.
        sized: Whether it takes the size of the frame too, and scales its boxes itself.
    """

    outputs: Mapping[str, NDArray[Any]]
    size_hw: tuple[int, int]
    classes: int = 0
    head: str = ""
    sized: bool = False

    @property
    def only(self) -> NDArray[Any] | None:
        """The only output, if it is (1, N, M) of floats."""
        values = list(self.outputs.values())
        one = values[0] if len(values) == 1 else np.zeros(0)
        return one if one.ndim == 3 and len(one) == 1 and one.dtype.kind == "f" else None

    def named(self, *names: str) -> dict[str, str] | None:
        """Return the outputs with these names, each as itself; None unless all exist. What follows a ":" is ignored."""
        known = {name.split(":")[0]: name for name in self.outputs}
        return {name: known[name] for name in names} if all(name in known for name in names) else None

    def agrees(self, classes: int) -> bool:
        """Whether a number of classes is possible, and the known one if it is known."""
        return classes >= 1 and self.classes in (0, classes)


@dataclass(frozen=True, slots=True)
class Suppression:
    """How boxes of one object are reduced to one.

    Attributes:
        overlap: The largest intersection over union of two boxes of a class.
        most: The largest number of boxes of a frame.
    """

    overlap: float
    most: int = 300


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of detector.

    Attributes:
        name: Its name, as for `kind`.
        about: The makers and versions, in words.
        shapes: Its outputs, in words, for A candidates, C classes and an input of H x W.
        roles: Returns which output of the file has which role for `decode`, or None if the outputs are not of this kind.
        decode: Returns the candidates, see `Decode`.
        classes: Returns the number of classes from the outputs by role; 0 if they do not show it.
        color: The usual channel order.
        values: The usual scaling, a key of `edgecls.export.adopt.preprocessing.VALUES`.
        mean: The usual mean, which replaces that of `values`, in the order of the channels.
        std: The usual standard deviation, in the same way.
        fit: How a frame is usually fitted.
        interpolation: How it is usually shrunk.
        suppression: The maker's suppression; None if it is built in or not needed.
        first_class: The number that the outputs give the first class.
        sigmoid: The role of an output of scores that gets a sigmoid if it is not from 0 to 1; "" if none.
        box_axis: The axis of the only output along which the four numbers of a box come first, in pixels. Converted from
            TensorFlow Lite they are in fractions of the input, and the graph gets a product. 0 if that cannot be.
    """

    name: str
    about: str
    shapes: str
    roles: Callable[[Seen], dict[str, str] | None]
    decode: Decode
    classes: Callable[[Outputs], int]
    color: Order = "rgb"
    values: str = "0..1"
    mean: tuple[float, ...] = ()
    std: tuple[float, ...] = ()
    fit: DetectorFit = "letterbox"
    interpolation: Interpolation = "linear"
    suppression: Suppression | None = None
    first_class: int = 0
    sigmoid: str = ""
    box_axis: int = 0
    extra_classes: tuple[int, ...] = field(default=(0,))
    """How many outputs more than names there may be: 1 if the last one stands for the background."""


def in_fractions(seen: Seen) -> bool:
    """Whether the boxes of the only output are in fractions of the input, as those of Ultralytics' RT-DETR, not in pixels."""
    if seen.head:
        return seen.head == RT_DETR_HEAD
    one = seen.only
    return one is not None and _are_fractions(one[..., :4])


def _are_fractions(boxes: NDArray[Any]) -> bool:
    return bool(0 < boxes.max(initial=0) <= LARGEST_FRACTION)


def has_corners(seen: Seen) -> bool:
    """Whether the boxes of the only output are corners: of center and size, the size is seldom the larger part in all boxes."""
    one = seen.only
    is_known = seen.head == RT_DETR_HEAD
    return one is not None and not is_known and bool((one[..., 2:4] >= one[..., :2]).all())


def to_pixels(candidates: NDArray[Any], axis: int, size_hw: tuple[int, int]) -> NDArray[Any] | None:
    """Return the factors that bring boxes in fractions of the input to pixels. None if they are in pixels already.

    Args:
        candidates: An output, the numbers of a candidate along one axis.
        axis: That axis. The first four numbers are the box.
        size_hw: Height and width of the input in pixels.

    Returns:
        The factors of all numbers of a candidate, of the same type, with one entry along the other axes.
    """
    rows = np.moveaxis(candidates, axis, -1)
    if not _are_fractions(rows[..., :4]):
        return None
    factors = np.ones(rows.shape[-1], rows.dtype)
    factors[:4] = [size_hw[1], size_hw[0]] * 2
    return factors.reshape([-1 if i == axis else 1 for i in range(candidates.ndim)])


def cells(size_hw: tuple[int, int], strides: tuple[int, ...]) -> int:
    """Return the number of cells of the grids with these strides, in pixels."""
    return sum(-(-size_hw[0] // stride) * -(-size_hw[1] // stride) for stride in strides)


def grid(size_hw: tuple[int, int], strides: tuple[int, ...]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return column and row, (N, 2), and stride, (N, 1), of each cell, row by row, one grid after another."""
    points, sizes = [], []
    for stride in strides:
        rows, columns = np.mgrid[0 : -(-size_hw[0] // stride), 0 : -(-size_hw[1] // stride)]
        points.append(np.stack([columns, rows], axis=-1).reshape(-1, 2))
        sizes.append(np.full((points[-1].shape[0], 1), stride))
    return np.concatenate(points).astype(np.float32), np.concatenate(sizes).astype(np.float32)


def sigmoid(logits: NDArray[np.generic]) -> NDArray[np.float32]:
    """Return 1 / (1 + exp(-x)) in float32, without overflow."""
    x = np.clip(np.asarray(logits, np.float32), -88, 88)
    return (1 / (1 + np.exp(-x))).astype(np.float32)


def pairs(scores: NDArray[np.float32], low: float) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return row and column of all scores above `low`, for makers that let a box have several classes."""
    rows, columns = np.nonzero(scores > low)
    return rows, columns
