"""Simulate weeks in front of a camera, with days, dusk and rain, and report which changes are found and how soon.

    python scripts/drift.py --weeks 5

Pictures are drawn and looked at as in a run, once in ten minutes. Objects are drawn as observations: how many there are and
what they are depends on the time of day, and their scores on light and rain. For each change there are as many weeks; it
happens on the fourth to sixth day at a time between 7 and 17 o'clock. The reference are the first two days.
"""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from edgecls.drift.camera_drift import CameraDrift
from edgecls.drift.looks import Looks
from edgecls.drift.settings import DriftSettings
from edgecls.drift.slots import Seen
from edgecls.event import Event, Moment
from edgecls.image.fit import as_frame
from edgecls.image.opencv import cv2

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Picture = NDArray[np.uint8]

STEP_S = 600
HEIGHT, WIDTH = 180, 320
LABELS = ("car", "truck", "bike", "person")
CHANGES = ("nothing", "camera turned by 10 %", "dirty lens", "new class", "a lamp fails")
MIDNIGHT_S = 1_800_057_600 // 86_400 * 86_400


class Found(NamedTuple):
    """What was reported in a week: events before the change, hours from the change to the first event, its cause, and how many
    events began after the change.
    """

    before: int
    delay_h: float | None
    cause: str
    after: int


