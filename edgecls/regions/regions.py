"""Where to look in a frame. A `Regions` is any function from a frame to the regions to classify; an empty list is fine."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import TypeAlias

from edgecls.errors import ConfigError
from edgecls.frame import WHOLE_FRAME, Box, Frame, Region
from edgecls.regions.geometry import MOST_ZONES, as_corners
from edgecls.settings.build import check_count

Regions: TypeAlias = Callable[[Frame], Sequence[Region]]


def whole_frame(frame: Frame) -> Sequence[Region]:
    """Return the whole frame as one region called "frame"."""
    height, width = frame.size_hw
    return (Region(WHOLE_FRAME, Box(0, 0, width, height)),)


def zones(rectangles: Mapping[str, tuple[float, float, float, float]]) -> Regions:
    """Look at named rectangles.

    Example:
        pipeline = edgecls.Pipeline(classifier, regions=edgecls.zones({"gate": (0.4, 0.2, 0.1, 0.3)}))

    Args:
        rectangles: (x, y, width, height) by name, in fractions of the frame, so they fit any resolution. At most 100.

    Returns:
        A function from a frame to its regions.

    Raises:
        ConfigError: A rectangle is no four numbers, is empty or reaches beyond the frame.
    """
    if not isinstance(rectangles, Mapping):
        raise ConfigError(f"expected zones by name, such as {{'gate': (0.4, 0.2, 0.1, 0.3)}}, found {rectangles!r:.200}")
    check_count("zones", len(rectangles), MOST_ZONES)
    for name, rectangle in rectangles.items():
        try:
            x, y, w, h = map(float, rectangle)
        except (TypeError, ValueError) as error:
            raise ConfigError(f"zone {name}: expected four numbers (x, y, width, height), found {rectangle!r:.200}") from error
        if not (
            all(map(math.isfinite, rectangle)) and x >= 0 and y >= 0 and w > 0 and h > 0 and x + w <= 1.0001 and y + h <= 1.0001
        ):
            raise ConfigError(
                f"zone {name}: expected x,y,w,h as fractions of the frame (0 to 1) that stay inside it, "
                f"found {','.join(f'{v:g}' for v in rectangle)}{as_corners(x, y, w, h)}"
            )

    def cut(frame: Frame) -> Sequence[Region]:
        height, width = frame.size_hw
        return [Region(name, _box(rectangle, width, height)) for name, rectangle in rectangles.items()]

    return cut


def by_camera(views: Mapping[str, Regions]) -> Regions:
    """Use another function for each camera, by its name. Cameras that are not in `views` are looked at as a whole."""
    return lambda frame: views.get(frame.camera, whole_frame)(frame)


def when_moving(still: Regions, motion: Regions, *, follow: bool) -> Regions:
    """Look at the regions of `still` only while something moves. With `follow`, also at the moving regions."""

    def regions(frame: Frame) -> Sequence[Region]:
        moving = motion(frame)
        return [*still(frame), *(moving if follow else ())] if moving else []

    return regions


def combine(*views: Regions) -> Regions:
    """Look at the regions of all these functions, in order."""
    return lambda frame: [region for view in views for region in view(frame)]


def grown(box: Box, around: float, size_hw: tuple[int, int]) -> Box:
    """Return a box enlarged on all sides by a share of its longer side, clipped to the frame."""
    left, top, right, bottom = box
    more = round(around * max(right - left, bottom - top))
    return Box(max(0, left - more), max(0, top - more), min(size_hw[1], right + more), min(size_hw[0], bottom + more))


def parse_zones(texts: Sequence[str]) -> dict[str, tuple[float, float, float, float]]:
    """Parse texts of the form `NAME=x,y,w,h`. Raises ConfigError, with an example, for a malformed one."""
    return _parse("zone", texts, "NAME=x,y,w,h in fractions of the frame, such as gate=0.4,0.2,0.1,0.3")


def parse_lines(texts: Sequence[str]) -> dict[str, tuple[float, float, float, float]]:
    """Parse texts of the form `NAME=x1,y1,x2,y2`. Raises ConfigError, with an example, for a malformed one."""
    return _parse("line", texts, "NAME=x1,y1,x2,y2 in fractions of the frame, such as entry=0.1,0.6,0.9,0.6")


def _parse(kind: str, texts: Sequence[str], expected: str) -> dict[str, tuple[float, float, float, float]]:
    found: dict[str, tuple[float, float, float, float]] = {}
    for text in texts:
        name, _, numbers = text.partition("=")
        try:
            first, second, third, fourth = (float(part) for part in numbers.split(","))
        except ValueError as error:
            raise ConfigError(f"{kind} {text!r}: expected {expected}") from error
        if not name.strip() or name.strip() in found:
            raise ConfigError(f"{kind} {text!r}: expected a name before the =, and each name once")
        found[name.strip()] = (first, second, third, fourth)
    return found


def _box(rectangle: tuple[float, float, float, float], width: int, height: int) -> Box:
    x, y, w, h = rectangle
    left, top = min(round(x * width), width - 1), min(round(y * height), height - 1)
    right, bottom = min(round((x + w) * width), width), min(round((y + h) * height), height)
    return Box(left, top, max(right, left + 1), max(bottom, top + 1))
