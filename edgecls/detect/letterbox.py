"""From a frame to the input of a detector, and its boxes back to the frame.

Each maker rounds in its own way, and the way back must use the same numbers: half a pixel at 640 is two pixels of a frame of
2,560. The numbers are those of Ultralytics' `LetterBox` and `scale_boxes`, of YOLOX's `preproc`, of CenterNet's
`get_affine_transform`, and of NanoDet's `get_resize_matrix`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from edgecls import image
from edgecls.frame import Box
from edgecls.input_spec import InputSpec

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from edgecls.detect.input import DetectorInput
    from edgecls.frame import Frame, Picture

BORDER = 114
"""The gray of the border that YOLO and YOLOX are trained with."""
WARPED = ("letterbox-exact", "letterbox-warp", "stretch-warp")
"""Fits of makers that warp the frame."""


class Placement(NamedTuple):
    """Where a frame lies in the input of a detector.

    A point (x, y) of the frame is at (x * scale_x + left, y * scale_y + top) of the input. `inner_hw` is the height and width
    of the shrunk frame in whole pixels.
    """

    scale_x: float
    scale_y: float
    left: float
    top: float
    inner_hw: tuple[int, int]

    def back(self, corners: NDArray[np.float32], size_hw: tuple[int, int]) -> NDArray[np.float32]:
        """Return boxes of the input as boxes of the frame, clipped to it.

        Args:
            corners: (N, 4) left, top, right, bottom in pixels of the input.
            size_hw: Height and width of the frame in pixels.
        """
        offset = np.array([self.left, self.top] * 2, np.float32)
        scale = np.array([self.scale_x, self.scale_y] * 2, np.float32)
        height, width = size_hw
        found: NDArray[np.float32] = np.clip((corners - offset) / scale, 0, np.array([width, height] * 2, np.float32))
        return found


def place(size_hw: tuple[int, int], spec: DetectorInput) -> Placement:
    """Return where a frame of this height and width lies in the input of a detector."""
    height, width = size_hw
    if spec.fit in ("stretch", "stretch-warp"):
        return Placement(spec.width / width, spec.height / height, 0.0, 0.0, spec.size_hw)
    if spec.fit in ("letterbox-exact", "letterbox-warp"):
        fitting = min(spec.height / height, spec.width / width)
        scale = fitting if spec.fit == "letterbox-warp" else spec.width / max(height, width)
        left, top = (spec.width - width * scale) / 2, (spec.height - height * scale) / 2
        return Placement(scale, scale, left, top, spec.size_hw)
    scale = min(spec.height / height, spec.width / width)
    if spec.fit == "letterbox-corner":
        return Placement(scale, scale, 0.0, 0.0, (max(1, int(height * scale)), max(1, int(width * scale))))
    inner_h, inner_w = max(1, round(height * scale)), max(1, round(width * scale))
    left, top = (spec.width - inner_w) // 2, (spec.height - inner_h) // 2
    return Placement(inner_w / width, inner_h / height, left, top, (inner_h, inner_w))


def prepare(frame: Frame, spec: DetectorInput) -> tuple[Picture, Placement]:
    """Bring a frame to the input of a detector.

    Returns:
        (height, width, 3) uint8 in the channel order of `spec`, and where the frame lies in it.
    """
    placement = place(frame.size_hw, spec)
    if spec.fit in WARPED:
        return _warped(frame, spec, placement), placement
    height, width = frame.size_hw
    inner = InputSpec(*placement.inner_hw, spec.color, "stretch", spec.interpolation)
    picture = image.fit_region(frame, Box(0, 0, width, height), inner)
    if placement.inner_hw == spec.size_hw:
        return picture, placement
    canvas = np.full(spec.shape, BORDER, np.uint8)
    top, left = int(placement.top), int(placement.left)
    canvas[top : top + inner.height, left : left + inner.width] = picture
    return canvas, placement


def _warped(frame: Frame, spec: DetectorInput, placement: Placement) -> Picture:
    scale, offset = (placement.scale_x, placement.scale_y), (placement.left, placement.top)
    picture = image.moved(frame.bgr(), scale, offset, spec.size_hw)
    return image.from_rgb(picture) if spec.color == "rgb" else picture
