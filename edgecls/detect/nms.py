"""Non-maximum suppression: of boxes of one class that show the same object, keep the one with the highest score."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from edgecls.detect.boxes import Boxes

MOST_CANDIDATES = 30_000
"""Only this many boxes, those with the highest scores, are compared with each other."""


def suppress(boxes: Boxes, overlap: float, most: int, *, across: bool = False) -> Boxes:
    """Return the boxes that remain after greedy suppression within each class.

    The box with the highest score is kept, those of its class that overlap it by more than `overlap` are dropped, and so on
    with the rest. A step compares one box with all of its class that are left.

    Args:
        boxes: In any order.
        overlap: The largest intersection over union of two boxes of a class, 0 to 1.
        most: The largest number of boxes to keep.
        across: Compare boxes of different classes too.

    Returns:
        The kept boxes, by falling score.
    """
    boxes = boxes.best_first(MOST_CANDIDATES)
    areas = (boxes.corners[:, 2:] - boxes.corners[:, :2]).prod(axis=1)
    groups = np.zeros_like(boxes.class_ids) if across else boxes.class_ids
    order = np.argsort(groups, kind="stable")  # keeps the scores falling within a class
    starts = np.flatnonzero(np.diff(groups[order], prepend=-1))
    kept = [_kept(boxes.corners, areas, of_class, overlap, most) for of_class in np.split(order, starts[1:])]
    return boxes.take(np.sort(np.concatenate(kept))[:most])


def _kept(
    corners: NDArray[np.float32], areas: NDArray[np.float32], left: NDArray[np.int64], overlap: float, most: int
) -> NDArray[np.int64]:  # fmt: skip
    """Return which of the boxes `left`, all of a class and by falling score, are kept."""
    kept: list[int] = []
    while left.size and len(kept) < most:
        first, left = left[0], left[1:]
        kept.append(int(first))
        others = corners[left]
        sides = np.minimum(others[:, 2:], corners[first, 2:]) - np.maximum(others[:, :2], corners[first, :2])
        common = np.maximum(sides[:, 0], 0) * np.maximum(sides[:, 1], 0)
        left = left[common <= overlap * (areas[left] + areas[first] - common)]
    return np.array(kept, np.int64)
