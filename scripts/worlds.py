"""Measure motion, tracks and crossings in drawn worlds, in which everything is known.

python -m scripts.worlds [--world NAME ...] [--minutes 30] [--objects 200] [--seed 1] [--fps 12.5] [--detector FPS] [--json]

Each world (`scripts/drawn_world.py`) goes through `edgecls.Motion` and `edgecls.Events` with their defaults. What an object is
called is left out: every box has the same label. With --detector, boxes come from a detector that errs as trained ones do
(`scripts/drawn_detector.py`) and looks at so many frames a second, instead of from motion. Printed are, per world:

objects    of those that were drawn, how many were reported: recall; of those reported, how many were drawn: precision. A
           reported object is right if most of its frames, and at least a third of those that show the drawn one, match it. Each
           counts once, so the second track of one object is invented.
crossings  the same for a line, in the right direction and within 0.8 s.
switches   how often the track of a drawn object changes (IDSW of MOT, Bernardin and Stiefelhagen 2008), as a share of the
           objects.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from edgecls import CountingLine, DetectorSettings, Line, Motion, MotionSettings, Objects, Rules, TrackSettings, image
from edgecls.event import Moment
from edgecls.events.detector import CameraEvents
from edgecls.frame import Detection, Frame, Prediction
from edgecls.run.detector_tracks import detector_track
from scripts.drawn_detector import DrawnDetector
from scripts.drawn_world import HEIGHT, WIDTH, WORLDS, World

if TYPE_CHECKING:
    from collections.abc import Iterable

    from edgecls import Event
    from scripts.drawn_world import Seen

SAME_PLACE = 0.3
"""A track shows an object if their boxes overlap by this intersection over union. It is low, because what moves includes
shadows and beams of light.
"""
MOST, THIRD = 0.5, 1 / 3
TOLERANCE_S = 0.8
SHORTEST_S = 1.0
"""An object that is to be seen for less than this need not be found."""
WARM_UP_S = 2.5
GOAL, MOST_SWITCHES = 0.97, 0.02
SAME = Prediction("object", 0.9, -1, (("object", 0.9),))


@dataclass
class Score:
    """What was right in a world.

    Attributes:
        objects: How many objects were drawn, reported, and both.
        crossings: The same for crossings.
        switches: How often the track of a drawn object changed.
        missed: The numbers of the objects that were not reported.
        invented: The track ids of the reported objects that were not drawn.
    """

    objects: tuple[int, int, int]
    crossings: tuple[int, int, int]
    switches: int
    missed: list[int]
    invented: list[int]
    notes: list[str] = field(default_factory=list)

    def to_record(self) -> dict[str, float]:
        """Return the shares."""
        shares = {}
        for name, (true, told, both) in (("objects", self.objects), ("crossings", self.crossings)):
            shares |= {name: true, f"{name}_precision": both / max(1, told), f"{name}_recall": both / max(1, true)}
        return shares | {"switches": self.switches / max(1, self.objects[0])}

    @property
    def is_good(self) -> bool:
        """Whether the goals are reached."""
        record = self.to_record()
        shares = [record[f"{name}_{share}"] for name in ("objects", "crossings") for share in ("precision", "recall")]
        return min(shares) >= GOAL and record["switches"] <= MOST_SWITCHES


class _Row(NamedTuple):
    """A frame: its time, the drawn objects, and the tracks with their boxes."""

    time_s: float
    seen: list[Seen]
    tracks: list[tuple[int, tuple[int, int, int, int]]]


def watch(world: World, *, motion: MotionSettings | None = None, detector_fps: float = 0.0) -> Score:
    """Run a world through motion and events, or with `detector_fps` through a detector, and return how well they did."""
    line, detector = _line(world), DrawnDetector(world.seed)
    track, find = TrackSettings(), Motion(motion or MotionSettings())
    if detector_fps:
        track = detector_track()
        settings = DetectorSettings("drawn", fps=detector_fps, names="detector")
        find = Objects(detector, settings, lost_s=track.lost_s)  # type: ignore[arg-type, assignment]  # it has what is used of one
    camera = CameraEvents("c", Rules(lines=(line,), track=track, health=False))
    rows, events = [], []
    for index, (time_s, picture, seen) in enumerate(world.frames()):
        frame, detector.seen = _frame(picture, index, time_s), seen
        found = [Detection(one.box, SAME, one.name, one.detected and one.detected.score) for one in find(frame)]
        events += camera.step(Moment(index, round(time_s, 3)), (HEIGHT, WIDTH), found)
        rows.append(_Row(time_s, seen, [(track.track_id, track.box) for track in camera.tracks()]))
    return score(rows, events + camera.close(), line)


def score(rows: list[_Row], events: Iterable[Event], line: CountingLine) -> Score:
    """Compare events with what was drawn."""
    events = list(events)
    reported = {event.track_id for event in events if event.kind == "object"}
    shown: Counter[int] = Counter()
    tracked: Counter[int] = Counter()
    both: Counter[tuple[int, int]] = Counter()
    now: dict[int, int] = {}
    switches, notes = 0, []
    for row in rows:
        if row.time_s < WARM_UP_S:
            continue
        shown.update(one.number for one in row.seen if one.is_shown)
        tracks = {number: box for number, box in row.tracks if number in reported}
        tracked.update(list(tracks))
        for number, track in _matched(row.seen, tracks, now).items():
            both[number, track] += 1
            if now.get(number, track) != track:
                switches += 1
                notes.append(f"{row.time_s:.1f} s: object {number} goes on as track {track} instead of {now[number]}")
            now[number] = track
    shortest = SHORTEST_S * len(rows) / max(0.001, rows[-1].time_s)
    true = {number for number, frames in shown.items() if frames >= shortest}
    right: dict[int, int] = {}
    for (number, track), frames in both.most_common():
        is_enough = frames >= MOST * min(tracked[track], shown[number]) and frames >= THIRD * shown[number]
        if number not in right and track not in right.values() and is_enough:
            right[number] = track
    hits = true & right.keys()
    extra = right.keys() - true  # hardly to be seen, but found
    missed = sorted(true - right.keys())
    invented = sorted(reported - set(right.values()))
    notes += [f"missed object {number}: {_when(rows, number)}" for number in missed]
    notes += [f"invented track {track}: {_of_track(events, track)}" for track in invented]
    crossings = _crossings(rows, events, line, true, notes)
    return Score((len(true), len(reported) - len(extra), len(hits)), crossings, switches, missed, invented, notes)


def _matched(seen: list[Seen], tracks: dict[int, tuple[int, int, int, int]], now: dict[int, int]) -> dict[int, int]:
    """Match objects and tracks in a frame. What was matched stays matched while it overlaps."""
    pairs = []
    for one in seen:
        for track, box in tracks.items():
            common = overlap(one.box, box)
            if one.is_shown and common >= SAME_PLACE:
                pairs.append((now.get(one.number) == track, common, one.number, track))
    matched: dict[int, int] = {}
    for _, _, number, track in sorted(pairs, reverse=True):
        if number not in matched and track not in matched.values():
            matched[number] = track
    return matched


def overlap(one: tuple[float, ...], two: tuple[float, ...]) -> float:
    """Return the intersection over union of two boxes: left, top, right, bottom."""
    wide = min(one[2], two[2]) - max(one[0], two[0])
    high = min(one[3], two[3]) - max(one[1], two[1])
    common = max(0.0, wide) * max(0.0, high)
    return common / max(1e-6, sum((b[2] - b[0]) * (b[3] - b[1]) for b in (one, two)) - common)


def _crossings(
    rows: list[_Row], events: list[Event], line: CountingLine, true: set[int], notes: list[str]
) -> tuple[int, int, int]:  # fmt: skip
    drawn = _drawn_crossings(rows, line)
    told = sorted((event.start.time_s, event.direction) for event in events if event.kind == "crossing")
    pairs = [
        (abs(at_s - told_s), i, j)
        for i, (at_s, way, _) in enumerate(drawn)
        for j, (told_s, told_way) in enumerate(told)
        if way == told_way and abs(at_s - told_s) <= TOLERANCE_S
    ]
    of: dict[int, int] = {}
    for _, i, j in sorted(pairs):
        if i not in of and j not in of.values():
            of[i] = j
    must = [i for i, (_, _, number) in enumerate(drawn) if number in true]
    notes += [f"missed crossing: object {drawn[i][2]} -> {drawn[i][1]} at {drawn[i][0]:.1f} s" for i in must if i not in of]
    spare = [told[j] for j in range(len(told)) if j not in of.values()]
    notes += [f"invented crossing -> {way} at {at_s:.1f} s" for at_s, way in spare]
    hits = sum(i in of for i in must)
    return len(must), hits + len(spare), hits


def _drawn_crossings(rows: list[_Row], line: CountingLine) -> list[tuple[float, str, int]]:
    """Return when the middle of each object came to the other side of the line, and its name."""
    sides: dict[int, float] = {}
    drawn = []
    for row in rows:
        for one in row.seen:
            side = line.line.side((one.middle[0] / WIDTH, one.middle[1] / HEIGHT))
            before = sides.get(one.number, side)
            if before * side < 0 and row.time_s >= WARM_UP_S:
                drawn.append((row.time_s, line.left if side > 0 else line.right, one.number))
            sides[one.number] = side
    return drawn


def _line(world: World) -> CountingLine:
    """Return the line of a world: across its road."""
    ends = ((0.0, 0.62), (1.0, 0.62)) if world.kind.is_along else ((0.42, 0.0), (0.42, 1.0))
    return CountingLine("line", Line(*ends))


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


def _when(rows: list[_Row], number: int) -> str:
    at = [(row.time_s, one.box) for row in rows for one in row.seen if one.number == number and one.is_shown]
    (first_s, box), (last_s, end) = at[0], at[-1]
    return f"{first_s:.1f} to {last_s:.1f} s, {len(at)} frames, from {_whole(box)} to {_whole(end)}"


def _of_track(events: list[Event], track: int) -> str:
    event = next(event for event in reversed(events) if event.kind == "object" and event.track_id == track)
    end_s = event.start.time_s if event.end is None else event.end.time_s
    return f"{event.start.time_s:.1f} to {end_s:.1f} s, at its best {event.view.box if event.view else ''}"


def _whole(box: tuple[float, ...]) -> tuple[int, ...]:
    return tuple(round(side) for side in box)


def main() -> int:
    """Measure each world. Returns 1 if a goal is missed."""
    parser = argparse.ArgumentParser(description="Measure motion, tracks and crossings in drawn worlds.")
    parser.add_argument("--world", nargs="*", choices=tuple(WORLDS), default=tuple(WORLDS), help="Which worlds. Default: all.")
    parser.add_argument("--minutes", type=float, default=30.0, help="How long each is. Default: 30.")
    parser.add_argument("--objects", type=int, help="How many come. Default: 200 in 30 minutes.")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--fps", type=float, default=12.5, help="Frames per second. Default: 12.5.")
    parser.add_argument("--detector", type=float, default=0.0, metavar="FPS", help="Use a detector at this rate, not motion.")
    parser.add_argument("--json", action="store_true", help="Print one line of JSON per world.")
    parser.add_argument("--notes", action="store_true", help="Print each error.")
    args = parser.parse_args()
    image.keep_opencv_to_one_thread()
    is_good = True
    for name in args.world:
        began_s = time.process_time()
        objects = args.objects or round(200 / 30 * args.minutes)
        result = watch(World(WORLDS[name], args.minutes * 60, objects, args.seed, fps=args.fps), detector_fps=args.detector)
        record = {"world": name, **result.to_record(), "cpu_s": time.process_time() - began_s}
        if args.json:
            print(json.dumps({key: round(value, 4) if isinstance(value, float) else value for key, value in record.items()}))
        else:
            print(_text(name, result, record["cpu_s"]), flush=True)
        if args.notes:
            print("".join(f"    {note}\n" for note in result.notes), end="", flush=True)
        is_good = is_good and result.is_good
    return 0 if is_good else 1


def _text(name: str, result: Score, cpu_s: float) -> str:
    record = result.to_record()
    parts = [
        f"{what} {record[what]:3d}: precision {record[f'{what}_precision']:.3f}, recall {record[f'{what}_recall']:.3f}"
        for what in ("objects", "crossings")
    ]
    return f"{name:10s} {'; '.join(parts)}; switches {record['switches']:.1%} ({cpu_s:.0f} s)"


if __name__ == "__main__":
    sys.exit(main())
