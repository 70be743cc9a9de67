"""Cars, vans, pickups, lorries and buses of simple solids, and boxes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from scripts.drawn_solids import CIRCLE, Face, Part

if TYPE_CHECKING:
    from scripts.drawn_solids import Points


def _solid(profile: Points, half: Points, levels: list[float], side_level: float, rank: int = 0) -> list[Part]:
    """A profile (N, 2) of x and height, counterclockwise seen from the right (-y), made as wide as `half` (N,) says to both
    sides. `levels` are those of the N strips from each corner to the next.
    """
    right = np.column_stack([profile[:, 0], -half, profile[:, 1]])
    left = np.column_stack([profile[:, 0], half, profile[:, 1]])
    faces: list[Part] = [Face(right, side_level, rank), Face(left[::-1], side_level, rank)]
    for i, level in enumerate(levels):
        k = (i + 1) % len(profile)
        faces.append(Face(np.array([right[k], right[i], left[i], left[k]]), level, rank))
    return faces


def box(x: tuple[float, float], half: float, z: tuple[float, float], level: float, rank: int = 0) -> list[Part]:
    """A box from and to these x and heights, as wide as `half` to both sides, in metres."""
    profile = np.array([(x[0], z[0]), (x[1], z[0]), (x[1], z[1]), (x[0], z[1])])
    return _solid(profile, np.full(4, half), [level] * 4, level, rank)


def vehicle(rng: np.random.Generator) -> list[Part]:
    """A car, van, pickup, lorry or bus that heads along x."""
    body = float(rng.choice([rng.uniform(8, 60), rng.uniform(60, 180), rng.uniform(180, 250)]))
    glass = rng.uniform(5, 70) if rng.uniform() < 0.8 else rng.uniform(70, 180)
    kind = rng.choice(["car", "van", "pickup", "lorry", "bus"], p=[0.55, 0.17, 0.08, 0.14, 0.06])
    large = kind in ("lorry", "bus")
    length = rng.uniform(6, 13) if large else rng.uniform(3.5, 5.2)
    half = rng.uniform(1.1, 1.28) if large else rng.uniform(0.78, 0.98)
    a, b = -length / 2, length / 2
    parts: list[Part]
    if large:
        top = rng.uniform(2.6, 3.9)
        cab = b - rng.uniform(1.6, 2.4)
        cargo = body if kind == "bus" or rng.uniform() < 0.4 else rng.uniform(30, 250)
        parts = box((a, b if kind == "bus" else cab - 0.15), half, (0.4, top), cargo)
        front = top if kind == "bus" else top * rng.uniform(0.65, 0.95)
        if kind == "lorry":
            parts += box((cab, b), half * 0.96, (0.4, front), body)
        parts += _window((b, half, 0.5 * front + 0.2, 0.92 * front), glass, front=True)
        parts += sides((a + 0.4, b - 0.3) if kind == "bus" else (cab + 0.5, b - 0.1), half, (0.52 * front, 0.85 * front), glass)
    else:
        low, belt = rng.uniform(0.2, 0.32), rng.uniform(0.8, 1.05)
        roof = belt + (rng.uniform(0.75, 1.1) if kind == "van" else rng.uniform(0.42, 0.68))
        hood = length * (rng.uniform(0.08, 0.2) if kind == "van" else rng.uniform(0.2, 0.31))
        boot = length * {"van": 0.01, "pickup": rng.uniform(0.35, 0.45)}.get(str(kind), rng.choice([0.03, 0.14, 0.19]))
        profile = np.array([(a, low), (b, low), (b, belt - 0.22), (b - hood, belt), (a + boot, belt), (a, belt - 0.05)])
        parts = _solid(profile, np.full(6, half), [body * 0.4, body * 0.9, body, body, body, body * 0.9], body)
        slope, back = rng.uniform(0.35, 0.75), rng.uniform(0.1, 0.55) * (kind != "van") + 0.05
        cabin = np.array([(a + boot, belt), (b - hood, belt), (b - hood - slope, roof), (a + boot + back, roof)])
        side = body if kind == "van" and rng.uniform() < 0.5 else glass
        narrow = np.array([half * 0.97, half * 0.97, half * 0.84, half * 0.84])
        parts += _solid(cabin, narrow, [body, glass, body, glass if kind != "van" else body], side, 1)
        middle = (a + boot + back + b - hood - slope) / 2
        for way in (-1, 1):  # the pillar between the doors
            pillar = [
                (middle, half, belt),
                (middle + 0.12, half, belt),
                (middle + 0.12, half * 0.86, roof),
                (middle, half * 0.86, roof),
            ]
            corners = np.array([(x, way * y, z) for x, y, z in pillar])
            parts.append(Face(corners[::-1] if way > 0 else corners, body, 2))
        parts += box((a - 0.04, b + 0.04), half * 1.01, (low, low + 0.14), body * rng.uniform(0.2, 1), 1)
    return parts + _wheels(a, b, half, large, rng) + _lights(a, b, half, rng)


def _window(place: tuple[float, float, float, float], level: float, *, front: bool) -> list[Part]:
    x, half, low, high = place
    half, x = half * 0.88, x + (0.02 if front else -0.02)
    corners = np.array([(x, -half, low), (x, half, low), (x, half, high), (x, -half, high)])
    return [Face(corners if front else corners[::-1], level, 2)]


def sides(x: tuple[float, float], half: float, z: tuple[float, float], level: float, rank: int = 2) -> list[Part]:
    """Rectangles on both sides of a body."""
    right = np.array(
        [(x[0], -half - 0.02, z[0]), (x[1], -half - 0.02, z[0]), (x[1], -half - 0.02, z[1]), (x[0], -half - 0.02, z[1])]
    )
    return [Face(right, level, rank), Face((right * [1, -1, 1])[::-1], level, rank)]


def _wheels(a: float, b: float, half: float, large: bool, rng: np.random.Generator) -> list[Part]:
    radius = rng.uniform(0.42, 0.52) if large else rng.uniform(0.28, 0.36)
    rim = rng.uniform(20, 170)
    parts: list[Part] = []
    for x in (a + (b - a) * rng.uniform(0.17, 0.22), b - (b - a) * rng.uniform(0.15, 0.2)):
        for size, level in ((radius, rng.uniform(5, 35)), (radius * 0.55, rim)):
            ring = np.array([(x + size * u, -half - 0.03, radius + size * v) for u, v in CIRCLE])
            rank = 3 if size == radius else 4
            parts += [Face(ring, level, rank), Face((ring * [1, -1, 1])[::-1], level, rank)]
    return parts


def _lights(a: float, b: float, half: float, rng: np.random.Generator) -> list[Part]:
    """Lamps, plate and grille at both ends."""
    parts: list[Part] = []
    for x, front in ((b + 0.05, True), (a - 0.05, False)):
        lamp = rng.uniform(150, 255) if front else rng.uniform(30, 200)
        low = rng.uniform(0.5, 0.65)
        wide, plate = rng.uniform(0.18, 0.35), rng.uniform(150, 250)
        for y0, y1, z0, z1, level in (
            (-half + 0.03, -half + wide, low, low + 0.16, lamp), (half - wide, half - 0.03, low, low + 0.16, lamp),
            (-0.26, 0.26, 0.38, 0.5, plate), (-half * 0.6, half * 0.6, low, low + 0.14, rng.uniform(5, 90)),
        ):  # fmt: skip
            corners = np.array([(x, y0, z0), (x, y1, z0), (x, y1, z1), (x, y0, z1)])
            parts.append(Face(corners if front else corners[::-1], level, 3))
    return parts
