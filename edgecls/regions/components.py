"""Connected components of a mask."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from edgecls.image.opencv import cv2

if TYPE_CHECKING:
    from numpy.typing import NDArray

MOST_IN_16_BITS = 4 * 65_535
"""A mask with fewer pixels has fewer components than 16 bits can count, because at most one pixel in four starts one."""


def components(mask: NDArray[Any]) -> tuple[NDArray[Any], list[list[int]]]:
    """Find the connected components of a mask. Pixels that touch at a corner are connected.

    Args:
        mask: (H, W) uint8; what is not 0 belongs to a component.

    Returns:
        The label of each pixel, (H, W), 0 for none; and for label 0 (everything else), 1, 2 and so on: left, top, width,
        height, number of pixels.
    """
    kind = cv2.CV_16U if mask.size < MOST_IN_16_BITS else cv2.CV_32S  # 16 bits take half the time
    _, labels, stats, _ = cv2.connectedComponentsWithStats(mask, ltype=kind)
    return labels, stats.tolist()
