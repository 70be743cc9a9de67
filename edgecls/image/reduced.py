"""A frame in a smaller size, whose pixels are made of the large one on first use."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edgecls.frame import Box, Frame
from edgecls.image.placing import scaled
from edgecls.image.shrink import shrink

if TYPE_CHECKING:
    from edgecls.frame import Picture
    from edgecls.input_spec import Color, Interpolation


def reduced(frame: Frame, size_hw: tuple[int, int]) -> Frame:
    """Return a frame in another size, (height, width) in pixels: the same picture, shrunk or squeezed.

    A frame that is smaller in one direction is returned as it is. What was done to the pixels (`Frame.paint`) is done already.
    """
    height, width = size_hw
    if frame.size_hw == size_hw or frame.size_hw[0] < height or frame.size_hw[1] < width:
        return frame

    def bgr() -> Picture:
        made = frame.part(Box(0, 0, frame.size_hw[1], frame.size_hw[0]), size_hw, "bgr", "area")
        return shrink(frame.bgr(), height, width) if made is None else made

    def part(box: Box, part_hw: tuple[int, int], color: Color, interpolation: Interpolation) -> Picture | None:
        return frame.part(scaled(box, size_hw, frame.size_hw), part_hw, color, interpolation)

    small = Frame(
        frame.camera,
        frame.index,
        time_s=frame.time_s,
        captured_at=frame.captured_at,
        size_hw=size_hw,
        bgr=bgr,
        plane=lambda: shrink(frame.plane(), height, width),
        part=part,
        limited=frame.limited,
        file=frame.file,
    )
    small.at_s, small.packets, small.paint = frame.at_s, frame.packets, frame.paint
    return small
