"""A drawn street, second by second, and the faults of its camera."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import cv2
import numpy as np

from edgecls.event import Moment
from edgecls.events.detector import Events
from edgecls.events.observation import Observation
from edgecls.events.rules import Rules
from edgecls.frame import Frame
from edgecls.health import Health, HealthSettings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from edgecls.event import Event
    from edgecls.frame import Picture

FPS = 10
HIGH, WIDE = 180, 320


class Street:
    """Houses, windows, a road with lines, and cars. Every picture has its own noise."""

    def __init__(self, seed: int = 0, *, cars: int = 1, noise: float = 2.0) -> None:
        """So many cars are on the road at a time, on average."""
        rng = np.random.default_rng(seed)
        self._rng = rng
        self._cars = cars
        self.empty = _houses(rng)
        self._grain = rng.normal(0, noise, (HIGH + 64, WIDE + 64)).astype(np.float32)
        self._colors = rng.uniform(20, 240, 97)

    def at(self, index: int) -> np.ndarray:
        """Return the scene at a picture's time, without noise: (180, 320) float32."""
        picture = self.empty.copy()
        for car in range(self._cars):
            speed = 4 + 3 * (car % 3)
            turn, place = divmod(index * speed + 150 * car, 600)
            _car(picture, place - 100, 95 + 22 * (car % 4), self._colors[(turn * 7 + car) % 97])
        return picture

    def seen(self, picture: np.ndarray) -> Picture:
        """Return the levels that a noisy sensor measures."""
        down, right = self._rng.integers(0, 64, 2)
        grain = self._grain[down : down + HIGH, right : right + WIDE]
        return np.clip(picture + grain, 0, 255).astype(np.uint8)


def _houses(rng: np.random.Generator) -> np.ndarray:
    picture = np.full((HIGH, WIDE), 170, np.float32)
    left = -int(rng.integers(0, 30))
    while left < WIDE:
        wide, top = int(rng.integers(30, 60)), int(rng.integers(5, 40))
        _house(picture, max(0, left), left + wide, top, rng)
        left += wide
    picture[90:] = 95
    cv2.line(picture, (0, 90 + int(rng.integers(0, 6))), (WIDE, 90 + int(rng.integers(0, 6))), 200, 3)
    first = int(rng.integers(0, 40))
    for left in range(-first, WIDE, 50):
        cv2.line(picture, (left, 134 - left // 60), (left + 25, 133 - left // 60), 230, 3)
    for _ in range(3):  # bushes and poles
        x = int(rng.integers(0, WIDE))
        cv2.circle(picture, (x, 96), int(rng.integers(5, 12)), 55, -1)
        cv2.line(picture, (x + 20, 30), (x + 22, 170), 35, 2)
    return cv2.GaussianBlur(picture + rng.normal(0, 5, picture.shape).astype(np.float32), (0, 0), 0.6)


def _house(picture: np.ndarray, left: int, right: int, top: int, rng: np.random.Generator) -> None:
    wall, step = float(rng.uniform(60, 200)), int(rng.integers(12, 18))
    picture[top:90, left:right] = wall
    for y in range(top + 8, 80, int(rng.integers(15, 22))):
        for x in range(left + 5, right - 8, step):
            picture[y : y + 9, x : x + 7] = wall - 45 if wall > 120 else wall + 60


def _car(picture: np.ndarray, left: int, top: int, level: float) -> None:
    box = slice(top, top + 30), slice(max(0, left), max(0, left + 70))
    picture[box] = level
    picture[top + 5 : top + 14, max(0, left + 12) : max(0, left + 55)] = 30


class Seen(NamedTuple):
    """The events that were reported for some pictures, and with which picture."""

    told: list[tuple[int, Event]]

    @property
    def faults(self) -> list[tuple[str, float, float | None]]:
        """Return each fault: label, start and end in seconds; None for one that lasts at the end."""
        ended = {e.id: (e.label, e.start.time_s, e.end.time_s) for _, e in self.told if e.end is not None}
        begun = {e.id: (e.label, e.start.time_s, None) for _, e in self.told if e.end is None}
        return [ended.get(key, fault) for key, fault in begun.items()]


def frame_of(picture: Picture, index: int, *, fps: float = FPS) -> Frame:
    """Return a frame of a gray picture."""
    return Frame(
        "gate",
        index,
        time_s=index / fps,
        captured_at=0.0,
        size_hw=(picture.shape[0], picture.shape[1]),
        bgr=lambda: np.dstack([picture] * 3),
        plane=lambda: picture,
    )


def watch(pictures: Iterable[Picture], rule: HealthSettings = HealthSettings(), *, fps: float = FPS) -> Seen:  # noqa: B008 - frozen
    """Check pictures as those of a camera. Nothing is closed at the end, so ongoing faults have no end."""
    health, events, told = Health({"gate": rule}), Events({"gate": Rules()}), []
    for index, picture in enumerate(pictures):
        unfit = health(frame_of(picture, index, fps=fps))
        seen = Observation("gate", Moment(index, round(index / fps, 3)), (HIGH, WIDE), (), unfit)
        told += [(index, event) for event in events.step(seen)]
    return Seen(told)


def hand(rng: np.random.Generator) -> np.ndarray:
    """Return something close to the lens, lit from one side."""
    y, x = np.mgrid[:HIGH, :WIDE]
    light = 45 + 60 * np.exp(-(((x - WIDE) / WIDE) ** 2 + ((y - rng.integers(0, HIGH)) / HIGH) ** 2))
    return light.astype(np.float32)


FAULTS: dict[str, Callable[[Street, np.ndarray, int], np.ndarray]] = {
    "black": lambda _street, picture, _i: picture * 0.0 + 2,
    "overexposed": lambda _street, picture, _i: picture * 3 + 180,
    "covered": lambda _street, _picture, _i: hand(np.random.default_rng(1)),
    "defocused": lambda _street, picture, _i: cv2.GaussianBlur(picture, (0, 0), 4),
    "moved": lambda _street, picture, _i: np.roll(picture, (9, 30), (0, 1)),
}
"""How each fault changes a picture, before its noise."""


def street_with(
    fault: str, first_s: float, last_s: float, seconds: float, *, street: Street | None = None
) -> Iterator[Picture]:
    """Yield pictures of a street whose camera has a fault from one second to another."""
    street = street or Street()
    stuck = street.seen(street.at(round(first_s * FPS)))
    for i in range(round(seconds * FPS)):
        shows = first_s <= i / FPS < last_s
        if fault == "frozen" and shows:
            yield stuck
        else:
            picture = street.at(i)
            yield street.seen(FAULTS[fault](street, picture, i) if shows else picture)
