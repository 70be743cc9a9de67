"""Measure what motion and tracks cost: CPU time, without decoding and classifying.

python -m scripts.motion_cost [--seconds 40] [--objects 5] [--width 1920 ...]

Draws a textured scene in which objects move all the time, at 25 frames a second. Printed are, per width of the frames: the
share of one core that motion, tracks and events take together, and the milliseconds per frame of the background model alone. It
is CPU time, which depends less on how busy the machine is than time on the clock, but caches, clock rates and other threads of
the same core still count.
"""

from __future__ import annotations

import argparse
import statistics
import time
from typing import TYPE_CHECKING, NamedTuple

import cv2
import numpy as np

from edgecls import CountingLine, Line, Motion, MotionSettings, Rules, image
from edgecls.event import Moment
from edgecls.events.detector import CameraEvents
from edgecls.frame import Detection, Frame, Prediction
from edgecls.regions.background import Background

if TYPE_CHECKING:
    from collections.abc import Iterator

FPS, WARM_UP_S = 25, 4.0
SAME = Prediction("object", 0.9, -1, (("object", 0.9),))
LINE = CountingLine("middle", Line((0.5, 0.0), (0.5, 1.0)))


class Cost(NamedTuple):
    """The share of one core at 25 frames a second; the milliseconds per frame of the background model; the boxes per frame."""

    cores: float
    background_ms: float
    boxes: float


def pictures(width: int, seconds: float, objects: int) -> Iterator[np.ndarray]:
    """Yield gray frames of a textured scene, in which objects drive to and fro in lanes of their own."""
    rng, height = np.random.default_rng(1), width * 9 // 16
    coarse = rng.integers(60, 180, (27, 48)).astype(np.uint8)
    scene = cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC)
    wide, high = width // 12, height // (2 * objects + 1)
    sprite = cv2.resize(rng.integers(0, 256, (4, 6)).astype(np.uint8), (wide, high), interpolation=cv2.INTER_NEAREST)
    for index in range(int(seconds * FPS)):
        picture = scene.copy()
        for n in range(objects if index >= WARM_UP_S * FPS else 0):
            way = (index * width // (FPS * 8) + n * width // objects) % (2 * (width - wide))
            left, top = min(way, 2 * (width - wide) - way), (2 * n + 1) * high
            picture[top : top + high, left : left + wide] = sprite
        yield picture


def cost(width: int, seconds: float, objects: int) -> Cost:
    """Measure frames of this width."""
    find, camera = Motion(MotionSettings()), CameraEvents("c", Rules(lines=(LINE,), health=False))
    alone = Background(warm_up_s=2.0, absorb_s=60.0)
    spent_s, background_s, boxes = [], [], []
    for index, picture in enumerate(pictures(width, seconds, objects)):
        time_s = index / FPS
        frame = _frame(picture, index, time_s)
        began = time.thread_time()
        found = [Detection(region.box, SAME, region.name) for region in find(frame)]
        camera.step(Moment(index, round(time_s, 3)), frame.size_hw, found)
        ended = time.thread_time()
        small = image.overview(frame, MotionSettings().width)
        again = time.thread_time()
        foreground = alone.foreground(small, time_s)
        if foreground is not None:
            alone.update(foreground, foreground, time_s)
        if time_s > WARM_UP_S:
            spent_s.append(ended - began)
            background_s.append(time.thread_time() - again)
            boxes.append(len(found))
    return Cost(statistics.mean(spent_s) * FPS, statistics.mean(background_s) * 1e3, statistics.mean(boxes))


def _frame(picture: np.ndarray, index: int, time_s: float) -> Frame:
    return Frame(
        "c",
        index,
        time_s=time_s,
        captured_at=0.0,
        size_hw=picture.shape,  # type: ignore[arg-type]
        bgr=lambda: np.dstack([picture] * 3),
        plane=lambda: picture,
    )


def main() -> None:
    """Measure each width."""
    parser = argparse.ArgumentParser(description="Measure what motion and tracks cost.")
    parser.add_argument("--seconds", type=float, default=40.0)
    parser.add_argument("--objects", type=int, default=5)
    parser.add_argument("--width", type=int, nargs="*", default=[640, 1280, 1920, 3840])
    args = parser.parse_args()
    image.keep_opencv_to_one_thread()
    for width in args.width:
        cores, background_ms, boxes = cost(width, args.seconds, args.objects)
        print(
            f"{width:5d} wide: {cores:.1%} of one core, background {background_ms:.2f} ms a frame, {boxes:.1f} boxes",
            flush=True,
        )


if __name__ == "__main__":
    main()
