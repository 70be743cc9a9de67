"""Draw persons, vehicles and other things in gray, as a fixed camera sees them: from any height and side, by day and night.

Each picture is one object of simple solids over a given background, with its shadow, cut as a motion box is cut: stretched to a
square, with a random margin, sometimes without a part of the object. `scripts/street_pictures.py` adds them to photographs,
which show vehicles mostly from behind and persons mostly at eye level.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np

from scripts.drawn_solids import SCALE, SIDE, Camera, Face, Limb, Part, darken, framed, outer_points, paint
from scripts.drawn_vehicles import box, sides, vehicle

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray


def drawn(kind: str, background: NDArray[np.uint8], rng: np.random.Generator) -> NDArray[np.uint8]:
    """Draw an object of a kind (a key of KINDS) over a background, which may have any size.

    Returns:
        (SIDE, SIDE) uint8.
    """
    canvas = cv2.resize(background, (SIDE * SCALE, SIDE * SCALE), interpolation=cv2.INTER_LINEAR).astype(np.float32)
    night = rng.uniform() < 0.2
    parts = KINDS[kind](rng)
    if kind in ("person", "vehicle") and rng.uniform() < 0.12:  # two that move as one
        parts = parts + _moved(KINDS[kind](rng), rng)
    size = np.ptp(outer_points(parts), axis=0).max()
    elevation = np.radians(rng.choice([rng.uniform(2, 25), rng.uniform(15, 60), rng.uniform(50, 88)], p=[0.35, 0.45, 0.2]))
    camera = Camera(elevation, rng.uniform(0, 2 * np.pi), size * rng.uniform(2.5, 15), np.radians(rng.normal(0, 4)))
    sun = np.array([*rng.normal(0, 0.8, 2), 1.0])
    to_canvas = framed(camera.project(outer_points(parts)), rng)
    if rng.uniform() < 0.75:
        darken(canvas, parts, sun, lambda points: to_canvas(camera.project(points)), rng.uniform(0.3, 0.85))
    if kind != "shadow":
        paint(canvas, parts, camera, sun / np.linalg.norm(sun), to_canvas)
    if night:
        canvas *= rng.uniform(0.25, 0.6)
        if kind == "vehicle":
            _lamps(canvas, rng)
    return cv2.resize(np.clip(canvas, 0, 255).astype(np.uint8), (SIDE, SIDE), interpolation=cv2.INTER_AREA)


def _lamps(canvas: NDArray[np.float32], rng: np.random.Generator) -> None:
    """Add the glare of one or two lamps."""
    high, wide = canvas.shape
    y, radius, x = rng.uniform(0.45, 0.9) * high, rng.uniform(0.04, 0.13) * wide, rng.uniform(0.1, 0.4) * wide
    rows, columns = np.mgrid[:high, :wide]
    for at in (x, wide - x)[: rng.integers(1, 3)]:
        away = np.hypot(rows - y, columns - at) / radius
        canvas += (rng.uniform(150, 400) * np.exp(-(away**1.2))).astype(np.float32)


def _moved(parts: list[Part], rng: np.random.Generator) -> list[Part]:
    """Return the parts beside where they were."""
    span = np.ptp(outer_points(parts), axis=0)
    off = np.array([rng.uniform(-1, 1) * span[0], rng.choice([-1.2, 1.2]) * span[1], 0.0])
    moved: list[Part] = []
    for part in parts:
        if isinstance(part, Face):
            moved.append(part._replace(corners=part.corners + off))
        else:
            start, end = (tuple((np.asarray(point) + off).tolist()) for point in (part.start, part.end))
            moved.append(part._replace(start=start, end=end))
    return moved


def _person(rng: np.random.Generator) -> list[Part]:
    """A standing, walking or leaning person, perhaps with a bag or a skirt."""
    tall, wide, turn = rng.uniform(1.45, 1.95), rng.uniform(0.85, 1.25), rng.uniform(0, 2 * np.pi)
    top, bottom, hair = rng.uniform(5, 250, 3)
    skin, hair = rng.uniform(60, 220), hair * rng.uniform(0.1, 0.8)
    step, lean, bend = rng.uniform(0, 0.24), rng.normal(0, 0.06), rng.uniform(0, 0.25)
    arms = bottom if rng.uniform() < 0.1 else top

    def at(forward: float, side: float, height: float) -> tuple[float, float, float]:
        forward += lean * height
        x, y = forward * np.cos(turn) - side * wide * np.sin(turn), forward * np.sin(turn) + side * wide * np.cos(turn)
        return tall * x, tall * y, tall * height

    thick = tall * wide
    parts: list[Part] = []
    for side, way in ((0.055, 1), (-0.055, -1)):
        knee = at(way * step * 0.6, side, 0.27)
        parts += [Limb(at(0, side, 0.5), 0.055 * thick, knee, 0.04 * thick, bottom)]
        parts += [Limb(knee, 0.04 * thick, at(way * step - bend * 0.3, side, 0.04), 0.03 * thick, bottom)]
        hand = at(-way * step * 0.8 + 0.05, side * 2.6, 0.45 + rng.uniform(0, 0.25) * (rng.uniform() < 0.3))
        elbow = at(-way * step * 0.3, side * 2.4, 0.63)
        parts += [Limb(at(0, side * 1.9, 0.79), 0.035 * thick, elbow, 0.03 * thick, arms)]
        parts += [Limb(elbow, 0.028 * thick, hand, 0.022 * thick, rng.choice([arms, skin]))]
        parts += [Limb(at(0, side, 0.55), 0.07 * thick, at(0, side * 1.2, 0.76), 0.07 * thick, top)]
    if rng.uniform() < 0.3:
        parts.append(
            Limb(at(0, 0, 0.52), 0.09 * thick, at(0, 0, rng.uniform(0.2, 0.35)), 0.13 * thick, rng.choice([top, bottom]))
        )
    if rng.uniform() < 0.35:
        place = at(-0.1, 0, 0.68) if rng.uniform() < 0.5 else at(0, 0.2, rng.uniform(0.25, 0.55))
        parts.append(Limb(place, 0.07 * tall, place, 0.08 * tall, rng.uniform(5, 250)))
    parts.append(Limb(at(0.01, 0, 0.9), 0.055 * tall, at(0.015, 0, 0.93), 0.055 * tall, skin))
    parts.append(Limb(at(-0.015, 0, 0.93), 0.058 * tall, at(-0.015, 0, 0.955), 0.05 * tall, hair))
    return parts


def _animal(rng: np.random.Generator) -> list[Part]:
    """An animal on four legs."""
    coat, long, tall = rng.uniform(10, 240), rng.uniform(0.5, 1.1), rng.uniform(0.3, 0.75)
    thick, head = tall * rng.uniform(0.22, 0.38), rng.uniform(0.1, 0.16)
    nose = rng.uniform(0.2, 1.25) * tall
    parts: list[Part] = [Limb((-long / 2, 0, tall), thick, (long / 2, 0, tall), thick * rng.uniform(0.8, 1.1), coat)]
    parts += [Limb((long / 2, 0, tall), thick * 0.6, (long * 0.75, 0, nose), head, coat * rng.uniform(0.6, 1.2))]
    parts += [Limb((long * 0.75, 0, nose), head, (long * 0.75 + 0.2, 0, nose - 0.06), head * 0.5, coat * rng.uniform(0.4, 1.2))]
    parts += [Limb((-long / 2, 0, tall), 0.04, (-long * 0.8, 0, tall * rng.uniform(0.3, 1.3)), 0.02, coat)]
    for x in (-long / 2, long / 2):
        for y in (-thick * 0.5, thick * 0.5):
            parts.append(Limb((x, y, tall), 0.07, (x + rng.normal(0, 0.12), y, 0.03), 0.035, coat * rng.uniform(0.5, 1)))
    if rng.uniform() < 0.4:
        spot = (rng.uniform(-long, long) / 2, thick * 0.5, tall + thick * 0.4)
        parts.append(Limb(spot, thick * 0.7, spot, thick * 0.6, rng.uniform(5, 250)))
    return parts


def _bird(rng: np.random.Generator) -> list[Part]:
    """A hen or another bird on the ground."""
    coat, size = rng.uniform(10, 250), rng.uniform(0.1, 0.2)
    neck, tail = rng.uniform(0.2, 2.2) * size, rng.uniform(0, 1.6) * size
    parts: list[Part] = [Limb((-size * 0.7, 0, 2 * size), size * 0.8, (size * 0.7, 0, 2.1 * size), size, coat)]
    parts += [
        Limb((size, 0, 2.3 * size), size * 0.55, (size * 1.7, 0, 2 * size + neck), size * 0.4, coat * rng.uniform(0.6, 1.2))
    ]
    parts += [
        Limb(
            (size * 1.8, 0, 2 * size + neck), 0.3 * size, (size * 2.3, 0, 1.9 * size + neck), 0.08 * size, rng.uniform(30, 220)
        )
    ]
    parts += [
        Limb((-size, 0, 2.2 * size), size * 0.5, (-2 * size, 0, 2.2 * size + tail), size * 0.25, coat * rng.uniform(0.3, 1))
    ]
    for y in (-0.4 * size, 0.4 * size):
        parts.append(
            Limb((0, y, 1.2 * size), 0.12 * size, (rng.normal(0, 0.4) * size, y, 0.02), 0.1 * size, rng.uniform(60, 200))
        )
    return parts


def _fruit(rng: np.random.Generator) -> list[Part]:
    """A fruit, a ball or a bottle, smooth or with knobs, perhaps with a stalk."""
    level, long, turn = rng.uniform(30, 240), rng.uniform(0, 2.5) * (rng.uniform() < 0.5), rng.uniform(0, 2 * np.pi)
    end = (0.1 * long * np.cos(turn), 0.1 * long * np.sin(turn), 0.1 + rng.uniform(0, 0.3) * (rng.uniform() < 0.3))
    parts: list[Part] = [Limb((0, 0, 0.1), 0.1, end, 0.1 * rng.uniform(0.3, 1.1), level)]
    if rng.uniform() < 0.45:
        for _ in range(rng.integers(8, 40)):
            way = rng.normal(size=3)
            at = tuple((way / np.linalg.norm(way) * 0.085 + np.array(end) * rng.uniform() + [0, 0, 0.1]).tolist())
            parts.append(Limb(at, 0.04, at, 0.035, level * rng.uniform(0.6, 1.3)))
    if rng.uniform() < 0.4:
        parts.append(Limb((0, 0, 0.19), 0.015, (rng.normal(0, 0.04), 0, rng.uniform(0.22, 0.35)), 0.012, rng.uniform(10, 120)))
    return parts


def _parcel(rng: np.random.Generator) -> list[Part]:
    """A box, suitcase or crate with tape, label or handle."""
    length, half, tall = rng.uniform(0.3, 1.4), rng.uniform(0.12, 0.5), rng.uniform(0.1, 1.0)
    level = rng.uniform(20, 240)
    low = rng.uniform(0, 0.12) * (rng.uniform() < 0.3)
    parts = box((-length / 2, length / 2), half, (low, low + tall), level)
    for x in rng.uniform(-0.45, 0.4, rng.integers(0, 4)) * length:
        shade = rng.uniform(10, 250)
        wide = rng.uniform(0.02, 0.2) * length
        parts += sides((x, x + wide), half, (low + tall * rng.uniform(0, 0.5), low + tall * rng.uniform(0.6, 1)), shade)
        top = np.array(
            [
                (x, -half, low + tall + 0.01),
                (x + wide, -half, low + tall + 0.01),
                (x + wide, half, low + tall + 0.01),
                (x, half, low + tall + 0.01),
            ]
        )
        parts.append(Face(top, shade, 2))
    if rng.uniform() < 0.25:
        parts.append(Limb((0, 0, tall), 0.02, (0, 0, tall + rng.uniform(0.1, 0.5)), 0.02, rng.uniform(10, 200)))
    return parts


def _clump(rng: np.random.Generator) -> list[Part]:
    """Leaves, paper, cloth: many small things together, or a few bars."""
    base, spread = rng.uniform(10, 220), rng.uniform(0.1, 0.6, 3)
    parts: list[Part] = []
    for _ in range(rng.integers(2, 40)):
        at = rng.normal(0, 1, 3) * spread + [0, 0, 0.5]
        to = at + rng.normal(0, rng.choice([0.05, 0.5]), 3)
        radius = rng.uniform(0.02, 0.15)
        level = np.clip(base + rng.normal(0, 45), 0, 255)
        parts.append(Limb(tuple(at.tolist()), radius, tuple(to.tolist()), radius * rng.uniform(0.2, 1), float(level)))
    return parts


def _shade(rng: np.random.Generator) -> list[Part]:
    return vehicle(rng) if rng.uniform() < 0.5 else _person(rng)


KINDS: dict[str, Callable[[np.random.Generator], list[Part]]] = {
    "person": _person,
    "vehicle": vehicle,
    "animal": _animal,
    "bird": _bird,
    "fruit": _fruit,
    "parcel": _parcel,
    "clump": _clump,
    "shadow": _shade,
}
"""What can be drawn: rng -> the parts of one. "shadow" is that of a person or vehicle outside the picture."""
