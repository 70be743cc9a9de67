"""Draw the zones, lines and ignored areas of a camera on a picture, with a grid for checking fractions by eye."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import cv2
import numpy as np

from edgecls.draw.lettering import fitted, put_text, text_px
from edgecls.draw.plates import Plates
from edgecls.draw.results import IGNORED, LINE, OBJECTS, ZONE, draw_outlines, name_outlines, pixels
from edgecls.overlay import Area, Overlay, OverlayLine

if TYPE_CHECKING:
    from edgecls.events.rules import CountingLine, Zone
    from edgecls.frame import Picture
    from edgecls.regions.geometry import Polygon

__all__ = ["IGNORED", "LINE", "OBJECTS", "ZONE", "grid", "overlay_of", "sketch"]

GRID, GRID_PLATE = (210, 210, 210), (60, 60, 60)
TENTHS = 10
STRIPES_PX = 12


class Watched(Protocol):
    """The zones and lines of a camera, as in `edgecls.run.config.Camera`."""

    @property
    def zone(self) -> tuple[Zone, ...]:
        """The zones."""

    @property
    def line(self) -> tuple[CountingLine, ...]:
        """The lines at which objects are counted."""

    @property
    def ignore(self) -> tuple[Polygon, ...]:
        """The areas that are ignored."""


def sketch(picture: Picture, camera: Watched) -> Picture:
    """Return a copy of the picture, (H, W, 3) uint8 blue-green-red, with zones and lines drawn on it.

    Zones have their names and, if they show a state, the rectangle that is classified. Lines have a dot at their start and the
    names of their sides. Ignored areas are crossed out.
    """
    drawn = picture.copy()
    overlay = overlay_of(camera)
    for area in overlay.areas:
        if area.look == "ignored":
            _cross_out(drawn, area)
    for zone in camera.zone:
        if zone.look == "state":
            left, top, right, bottom = zone.area.bounds
            start, end = pixels(drawn, ((left, top), (right, bottom))).tolist()
            cv2.rectangle(drawn, start, end, ZONE, 1)
    draw_outlines(drawn, overlay)
    plates = Plates(drawn)
    name_outlines(drawn, plates, overlay)
    plates.finish()
    return drawn


def grid(picture: Picture) -> Picture:
    """Return a copy of the picture with a line at every tenth of its width and height, each with its fraction."""
    drawn = picture.copy()
    height, width = drawn.shape[:2]
    lines = picture.copy()
    for tenth in range(1, TENTHS):
        x, y = round(width * tenth / TENTHS), round(height * tenth / TENTHS)
        cv2.line(lines, (x, 0), (x, height - 1), GRID, 1)
        cv2.line(lines, (0, y), (width - 1, y), GRID, 1)
    cv2.addWeighted(lines, 0.6, drawn, 0.4, 0, drawn)
    px = max(9, text_px((height, width)) * 3 // 4)
    for tenth in range(1, TENTHS):
        text, text_width = fitted(f"0.{tenth}", px, width)
        x, y = round(width * tenth / TENTHS), round(height * tenth / TENTHS)
        across, down = x - text_width // 2, y - px // 2
        # on all four sides, because the name of a line or a zone may hide one of them
        for left, top in ((across, 0), (across, height - px - 1), (0, down), (width - text_width - 3, down)):
            cv2.rectangle(drawn, (left, top), (left + text_width + 2, top + px), GRID_PLATE, -1)
            put_text(drawn, text, left + 1, top + round(px * 0.85), px)
    return drawn


def overlay_of(camera: Watched) -> Overlay:
    """Return the zones, lines and ignored areas of a camera as an overlay, with each zone's `look` as its note."""
    zones = tuple(Area(zone.name, zone.area.corners, zone.look, zone.look) for zone in camera.zone)
    ignored = tuple(Area("", area.corners, "ignored") for area in camera.ignore)
    lines = tuple(OverlayLine(line.name, line.line.start, line.line.end, line.left, line.right) for line in camera.line)
    return Overlay((*ignored, *zones), lines)


def _cross_out(drawn: Picture, area: Area) -> None:
    inside = np.zeros(drawn.shape[:2], np.uint8)
    cv2.fillPoly(inside, [pixels(drawn, area.corners)], 255)
    y, x = np.ogrid[: drawn.shape[0], : drawn.shape[1]]
    drawn[(inside > 0) & ((x + y) % STRIPES_PX < 2)] = IGNORED
