"""A drawn road: vehicles of three kinds on three lanes, a lamp, changing light and noise. Everything that happens is known."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator

    from edgecls.frame import Picture

FPS = 12.5
HIGH, WIDE = 270, 480
LINE = 0.5
"""Where the line crosses the road, from top to bottom, as a share of the width."""
LAMP = (0.85, 0.03, 0.1, 0.2)
"""x, y, width and height, as shares of the picture."""
SIZES = {"car": (24, 44), "van": (32, 64), "truck": (38, 104)}
COLORS = {"car": (120, 130, 255), "van": (120, 235, 120), "truck": (90, 15, 12), "background": (105, 105, 105)}
"""Blue, green, red: brighter than the road or less than half as bright, because slightly darker areas count as shadows. A lamp
shows one of them or none, with the names of `tests.tiny.color_model`.
"""
LANES = ((95, 1, 75.0), (160, -1, 110.0), (225, 1, 160.0))
"""The center of each, its direction (1: to the right), and its speed in pixels per second."""
LIGHTS = (0.55, 0.75, 1.0, 1.3)
FASTEST_HEADWAY_S, SLOWEST_HEADWAY_S = 2.5, 7.0


@dataclass(frozen=True, slots=True)
class Drive:
    """One vehicle: the center of its lane, and when its front enters the picture."""

    kind: str
    lane: int
    enters_s: float

    @property
    def crosses_s(self) -> float:
        """When its center is on the line."""
        _, way, speed = LANES[self.lane]
        return self.enters_s + ((LINE if way > 0 else 1 - LINE) * WIDE + SIZES[self.kind][1] / 2) / speed

    @property
    def leaves_s(self) -> float:
        """When it has left the picture completely."""
        return self.enters_s + (WIDE + SIZES[self.kind][1]) / LANES[self.lane][2]

    @property
    def goes_to(self) -> str:
        """The side that it goes to."""
        return "east" if LANES[self.lane][1] > 0 else "west"

    def left(self, time_s: float) -> float:
        """Its left edge, in pixels."""
        _, way, speed = LANES[self.lane]
        went = (time_s - self.enters_s) * speed
        return went - SIZES[self.kind][1] if way > 0 else WIDE - went


@dataclass(frozen=True, slots=True)
class Road:
    """A video: its vehicles, when the lamp shows what, and when the light becomes how bright."""

    seconds: float
    drives: tuple[Drive, ...]
    lamp: tuple[tuple[float, str], ...]
    light: tuple[tuple[float, float], ...]
    seed: int

    def pictures(self) -> Iterator[tuple[float, Picture]]:
        """Yield the time in seconds and the picture of each frame, (H, W, 3) blue-green-red."""
        rng = np.random.default_rng(self.seed)
        texture = 95 + 30 * np.sin(np.arange(WIDE) / 40) + rng.normal(0, 7, (HIGH, WIDE))
        empty = np.repeat(texture[..., None], 3, 2).astype(np.float32)
        grains = rng.normal(0, 3, (8, HIGH, WIDE, 3)).astype(np.float32)
        for index in range(int(self.seconds * FPS)):
            time_s = index / FPS
            picture = empty.copy()
            for drive in self.drives:
                _draw_vehicle(picture, drive, time_s)
            _draw_lamp(picture, _last(self.lamp, time_s))
            picture *= _last(self.light, time_s)
            grain = np.roll(grains[index % len(grains)], int(rng.integers(WIDE)), axis=1)
            yield time_s, np.clip(picture + grain, 0, 255).astype(np.uint8)


def road(seed: int, seconds: float = 90.0) -> Road:
    """Draw a random video; nobody is in the picture during its first and last 3 s."""
    rng = np.random.default_rng(seed)
    drives = []
    for lane in range(len(LANES)):
        enters_s = 3 + rng.uniform(0, 3)
        while True:
            drive = Drive(str(rng.choice(list(SIZES))), lane, float(enters_s))
            if drive.leaves_s > seconds - 3:
                break
            drives.append(drive)
            enters_s += SIZES[drive.kind][1] / LANES[lane][2] + rng.uniform(FASTEST_HEADWAY_S, SLOWEST_HEADWAY_S)
    return Road(seconds, tuple(drives), _steps(rng, seconds, tuple(COLORS)), _steps(rng, seconds, LIGHTS), seed)


def _steps(rng: np.random.Generator, seconds: float, values: tuple) -> tuple:
    """Return when each value begins, each for 4 to 10 s, never the same twice in a row."""
    steps = [(0.0, values[2])]
    while (at_s := steps[-1][0] + rng.uniform(4, 10)) < seconds - 4:
        others = [value for value in values if value != steps[-1][1]]
        steps.append((float(at_s), others[int(rng.integers(len(others)))]))
    return tuple(steps)


def _last(steps: tuple, time_s: float) -> float | str:
    return [value for at_s, value in steps if at_s <= time_s][-1]


def _draw_vehicle(picture: np.ndarray, drive: Drive, time_s: float) -> None:
    high, wide = SIZES[drive.kind]
    top, left = LANES[drive.lane][0] - high // 2, round(drive.left(time_s))
    window = slice(max(0, left), max(0, left + wide))
    picture[top : top + high, window] = COLORS[drive.kind]
    picture[top + high - 5 : top + high, window] *= 0.4  # its wheels
    glass = slice(max(0, left + wide // 4), max(0, left + wide // 2))
    picture[top + 4 : top + high // 2, glass] *= 0.6


def _draw_lamp(picture: np.ndarray, shows: float | str) -> None:
    x, y, width, height = LAMP
    box = slice(int(y * HIGH), int((y + height) * HIGH)), slice(int(x * WIDE), int((x + width) * WIDE))
    picture[box] = COLORS[str(shows)]
