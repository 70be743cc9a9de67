"""The zones, lines and ignored areas of a camera on a picture of it: numbers between 0 and 1 are checked by eye."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import cv2
import numpy as np

from edgecls.run.draw import plate, text_scale

if TYPE_CHECKING:
    from collections.abc import Iterable

    from edgecls.frame import Picture
    from edgecls.run.config import Camera
    from edgecls.run.rules import Gate, Zone
    from edgecls.run.shapes import Point

ZONE, OBJECTS, GATE, IGNORED = (200, 120, 0), (0, 150, 220), (60, 60, 230), (90, 90, 90)
"""Blue-green-red: a zone that shows a state, one that objects are looked for in, a line, an area that is ignored."""
ARROW = 0.06
"""How far the arrows to both sides of a line reach, as a share of the picture's height."""


def sketch(picture: Picture, camera: Camera) -> Picture:
    """Return a copy of the picture, (H, W, 3) uint8 blue-green-red, with all that is watched for drawn on it: zones with their
    names, and for those that show a state the rectangle that is classified; lines from their dot on, with the names of their
    sides; what is ignored crossed out.
    """
    drawn = picture.copy()
    scale = text_scale(picture)
    for area in camera.ignore:
        _cross_out(drawn, area.corners)
    for zone in camera.zone:
        _draw_zone(drawn, zone, scale)
    for gate in camera.line:
        _draw_gate(drawn, gate, scale)
    return drawn


def _draw_zone(drawn: Picture, zone: Zone, scale: float) -> None:
    color = ZONE if zone.look == "state" else OBJECTS
    corners = _pixels(drawn, zone.area.corners)
    cv2.polylines(drawn, [corners], isClosed=True, color=color, thickness=2)
    left, top, right, bottom = zone.area.bounds
    if zone.look == "state":
        start, end = _pixels(drawn, ((left, top), (right, bottom)))
        cv2.rectangle(drawn, start.tolist(), end.tolist(), color, 1)
    x, y = _pixels(drawn, ((left, top),))[0].tolist()
    plate(drawn, f"{zone.name}: {zone.look}", x, y, color, scale)


def _draw_gate(drawn: Picture, gate: Gate, scale: float) -> None:
    start, end = _pixels(drawn, (gate.line.start, gate.line.end))
    cv2.line(drawn, start.tolist(), end.tolist(), GATE, 2, cv2.LINE_AA)
    cv2.circle(drawn, start.tolist(), 5, GATE, -1, cv2.LINE_AA)
    middle = (start + end) / 2
    along = (end - start) / max(1.0, math.dist(start, end))
    to_left = np.array([along[1], -along[0]]) * ARROW * drawn.shape[0]
    for name, way in ((gate.left, to_left), (gate.right, -to_left)):
        tip = np.round(middle + way).astype(int).tolist()
        cv2.arrowedLine(drawn, np.round(middle).astype(int).tolist(), tip, GATE, 2, cv2.LINE_AA, tipLength=0.3)
        plate(drawn, name, tip[0], tip[1] if way[1] <= 0 else tip[1] + round(30 * scale), GATE, scale)
    x, y = start.tolist()
    plate(drawn, gate.name, x, y, GATE, scale)


def _cross_out(drawn: Picture, corners: Iterable[Point]) -> None:
    outline = _pixels(drawn, corners)
    cv2.polylines(drawn, [outline], isClosed=True, color=IGNORED, thickness=2)
    inside = np.zeros(drawn.shape[:2], np.uint8)
    cv2.fillPoly(inside, [outline], 255)
    height, width = drawn.shape[:2]
    y, x = np.mgrid[:height, :width]
    drawn[(inside > 0) & ((x + y) % 12 < 2)] = IGNORED


def _pixels(drawn: Picture, points: Iterable[Point]) -> np.ndarray:
    """The pixels, (N, 2) int32 x and y, of points in fractions of the frame."""
    height, width = drawn.shape[:2]
    scaled = np.asarray(list(points), np.float64) * (width, height)
    return np.clip(np.round(scaled), 0, (width - 1, height - 1)).astype(np.int32)
