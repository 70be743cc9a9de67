"""Boxes as arrays, while there may be thousands of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


class Boxes(NamedTuple):
    """Boxes with a score and a class each.

    Attributes:
        corners: Left, top, right and bottom in pixels, (N, 4) float32.
        scores: From 0 to 1, (N,) float32.
        class_ids: The classes, counted from 0, (N,) int64.
    """

    corners: NDArray[np.float32]
    scores: NDArray[np.float32]
    class_ids: NDArray[np.int64]

    def take(self, which: NDArray[np.int64] | NDArray[np.bool_]) -> Boxes:
        """Return the boxes at these indices, or where a mask is true."""
        return Boxes(self.corners[which], self.scores[which], self.class_ids[which])

    def best_first(self, most: int | None = None) -> Boxes:
        """Return the boxes by falling score, at most `most` of them. Equal scores keep their order."""
        return self.take(np.argsort(-self.scores, kind="stable")[:most])


def as_boxes(corners: NDArray[np.generic], scores: NDArray[np.generic], class_ids: NDArray[np.generic]) -> Boxes:
    """Return boxes from arrays of any number type, without those that contain NaN or infinity. A class that is none is -1."""
    boxes = Boxes(
        np.asarray(corners, np.float32).reshape(-1, 4),
        np.asarray(scores, np.float32).reshape(-1),
        np.nan_to_num(class_ids, nan=-1, posinf=-1, neginf=-1).astype(np.int64).reshape(-1),
    )
    return boxes.take(np.isfinite(boxes.corners).all(axis=1) & np.isfinite(boxes.scores))


def from_centers(boxes: NDArray[np.generic]) -> NDArray[np.float32]:
    """Convert (N, 4) center x, center y, width, height to left, top, right, bottom."""
    centers, half = np.asarray(boxes[:, :2], np.float32), np.asarray(boxes[:, 2:4], np.float32) / 2
    return np.concatenate([centers - half, centers + half], axis=1)


def overlaps(one: NDArray[np.float32], others: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the intersection over union of each box with each other one, 0 to 1.

    Args:
        one: (N, 4) left, top, right, bottom.
        others: (M, 4).

    Returns:
        (N, M) float32.
    """
    low = np.maximum(one[:, None, :2], others[None, :, :2])
    high = np.minimum(one[:, None, 2:], others[None, :, 2:])
    common = np.clip(high - low, 0, None).prod(axis=2)
    areas, other_areas = ((part[:, 2:] - part[:, :2]).prod(axis=1) for part in (one, others))
    union = areas[:, None] + other_areas[None] - common
    shares: NDArray[np.float32] = np.divide(common, union, out=np.zeros_like(common), where=union > 0)
    return shares
