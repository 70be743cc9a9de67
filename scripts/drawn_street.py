"""Draw a street for the pictures of the docs: two lanes, a pavement, a parking bay, cars and people."""

from __future__ import annotations

from typing import NamedTuple

import cv2
import numpy as np

WIDTH, HEIGHT, FPS = 960, 540, 25
SCALE = 2  # drawn larger by this factor and shrunk, for smooth edges
SKY, HOUSES, PAVEMENT, ROAD, GRASS = (226, 206, 178), (170, 186, 200), (176, 180, 184), (98, 96, 94), (96, 138, 104)


class Thing(NamedTuple):
    """A car or a person: the position of its feet or wheels at the start, its speed and its size."""

    kind: str
    x: float
    y: float
    speed: float  # pixels per second, positive to the right
    size: float  # pixels high
    color: tuple[int, int, int]
    begins_s: float = 0.0


PARKED = Thing("car", 722, 244, -1, 46, (70, 60, 180))
THINGS = (
    Thing("car", -180, 316, 170, 72, (60, 190, 240), 2.4),
    Thing("car", 1010, 438, -190, 92, (225, 222, 216), 2.4),
    Thing("car", -420, 316, 170, 72, (90, 40, 25), 3.0),
    Thing("person", 60, 514, 22, 104, (40, 40, 120), 2.2),
    Thing("person", 940, 520, -55, 108, (120, 60, 40), 2.6),
)


def frame(second: float) -> np.ndarray:
    """Return the street at a time, as (540, 960, 3) uint8 BGR with camera noise."""
    big = _street()
    for thing in sorted(THINGS, key=lambda thing: thing.y):
        since = second - thing.begins_s
        if since >= 0:
            {"car": _car, "person": _person}[thing.kind](big, thing, thing.x + thing.speed * since, since)
    small = cv2.resize(big, (WIDTH, HEIGHT), interpolation=cv2.INTER_AREA)
    noise = np.random.default_rng(round(second * FPS)).normal(0, 2.0, small.shape)
    return np.clip(small + noise, 0, 255).astype(np.uint8)


def _street() -> np.ndarray:
    big = np.empty((HEIGHT * SCALE, WIDTH * SCALE, 3), np.uint8)
    big[:] = SKY
    for i, (x, top, wide) in enumerate(((0, 60, 190), (190, 30, 230), (420, 80, 160), (580, 20, 220), (800, 66, 160))):
        shade = tuple(int(c * (0.92 + 0.04 * (i % 3))) for c in HOUSES)
        _box(big, x, top, x + wide, 190, shade)
        for row in range(top + 18, 170, 38):
            for column in range(x + 18, x + wide - 26, 42):
                _box(big, column, row, column + 18, row + 22, (120, 104, 92))
    _box(big, 0, 190, WIDTH, 250, PAVEMENT)
    _box(big, 0, 250, WIDTH, 450, ROAD)
    _box(big, 0, 246, WIDTH, 252, (205, 205, 205))
    for x in range(-20, WIDTH, 90):
        _box(big, x, 352, x + 46, 357, (225, 225, 225))
    _box(big, 0, 448, WIDTH, 454, (205, 205, 205))
    _box(big, 0, 454, WIDTH, HEIGHT, PAVEMENT)
    for x in (700, 852):
        _box(big, x, 192, x + 4, 248, (235, 235, 235))
    _car(big, PARKED, PARKED.x, 0.0)
    return big


def _box(big: np.ndarray, left: float, top: float, right: float, bottom: float, color: tuple[int, ...]) -> None:
    corners = [round(v * SCALE) for v in (left, top, right, bottom)]
    cv2.rectangle(big, (corners[0], corners[1]), (corners[2] - 1, corners[3] - 1), color, -1)


def _shape(big: np.ndarray, points: list[tuple[float, float]], color: tuple[int, ...]) -> None:
    cv2.fillPoly(big, [np.int32(np.round(np.float64(points) * SCALE))], color, cv2.LINE_AA)


def _disc(big: np.ndarray, x: float, y: float, radius: float, color: tuple[int, ...]) -> None:
    cv2.circle(big, (round(x * SCALE), round(y * SCALE)), round(radius * SCALE), color, -1, cv2.LINE_AA)


def _car(big: np.ndarray, car: Thing, x: float, _since: float) -> None:
    """Draw a car from the side, with its wheels at (x, y)."""
    h, y = car.size, car.y
    long = h * 2.5
    dark = tuple(int(c * 0.55) for c in car.color)
    _shape(big, [(x + 4, y + 3), (x + long, y + 3), (x + long - 6, y - 4), (x + 10, y - 4)], (70, 68, 66))
    body = [(0, -0.22), (0.02, -0.55), (0.2, -0.62), (0.32, -0.97), (0.68, -1.0), (0.82, -0.63), (0.98, -0.55), (1, -0.22)]
    window = [(0.245, -0.62), (0.345, -0.9), (0.49, -0.91), (0.49, -0.62)]
    rear = [(0.52, -0.62), (0.52, -0.91), (0.66, -0.92), (0.765, -0.63)]
    flip = car.speed > 0
    for points, color in ((body, car.color), (window, (88, 76, 66)), (rear, (88, 76, 66))):
        _shape(big, [(x + (1 - a if flip else a) * long, y + b * h) for a, b in points], color)
    _shape(big, [(x + a * long, y + b * h) for a, b in ((0.01, -0.36), (0.99, -0.36), (0.99, -0.22), (0.01, -0.22))], dark)
    for at in (0.33, 0.505, 0.7):  # doors
        _shape(big, [(x + (at + a) * long, y + b * h) for a, b in ((0, -0.6), (0.008, -0.6), (0.008, -0.36), (0, -0.36))], dark)
    for at in (0.2, 0.8):
        _disc(big, x + at * long, y - 0.18 * h, 0.18 * h, (34, 34, 34))
        _disc(big, x + at * long, y - 0.18 * h, 0.09 * h, (150, 150, 150))


def _person(big: np.ndarray, person: Thing, x: float, since: float) -> None:
    """Draw a walking person, with the feet at (x, y)."""
    h, y = person.size, person.y
    stride = 0.13 * h * np.sin(since * 5)
    thick = max(1, round(0.085 * h * SCALE))
    hip, neck = (x, y - 0.48 * h), (x, y - 0.8 * h)
    for foot in (x + stride, x - stride):
        _limb(big, hip, (foot, y), (70, 52, 44), thick)
    _shape(big, [(x - 0.12 * h, y - 0.8 * h), (x + 0.12 * h, y - 0.8 * h), (x + 0.1 * h, y - 0.44 * h),
                 (x - 0.1 * h, y - 0.44 * h)], person.color)  # fmt: skip
    for side, hand in ((-0.12, x - stride * 0.8 - 0.06 * h), (0.12, x + stride * 0.8 + 0.06 * h)):
        _limb(big, (x + side * h, neck[1] + 0.04 * h), (hand, y - 0.46 * h), person.color, max(1, thick * 2 // 3))
    _disc(big, x, y - 0.9 * h, 0.095 * h, (150, 170, 205))


def _limb(big: np.ndarray, a: tuple[float, float], b: tuple[float, float], color: tuple[int, ...], thick: int) -> None:
    start, end = [tuple(round(v * SCALE) for v in point) for point in (a, b)]
    cv2.line(big, start, end, color, thick, cv2.LINE_AA)
