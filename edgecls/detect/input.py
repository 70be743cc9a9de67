"""The picture that a detector takes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

from edgecls.errors import ModelError
from edgecls.input_spec import Interpolation

DetectorFit = Literal["letterbox", "letterbox-corner", "letterbox-exact", "letterbox-warp", "stretch", "stretch-warp"]
"""How a frame is brought to the size of the input.

letterbox          shrunk by one factor, to whole pixels, in the middle of a gray border (Ultralytics)
letterbox-corner   the same in the top left corner (YOLOX)
letterbox-exact    its longer side becomes the width, in the middle of a black border, not rounded to pixels (CenterNet)
letterbox-warp     shrunk by one factor, in the middle of a black border, not rounded to pixels (NanoDet)
stretch            shrunk to the whole input, whatever its aspect ratio (DETR, SSD)
stretch-warp       the same, but from the corners of pixels, not their middles: shifted by half a pixel (NanoDet-Plus)
"""
Order = Literal["rgb", "bgr"]
LARGEST_SIDE = 4096


@dataclass(frozen=True, slots=True)
class DetectorInput:
    """The input of a detector. It takes (1, height, width, 3) uint8 and rescales the levels itself.

    Attributes:
        height: In pixels, at most 4096.
        width: In pixels, at most 4096.
        color: The order of the channels.
        fit: How a frame of another aspect ratio is fitted, see `DetectorFit`.
        interpolation: "area" averages when shrinking, "linear" does not.
    """

    height: int
    width: int
    color: Order = "rgb"
    fit: DetectorFit = "letterbox"
    interpolation: Interpolation = "linear"

    def __post_init__(self) -> None:
        """Validate the values. Raises ModelError."""
        for name, kind in (("color", Order), ("fit", DetectorFit), ("interpolation", Interpolation)):
            if getattr(self, name) not in get_args(kind):
                raise ModelError(f"input {name} must be one of {', '.join(get_args(kind))}, not {getattr(self, name)!r}")
        if not (1 <= self.height <= LARGEST_SIDE and 1 <= self.width <= LARGEST_SIDE):
            raise ModelError(f"input size must be 1 to {LARGEST_SIDE} pixels a side, not {self.width}x{self.height}")

    @property
    def size_hw(self) -> tuple[int, int]:
        """Height and width in pixels."""
        return self.height, self.width

    @property
    def shape(self) -> tuple[int, int, int]:
        """The shape of one picture, (height, width, 3)."""
        return self.height, self.width, 3
