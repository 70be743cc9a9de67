"""The input of a model: its size, its colour, and how pictures are fitted to it.

It is not in `image`, so that a card can be read without OpenCV.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

from edgecls.errors import ModelError

Color = Literal["gray", "rgb", "bgr"]


Fit = Literal["stretch", "letterbox", "center-crop"]


Interpolation = Literal["area", "linear"]


@dataclass(frozen=True, slots=True)
class InputSpec:
    """The input of a model. The model takes (N, height, width, channels) uint8 and rescales the levels itself.

    Attributes:
        height: In pixels.
        width: In pixels.
        color: "gray", or the order of the channels, "rgb" or "bgr".
        fit: How a picture of another aspect ratio is fitted: "stretch", "letterbox" or "center-crop".
        interpolation: "area" averages when shrinking, "linear" does not.
    """

    height: int = 32
    width: int = 32
    color: Color = "gray"
    fit: Fit = "stretch"
    interpolation: Interpolation = "area"

    def __post_init__(self) -> None:
        """Validate the values. Raises ModelError."""
        for name, kind in (("color", Color), ("fit", Fit), ("interpolation", Interpolation)):
            if getattr(self, name) not in get_args(kind):
                raise ModelError(f"input {name} must be one of {', '.join(get_args(kind))}, not {getattr(self, name)!r}")
        if not (1 <= self.height <= 4096 and 1 <= self.width <= 4096):
            raise ModelError(f"input size must be 1 to 4096 pixels a side, not {self.width}x{self.height}")

    @property
    def channels(self) -> int:
        """1 for gray, 3 for colour."""
        return 1 if self.color == "gray" else 3

    @property
    def shape(self) -> tuple[int, int, int]:
        """The shape of one input, (height, width, channels)."""
        return self.height, self.width, self.channels
