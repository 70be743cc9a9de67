"""Single pictures of frames, which the page shows where it shows no video."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edgecls import image
from edgecls.frame import Box
from edgecls.input_spec import InputSpec

if TYPE_CHECKING:
    from edgecls.frame import Frame

PRIVATE = "single pictures, because of the private areas"
"""Why a camera with private areas is shown so: they are black only in decoded pictures."""


def frame_jpeg(frame: Frame, *, width: int, quality: int) -> bytes:
    """Return a frame as JPEG of this width in pixels; it is never enlarged."""
    frame_height, frame_width = frame.size_hw
    ratio = min(1.0, width / frame_width)
    spec = InputSpec(max(1, round(frame_height * ratio)), max(1, round(frame_width * ratio)), "bgr")
    return image.encode_jpeg(image.fit_region(frame, Box(0, 0, frame_width, frame_height), spec), quality)