def week(change: str, seed: int, *, days: float = 7, settings: DriftSettings = DriftSettings()) -> Found:  # noqa: B008 - frozen
    """Simulate a week with one change."""
    rng = np.random.default_rng(seed)
    scene, rain, dirt = drawn_scene(rng), drawn_rain(rng, days), drawn_dirt(rng)
    change_h = 24.0 * int(rng.integers(3, max(4, int(days) - 1))) + float(rng.uniform(7, 17))
    drift, looks = CameraDrift(settings, Event("drift", "gate", "", "", 0.0, Moment(0, 0.0))), Looks()
    events: list[tuple[float, Event]] = []
    for step in range(int(days * 86_400) // STEP_S):
        hour = step * STEP_S / 3600
        moment = Moment(step, hour * 3600, MIDNIGHT_S + hour * 3600)
        events += [(hour, event) for event in drift.step(moment)]
        now = change if hour >= change_h else "nothing"
        is_wet = any(begin <= hour < end for begin, end in rain)
        picture = drawn_picture(scene, rng, hour=hour, is_wet=is_wet, dirt=dirt, change=now)
        frame = as_frame(cv2.cvtColor(picture, cv2.COLOR_GRAY2BGR), "gate", step, time_s=hour * 3600, captured_at=0.0)
        look = looks.look(frame, learn=drift.is_learning)
        if look is not None:
            drift.look(look)
        for seen in drawn_objects(rng, hour=hour, is_wet=is_wet, change=now):
            drift.seen(seen)
    begun = [(hour, event) for hour, event in events if event.end is None]
    later = [(hour, event) for hour, event in begun if hour >= change_h and change != "nothing"]
    first = later[0] if later else None
    return Found(
        len(begun) - len(later), first and first[0] - change_h, first[1].label if first else "", len(later)
    )  # fmt: skip


def sun(hour: float) -> float:
    """Return the light of the time of day, 0.06 (lamps at night) to 1, with an hour and a half of dusk."""
    return 0.06 + 0.94 / (1 + np.exp(-(6.5 - abs(hour % 24 - 13)) / 0.35))


def drawn_scene(rng: np.random.Generator) -> Picture:
    """Draw what stands still: walls, windows, kerbs."""
    scene = np.full((HEIGHT, WIDTH * 2), 120, np.uint8)
    for _ in range(120):
        left, top = int(rng.integers(0, WIDTH * 2)), int(rng.integers(0, HEIGHT))
        right, bottom = left + int(rng.integers(8, 90)), top + int(rng.integers(6, 60))
        cv2.rectangle(scene, (left, top), (right, bottom), int(rng.integers(40, 230)), -1)
    return scene


def drawn_rain(rng: np.random.Generator, days: float) -> list[tuple[float, float]]:
    """Draw when it rains, in hours: about every other day for one to five hours."""
    begins = rng.uniform(0, days * 24, rng.poisson(days * 0.6))
    return [(float(begin), float(begin + rng.uniform(1, 5))) for begin in begins]


def drawn_dirt(rng: np.random.Generator) -> NDArray[np.float32]:
    """Draw how dirty each place of a lens is, (H, W), 0..1."""
    spots = np.zeros((HEIGHT, WIDTH), np.float32)
    for _ in range(14):
        center = int(rng.integers(0, WIDTH)), int(rng.integers(0, HEIGHT))
        cv2.circle(spots, center, int(rng.integers(20, 50)), 1.0, -1)
    return cv2.GaussianBlur(spots, (0, 0), 8)


def drawn_picture(
    scene: Picture, rng: np.random.Generator, *, hour: float, is_wet: bool, dirt: NDArray[np.float32], change: str
) -> Picture:  # fmt: skip
    """Draw what the camera sees."""
    left = WIDTH // 10 if change == "camera turned by 10 %" else 0
    seen = scene[:, left : left + WIDTH].astype(np.float32)
    x, y = int(rng.integers(0, WIDTH)), int(rng.integers(HEIGHT // 2, HEIGHT))
    cv2.rectangle(seen, (x, y), (x + 40, y + 25), float(rng.integers(30, 220)), -1)  # something passes
    light = sun(hour) * (0.6 if is_wet else rng.uniform(0.85, 1.0))  # clouds
    if change == "a lamp fails" and sun(hour) < 0.5:
        light /= 4
    if is_wet:
        seen = 0.75 * cv2.GaussianBlur(seen, (0, 0), 0.6) + 0.25 * 150
    if change == "dirty lens":
        smeared = 0.8 * cv2.GaussianBlur(seen, (0, 0), 2.5) + 0.2 * 160
        seen += dirt * (smeared - seen)
    noise = np.empty((HEIGHT, WIDTH), np.float32)
    cv2.randn(noise, 0.0, 1.5)
    return np.clip(seen * light + noise, 0, 255).astype(np.uint8)


def drawn_objects(rng: np.random.Generator, *, hour: float, is_wet: bool, change: str) -> list[Seen]:
    """Draw the objects that pass in ten minutes, as the model sees them."""
    of_day = hour % 24
    rush = np.exp(-(((of_day - 8) / 1.2) ** 2)) + np.exp(-(((of_day - 17) / 1.5) ** 2))
    an_hour = 4 + 40 * sun(hour) + 50 * rush
    shares = np.array([5 + 3 * rush, 2.0 * (9 < of_day < 16) + 0.3, 0.1 + 1.5 * sun(hour), 0.3 + 3 * sun(hour)])
    if is_wet:
        shares *= (1.0, 1.0, 0.4, 0.5)
    if (hour // 24) % 7 >= 5:  # the week-end
        shares *= (0.9, 0.4, 1.4, 1.2)
    mean, lost, novelty = 0.93 - 0.05 * (sun(hour) < 0.5) - 0.05 * is_wet, 0.02 + 0.02 * (sun(hour) < 0.5) + 0.03 * is_wet, 0.55
    if change == "dirty lens":
        mean, lost, novelty = mean - 0.08, lost + 0.06, novelty + 0.1
    if change == "camera turned by 10 %":
        mean = mean - 0.02
    found = []
    for _ in range(rng.poisson(an_hour * STEP_S / 3600)):
        label = LABELS[int(np.searchsorted(np.cumsum(shares / shares.sum()), rng.random() * 0.9999))]
        score, is_lost, distance = rng.beta(40 * mean, 40 * (1 - mean)), rng.random() < lost, novelty * rng.lognormal(0, 0.25)
        if change == "new class" and rng.random() < 0.25:
            label, score = LABELS[int(rng.integers(0, 4))], rng.beta(13, 7)
            is_lost, distance = rng.random() < 0.5, 1.1 * rng.lognormal(0, 0.25)
        found.append(Seen("motion", "unknown" if is_lost else label, float(score), bool(is_lost), float(distance)))
    return found


def main() -> int:
    """Print the table. Returns 1 if there was a false alarm, or a change was not found."""
    parser = argparse.ArgumentParser(description="Simulate weeks with changes in front of a camera.")
    parser.add_argument("--weeks", type=int, default=5, help="simulated weeks per change")
    parser.add_argument("--seed", type=int, default=100, help="of the first week")
    options = parser.parse_args()
    print(f"{'change':24}{'weeks':>6}{'found':>6}{'false':>6}{'events':>7}{'hours':>12}  causes")
    is_good = True
    for change in CHANGES:
        weeks = [week(change, options.seed + i) for i in range(options.weeks)]
        delays = [one.delay_h for one in weeks if one.delay_h is not None]
        causes = sorted({one.cause for one in weeks if one.cause})
        span = f"{min(delays):.1f} to {max(delays):.1f}" if delays else "-"
        false, events = sum(one.before for one in weeks), sum(one.after for one in weeks)
        print(f"{change:24}{len(weeks):6}{len(delays):6}{false:6}{events:7}{span:>12}  {', '.join(causes)}", flush=True)
        is_good &= not false and len(delays) == (0 if change == "nothing" else len(weeks))
    return 0 if is_good else 1


if __name__ == "__main__":
    sys.exit(main())
