"""Non-maximum suppression: of boxes of one class that show the same object, keep the one with the highest score."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from edgecls.detect.boxes import overlaps

if TYPE_CHECKING:
    from edgecls.detect.boxes import Boxes

MOST_CANDIDATES = 30_000
"""Only so many boxes, those with the highest scores, are compared with each other."""


def suppress(boxes: Boxes, overlap: float, most: int) -> Boxes:
    """Return the boxes that remain after greedy suppression within each class.

    The box with the highest score is kept, those of its class that overlap it by more than `overlap` are dropped, and so on
    with the rest. A step compares one box with all that are left, so the time grows with the boxes that are kept.

    Args:
        boxes: In any order.
        overlap: The largest intersection over union of two boxes of a class, 0 to 1.
        most: The largest number of boxes to keep.

    Returns:
        The kept boxes, by falling score.
    """
    boxes = boxes.best_first(MOST_CANDIDATES)
    left = np.arange(len(boxes.scores))
    kept: list[int] = []
    while left.size and len(kept) < most:
        first, left = int(left[0]), left[1:]
        kept.append(first)
        is_same = boxes.class_ids[left] == boxes.class_ids[first]
        common = overlaps(boxes.corners[first : first + 1], boxes.corners[left])[0]
        left = left[~(is_same & (common > overlap))]
    return boxes.take(np.array(kept, np.int64))
