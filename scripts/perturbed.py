"""Measure whether faulty frames change what is counted: black, white, flashed, noisy and cut ones, and jumps in the middle.

python -m scripts.perturbed --clips FOLDER [--only NAME ...] [--json]

FOLDER has clips of fixed cameras with truth: NAME.mp4 or NAME.avi beside NAME.truth.json, of which only the lines are read:
{"lines": [{"name": "gate", "line": [[0, 0.5], [1, 0.5]], "left": "in", "right": "out"}]}, in fractions of the frame.
Each clip goes through motion and events as it is, and once with each fault added. Every box has the same label. Printed are the
crossings of all lines and the objects of the clip as it is, and how many more or fewer there are with a fault.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from edgecls import CountingLine, Line, Motion, MotionSettings, Rules, image, open_source
from edgecls.event import Moment
from edgecls.events.detector import CameraEvents
from edgecls.frame import Detection, Frame, Prediction

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

WIDTH = 320
"""What motion looks at, so larger pictures would give the same."""
FIRST, SHORT, LONG = 1, 3, 12
"""How many frames are added: of a fault at the start, of a flash, of a freeze or a cut."""
SAME = Prediction("object", 0.9, -1, (("object", 0.9),))
Pictures = list[np.ndarray]


class Counted(NamedTuple):
    """What was counted: the crossings of each line and direction, and the objects."""

    crossings: Counter[tuple[str, str]]
    objects: int


def _lit(picture: np.ndarray, gain: float) -> np.ndarray:
    return np.clip(picture * gain, 0, 255).astype(np.uint8)


def _noise(picture: np.ndarray) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, picture.shape).astype(np.uint8)


def _other_view(picture: np.ndarray) -> np.ndarray:
    return 255 - picture[::-1, ::-1]


def _start(fault: Callable[[np.ndarray], np.ndarray], frames: int = FIRST) -> Callable[[Pictures], Pictures]:
    return lambda clip: [fault(clip[0])] * frames + clip


def _middle(fault: Callable[[np.ndarray], np.ndarray], frames: int) -> Callable[[Pictures], Pictures]:
    def faulty(clip: Pictures) -> Pictures:
        half = len(clip) // 2
        return clip[:half] + [fault(clip[half])] * frames + clip[half:]

    return faulty


def _exposed(clip: Pictures) -> Pictures:
    half = len(clip) // 2
    return clip[:half] + [_lit(picture, 1.4) for picture in clip[half:]]


FAULTS: dict[str, Callable[[Pictures], Pictures]] = {
    "first black": _start(np.zeros_like),
    "first white": _start(lambda picture: np.full_like(picture, 255)),
    "first flashed": _start(lambda picture: _lit(picture, 2.5)),
    "first noisy": _start(_noise),
    "first cut": _start(_other_view, LONG),
    "exposure jump": _exposed,
    "flash": _middle(lambda picture: _lit(picture, 2.5), SHORT),
    "freeze": _middle(lambda picture: picture, LONG),
    "black": _middle(np.zeros_like, SHORT),
    "noisy": _middle(_noise, SHORT),
    "cut and back": _middle(_other_view, LONG),
}
"""The faults by name, each a function of a clip's pictures."""


def count(clip: Sequence[np.ndarray], lines: Iterable[CountingLine], fps: float) -> Counted:
    """Count what crosses the lines of a clip."""
    find, camera = Motion(MotionSettings()), CameraEvents("c", Rules(lines=tuple(lines), health=False))
    events = []
    for index, picture in enumerate(clip):
        found = [Detection(region.box, SAME, region.name) for region in find(_frame(picture, index, index / fps))]
        events += camera.step(Moment(index, round(index / fps, 3)), picture.shape, found)
    events += camera.close()
    crossings = Counter((event.region, event.direction) for event in events if event.kind == "crossing")
    return Counted(crossings, len({event.track_id for event in events if event.kind == "object"}))


def more_and_fewer(plain: Counted, faulty: Counted) -> tuple[int, int, int]:
    """Return how many more crossings there are, how many fewer, and how many more objects (negative: fewer)."""
    more = (faulty.crossings - plain.crossings).total()
    return more, (plain.crossings - faulty.crossings).total(), faulty.objects - plain.objects


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


def _read(path: Path) -> tuple[Pictures, float]:
    """Return the pictures of a clip and its frames per second."""
    with open_source(f"c={path}") as source:
        pictures, times = zip(*((image.overview(frame, WIDTH), frame.time_s) for frame in source), strict=True)
    return list(pictures), (len(times) - 1) / max(0.001, times[-1] - times[0])


def _lines(path: Path) -> list[CountingLine]:
    truth = json.loads(path.read_text(encoding="utf-8"))
    return [
        CountingLine(one["name"], Line(*(tuple(point) for point in one["line"])), left=one["left"], right=one["right"])
        for one in truth["lines"]
    ]


def main() -> int:
    """Measure each clip. Returns 1 if a fault changes a count."""
    parser = argparse.ArgumentParser(description="Measure whether faulty frames change what is counted.")
    parser.add_argument("--clips", type=Path, required=True, help="A folder of clips with truth.")
    parser.add_argument("--only", nargs="*", help="Names of clips. Default: all.")
    parser.add_argument("--json", action="store_true", help="Print one line of JSON per clip and fault.")
    args = parser.parse_args()
    image.keep_opencv_to_one_thread()
    is_same = True
    for truth in sorted(args.clips.glob("*.truth.json")):
        name = truth.name.removesuffix(".truth.json")
        paths = [path for end in (".mp4", ".avi") if (path := truth.with_name(name + end)).exists()]
        if not paths or (args.only and name not in args.only):
            continue
        (pictures, fps), lines = _read(paths[0]), _lines(truth)
        plain = count(pictures, lines, fps)
        if not args.json:
            print(f"{name}: {plain.crossings.total()} crossings, {plain.objects} objects", flush=True)
        for fault, faulty in FAULTS.items():
            more, fewer, objects = more_and_fewer(plain, count(faulty(pictures), lines, fps))
            is_same = is_same and not (more or fewer)
            record = {"clip": name, "fault": fault, "more": more, "fewer": fewer, "objects": objects}
            print(json.dumps(record) if args.json else f"   {fault:14s} +{more} -{fewer}, objects {objects:+d}", flush=True)
    return 0 if is_same else 1


if __name__ == "__main__":
    sys.exit(main())
