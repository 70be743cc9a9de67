"""The pictures of persons and vehicles from which `scripts/drawn_world.py` draws its worlds."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import cv2
import numpy as np

PX_PER_M = 60
PHASES = 8
"""How many pictures a stride has."""
MOST_SCALES = 64


@dataclass
class Sprite:
    """A picture of a thing: (H, W) float32 levels, and how much of each pixel it covers, 0..1. It stands on its last row."""

    levels: np.ndarray
    alpha: np.ndarray
    _scaled: dict[int, tuple[np.ndarray, np.ndarray, float]] = field(default_factory=dict)

    def scaled(self, scale: float) -> tuple[np.ndarray, np.ndarray, float]:
        """Return levels and cover at another size, and how many pixels it then covers."""
        key = round(scale * 200)
        found = self._scaled.get(key)
        if found is None:
            size = max(2, round(self.levels.shape[1] * scale)), max(2, round(self.levels.shape[0] * scale))
            levels, alpha = (cv2.resize(one, size, interpolation=cv2.INTER_AREA) for one in (self.levels, self.alpha))
            if len(self._scaled) >= MOST_SCALES:
                self._scaled.clear()
            found = self._scaled[key] = levels, alpha, float((alpha > 0.5).sum())
        return found


class _Canvas:
    """Draws in metres, from the left and up from the ground."""

    def __init__(self, wide_m: float, high_m: float) -> None:
        self.size = math.ceil(high_m * PX_PER_M), math.ceil(wide_m * PX_PER_M)
        self.levels = np.zeros(self.size, np.float32)
        self.alpha = np.zeros(self.size, np.float32)

    def polygon(self, points: list[tuple[float, float]], level: float) -> None:
        """Fill a polygon."""
        corners = [np.rint([(x * PX_PER_M, self.size[0] - 1 - y * PX_PER_M) for x, y in points]).astype(np.int32)]
        cv2.fillPoly(self.levels, corners, level)
        cv2.fillPoly(self.alpha, corners, 1.0)

    def box(self, left: float, bottom: float, right: float, top: float, level: float) -> None:
        """Fill a rectangle."""
        self.polygon([(left, bottom), (right, bottom), (right, top), (left, top)], level)

    def disc(self, x: float, y: float, radius: float, level: float) -> None:
        """Fill a circle."""
        turns = np.linspace(0, 2 * math.pi, 20)
        self.polygon([(x + radius * math.cos(t), y + radius * math.sin(t)) for t in turns], level)

    def sprite(self, rng: np.random.Generator, *, is_flipped: bool = False) -> Sprite:
        """Return what was drawn, with a texture."""
        coarse = rng.normal(0, 7, (max(2, self.size[0] // 12), max(2, self.size[1] // 12))).astype(np.float32)
        texture = cv2.resize(coarse, self.size[::-1], interpolation=cv2.INTER_CUBIC)
        levels, alpha = np.clip(self.levels + texture, 0, 255), self.alpha
        if is_flipped:
            levels, alpha = levels[:, ::-1], alpha[:, ::-1]
        columns = np.flatnonzero(alpha.any(axis=0))
        empty = min(int(columns[0]), alpha.shape[1] - 1 - int(columns[-1]))
        kept = slice(empty, alpha.shape[1] - empty)  # as much on both sides, so that the middle stays the middle
        return Sprite(np.ascontiguousarray(levels[:, kept]), np.ascontiguousarray(alpha[:, kept]))


def person(rng: np.random.Generator) -> tuple[Sprite, ...]:
    """Return the pictures of a stride of somebody."""
    tall = rng.uniform(1.55, 1.9)
    legs, torso, head = _level(rng), _level(rng), rng.uniform(110, 200)
    sprites = []
    for phase in range(PHASES):
        canvas = _Canvas(1.1, tall)
        swing = math.sin(2 * math.pi * phase / PHASES) * 0.33
        middle, hip, neck = 0.55, 0.48 * tall, 0.84 * tall
        for side in (swing, -swing):
            foot = middle + side
            canvas.polygon(
                [(middle - 0.1, hip), (middle + 0.1, hip), (foot + 0.09, 0.0), (foot - 0.08, 0.0)], legs * (1 - abs(side) / 4)
            )
        canvas.polygon(
            [(middle - 0.19, hip - 0.05), (middle + 0.19, hip - 0.05), (middle + 0.22, neck), (middle - 0.22, neck)], torso
        )
        hand = middle - swing * 0.8
        canvas.polygon([(middle - 0.06, neck), (middle + 0.06, neck), (hand + 0.06, hip), (hand - 0.06, hip)], torso * 0.9)
        canvas.disc(middle, tall - 0.13, 0.125, head)
        sprites.append(canvas.sprite(np.random.default_rng(7)))
    return tuple(sprites)


def car(rng: np.random.Generator, *, goes_right: bool) -> tuple[Sprite, ...]:
    """Return the picture of a car from the side."""
    long, tall = 4.2, rng.uniform(1.4, 1.6)
    level, glass = _level(rng), rng.uniform(30, 75)
    canvas = _Canvas(long, tall)
    body = [(0, 0.25), (0.05, 0.75), (0.9, 0.9), (1.5, tall), (3.0, tall), (3.7, 0.9), (4.15, 0.75), (4.2, 0.25)]
    canvas.polygon(body, level)
    canvas.polygon([(1.1, 0.92), (1.6, tall - 0.1), (2.15, tall - 0.1), (2.15, 0.92)], glass)
    canvas.polygon([(2.3, 0.92), (2.3, tall - 0.1), (2.95, tall - 0.1), (3.45, 0.92)], glass)
    canvas.box(0.02, 0.25, 4.18, 0.42, level * 0.6)
    canvas.box(2.2, 0.42, 2.24, 0.9, level * 0.6)
    for x in (0.85, 3.35):
        canvas.disc(x, 0.31, 0.31, 28)
        canvas.disc(x, 0.31, 0.15, 150)
    return (canvas.sprite(rng, is_flipped=goes_right),)


def lorry(rng: np.random.Generator, *, goes_right: bool) -> tuple[Sprite, ...]:
    """Return the picture of a lorry from the side: a cab, a gap, and a large plain box."""
    level, cab = _level(rng), _level(rng)
    canvas = _Canvas(9.0, 3.3)
    canvas.box(0, 0.5, 1.9, 2.7, cab)
    canvas.polygon([(0.15, 1.5), (0.35, 2.5), (1.3, 2.5), (1.3, 1.5)], 50)
    canvas.box(1.9, 0.5, 9.0, 0.95, 45)
    canvas.box(2.3, 0.95, 9.0, 3.3, level)
    if rng.random() < 0.6:
        canvas.box(3.2, 1.7, 7.8, 2.3, level * 0.55 if level > 120 else level + 70)
    for x in (0.9, 6.3, 7.4):
        canvas.disc(x, 0.45, 0.45, 28)
    return (canvas.sprite(rng, is_flipped=goes_right),)


def vehicle_front(rng: np.random.Generator, *, is_lorry: bool) -> Sprite:
    """Return the picture of a car or a lorry from the front or the back, somewhat from above."""
    wide, tall, roof = (2.4, 3.2, 1.6) if is_lorry else (1.8, 1.5, 0.8)
    level = _level(rng)
    canvas = _Canvas(wide, tall + roof)
    canvas.box(0, 0.25, wide, tall * 0.62, level)
    canvas.polygon([(0.05, tall * 0.6), (wide - 0.05, tall * 0.6), (wide - 0.25, tall), (0.25, tall)], rng.uniform(30, 80))
    canvas.polygon([(0.25, tall), (wide - 0.25, tall), (wide - 0.3, tall + roof), (0.3, tall + roof)], level * 1.05)
    for x in (0.1, wide - 0.35):
        canvas.box(x, 0, x + 0.25, 0.35, 25)
        canvas.box(x, 0.55, x + 0.25, 0.75, 225)
    return canvas.sprite(rng)


def pillar(rng: np.random.Generator, wide_m: float, high_m: float) -> Sprite:
    """Return the picture of a pole or a pillar."""
    canvas = _Canvas(wide_m, high_m)
    canvas.box(0, 0, wide_m, high_m, rng.uniform(50, 75))
    canvas.box(0, 0.4 * high_m, wide_m, 0.46 * high_m, 150)
    return canvas.sprite(rng)


def _level(rng: np.random.Generator) -> float:
    """Return a random level that differs from those of roads, pavements and most houses."""
    return float(rng.uniform(20, 50) if rng.random() < 0.5 else rng.uniform(205, 245))
