"""Where to look in a frame. A `Regions` is any function from a frame to the parts of it to classify; none is normal."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import TypeAlias

from edgecls.errors import ConfigError
from edgecls.frame import WHOLE_FRAME, Box, Frame, Region

Regions: TypeAlias = Callable[[Frame], Sequence[Region]]


def whole_frame(frame: Frame) -> Sequence[Region]:
    """The whole frame, as one region."""
    height, width = frame.size_hw
    return (Region(WHOLE_FRAME, Box(0, 0, width, height)),)


def zones(rectangles: Mapping[str, tuple[float, float, float, float]]) -> Regions:
    """Named rectangles (x, y, width, height) in fractions of the frame, so that they hold at any resolution.

    Raises ConfigError for a rectangle that is empty or reaches out of the frame.
    """
    for name, rectangle in rectangles.items():
        x, y, w, h = rectangle
        if not (
            all(map(math.isfinite, rectangle)) and x >= 0 and y >= 0 and w > 0 and h > 0 and x + w <= 1.0001 and y + h <= 1.0001
        ):
            raise ConfigError(
                f"zone {name}: expected x,y,w,h as fractions of the frame (0 to 1) that stay inside it, "
                f"found {','.join(f'{v:g}' for v in rectangle)}"
            )

    def cut(frame: Frame) -> Sequence[Region]:
        height, width = frame.size_hw
        return [Region(name, _box(rectangle, width, height)) for name, rectangle in rectangles.items()]

    return cut


def by_camera(looks: Mapping[str, Regions]) -> Regions:
    """Look at the frames of each camera as it is said by the camera's name; at the whole frame of others."""
    return lambda frame: looks.get(frame.camera, whole_frame)(frame)


def gated(look: Regions, motion: Regions, *, follow: bool) -> Regions:
    """Look only while something moves; and with `follow` at what moves as well."""

    def look_if(frame: Frame) -> Sequence[Region]:
        moving = motion(frame)
        return [*look(frame), *(moving if follow else ())] if moving else []

    return look_if


def together(*looks: Regions) -> Regions:
    """Look at all that these look at, in their order."""
    return lambda frame: [region for look in looks for region in look(frame)]


def parse_zones(texts: Sequence[str]) -> dict[str, tuple[float, float, float, float]]:
    """Read texts such as `NAME=x,y,w,h`. Raises ConfigError that shows how one is written."""
    rectangles: dict[str, tuple[float, float, float, float]] = {}
    for text in texts:
        name, _, numbers = text.partition("=")
        try:
            x, y, w, h = (float(part) for part in numbers.split(","))
        except ValueError as error:
            raise ConfigError(
                f"zone {text!r}: expected NAME=x,y,w,h in fractions of the frame, such as gate=0.4,0.2,0.1,0.3"
            ) from error
        if not name.strip() or name.strip() in rectangles:
            raise ConfigError(f"zone {text!r}: expected a name before the =, each zone its own")
        rectangles[name.strip()] = (x, y, w, h)
    return rectangles


def _box(rectangle: tuple[float, float, float, float], width: int, height: int) -> Box:
    x, y, w, h = rectangle
    left, top = min(round(x * width), width - 1), min(round(y * height), height - 1)
    right, bottom = min(round((x + w) * width), width), min(round((y + h) * height), height)
    return Box(left, top, max(right, left + 1), max(bottom, top + 1))
