"""Judge where the lines of a camera are, by the paths of the objects in a recording, and suggest a better place.

A line counts well where objects are seen on both sides of it and pass straight through. It counts badly where they appear or
vanish (behind a post, at the edge of the picture), where they turn back at once, and where they move along it.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from edgecls.events.paths import Paths
from edgecls.labels.passing import angle_deg, counted_at, ends_near, missed_at, passing, reach, shifted, turned
from edgecls.text.words import counted

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import NDArray

    from edgecls.event import Event
    from edgecls.events.rules import CountingLine, Rules
    from edgecls.regions.geometry import Line

NEAR = 0.05
"""An object that is never farther from a line than this on one side, in fractions of the frame, appeared or vanished there."""
ROOM = 0.08
"""At a better place, objects are seen at least this far on both sides: most of them whole, which a crossing needs."""
BACK_S = 2.0
"""A crossing that is followed by one in the other direction within this time came straight back."""
ALONG_DEG = 30.0
"""Objects that cross a line at a smaller angle move along it."""
TOLERATED = 0.1
"""A line is well placed if at most this share of the objects, and of the crossings, is spoiled."""
FEWEST = 5
"""With fewer objects at a line it is not judged."""
FEWEST_MORE = 2
"""So many more objects, or more than a tenth more, must pass at a better place."""
STEP = 0.01
"""Better places are searched in these steps, in fractions of the frame."""
MOST_OF_BEST = 0.95
"""The nearest place at which this share of the best number of objects passes is suggested."""
CUT_S = 3.0
"""Objects that are there this soon after the start of a recording may have come before it."""
MOST_TRIED = 200
"""A better place is tried by counting at most this many objects there, as a run would."""
MOST_OBJECTS = 5000
"""Of more objects, this many are chosen at random."""


@dataclass(frozen=True, slots=True)
class LineReport:
    """How well a line of a camera is placed.

    Attributes:
        camera: The camera's name.
        line: The line's name.
        crossings: The number of crossings to each side, by its name.
        objects: How many objects crossed it; of more than 5,000 at this camera, how many in a random sample, as below.
        appeared: How many of these were first seen less than 5 % of the picture from it.
        vanished: How many of these were last seen that close to it.
        spoiled: How many of these appeared or vanished that close to it.
        missed: How many other objects appeared or vanished that close to it, without crossing it.
        uncounted: How many other objects passed it and were not counted, because they are not seen whole there: only one edge
            of their box moves while they leave the picture, come out from behind something, or merge with another object.
        came_back: The number of crossings that were followed by one in the other direction within 2 s.
        angle_deg: The median angle between the line and the paths that cross it, 0 (along it) to 90; None without objects.
        passing: How many objects cross it from side to side, and are seen for more than 5 % of the picture on both.
        better: A better place for it; None if it is well placed or none is better. A line that was only moved keeps its left
            and right side; one that was turned may not.
        passing_there: How many objects pass from side to side there.
    """

    camera: str
    line: str
    crossings: dict[str, int]
    objects: int
    appeared: int
    vanished: int
    spoiled: int
    missed: int
    uncounted: int
    came_back: int
    angle_deg: float | None
    passing: int
    better: Line | None = None
    passing_there: int = 0

    @property
    def verdict(self) -> Literal["good", "bad", "too few"]:
        """Whether the line is well placed; "too few" if there were fewer than 5 objects to judge it by."""
        seen = self.objects + self.missed + self.uncounted
        if seen < FEWEST:
            return "too few"
        is_spoiled = self.spoiled + self.missed + self.uncounted > max(1, TOLERATED * seen)  # one is chance
        return "bad" if is_spoiled or self.is_recrossed or self.is_along else "good"

    @property
    def is_recrossed(self) -> bool:
        """Whether too many crossings come straight back."""
        return self.came_back > max(1, TOLERATED * sum(self.crossings.values()))

    @property
    def is_along(self) -> bool:
        """Whether objects move along the line."""
        return self.angle_deg is not None and self.angle_deg < ALONG_DEG

    def __str__(self) -> str:
        """Say it in one sentence."""
        counts = ", ".join(f"{count} {side}" for side, count in self.crossings.items())
        name = f'{self.camera}, line "{self.line}": '
        if self.verdict == "too few":
            return f"{name}too few objects to judge it ({counts})"
        if self.verdict == "good":
            seen = "all" if self.passing == self.objects else str(self.passing)
            crossed = f"{counted(self.objects, 'object')} crossed it ({counts})"
            far = f"more than {NEAR * 100:g} % of the picture from it on both sides"
            return f"{name}well placed; {crossed}, {seen} of them seen {far}"
        return f"{name}badly placed: {'; '.join(self._faults())}; {self._advice()}"

    def to_record(self) -> dict[str, Any]:
        """Return all of it as plain values."""
        return {
            "camera": self.camera,
            "line": self.line,
            "verdict": self.verdict,
            "crossings": self.crossings,
            "objects": self.objects,
            "appeared": self.appeared,
            "vanished": self.vanished,
            "missed": self.missed,
            "uncounted": self.uncounted,
            "came_back": self.came_back,
            "angle_deg": self.angle_deg,
            "passing": self.passing,
            "better": None if self.better is None else [list(self.better.start), list(self.better.end)],
            "passing_there": self.passing_there if self.better is not None else None,
            "text": str(self),
        }

    def _faults(self) -> list[str]:
        near = f"appeared or vanished less than {NEAR * 100:g} % of the picture from it"
        faults = []
        if self.spoiled:
            faults.append(f"{self.spoiled} of {counted(self.objects, 'object')} that crossed it {near}")
        if self.missed:
            others = counted(self.missed, "more object" if faults else "object")
            faults.append(f"{others} {'did so' if faults else near} without crossing it")
        if self.uncounted:
            faults.append(f"{counted(self.uncounted, 'object')} passed it uncounted, as they are not seen whole there")
        if self.came_back:
            faults.append(f"{counted(self.came_back, 'crossing')} came straight back")
        if self.is_along:
            faults.append(f"objects move along it, at {self.angle_deg:.0f} degrees, and not across")
        return faults

    def _advice(self) -> str:
        if self.better is None:
            return "no place beside it is better, so draw it where objects are seen whole and move straight on"
        (x1, y1), (x2, y2) = self.better.start, self.better.end
        place = f"move it to [[{x1:g}, {y1:g}], [{x2:g}, {y2:g}]]"
        instead = f" instead of {self.passing}" if self.passing_there > self.passing else ""
        names = " (check which side is which)" if self.is_along else ""
        return f"{place}{names}, where {counted(self.passing_there, 'object')} pass from side to side{instead}"


@dataclass(frozen=True, slots=True)
class _Object:
    label: str
    points: NDArray[np.float64]  # (N, 2) x and y in fractions of the frame
    sizes: NDArray[np.float64]  # (N, 2) width and height of its box
    crossings: tuple[tuple[str, str, float], ...]  # line, direction and media time
    begins: bool  # whether its beginning is in the recording
    ends: bool


class LineJudge:
    """Collects the paths of one camera's objects, and judges its lines by them.

    Give `paths` to the camera's `CameraEvents`, and pass its events to `take`.
    """

    def __init__(self, camera: str, rules: Rules) -> None:
        """Start without objects."""
        self._camera = camera
        self._rules = rules
        self._rng = np.random.default_rng(0)
        self._objects: list[_Object] = []
        self._count = 0
        self._crossed: Counter[tuple[str, str]] = Counter()
        self._came_back: Counter[str] = Counter()
        self._size_hw = (1, 1)
        self.begin(0.0)

    def begin(self, time_s: float) -> None:
        """Begin a recording at this media time."""
        self.paths = Paths()
        self._began_s = time_s
        self._crossings: dict[int, list[tuple[str, str, float]]] = {}

    def take(self, events: Iterable[Event], size_hw: tuple[int, int] | None = None) -> None:
        """Process the events of a frame of this size, (height, width); without a size, those at the end of the recording."""
        self._size_hw = size_hw or self._size_hw
        ended = self.paths.take()
        for event in events:
            if event.track_id is None:
                continue
            if event.kind == "crossing":
                crossing = (event.region, event.direction, event.start.time_s)
                self._crossings.setdefault(event.track_id, []).append(crossing)
            elif event.kind == "object" and event.end is not None and event.track_id in ended:
                path = ended[event.track_id]
                self._keep(
                    _Object(
                        event.label,
                        np.array(path.points),
                        np.array(path.sizes),
                        tuple(self._crossings.pop(event.track_id, ())),
                        begins=path.first_s - self._began_s >= CUT_S,
                        ends=size_hw is not None,
                    )
                )

    def reports(self) -> list[LineReport]:
        """Return how well each line is placed."""
        return [self._report(line) for line in self._rules.lines]

    def _keep(self, one: _Object) -> None:
        """Count the crossings of an object, and keep it, or of too many a random sample (reservoir sampling, Vitter 1985)."""
        for line, side, _ in one.crossings:
            self._crossed[line, side] += 1
        for name in {line for line, _, _ in one.crossings}:
            self._came_back[name] += _returns(one, name)
        self._count += 1
        if len(self._objects) < MOST_OBJECTS:
            self._objects.append(one)
        elif (place := int(self._rng.integers(self._count))) < MOST_OBJECTS:
            self._objects[place] = one

    def _report(self, line: CountingLine) -> LineReport:
        objects = [one for one in self._objects if len(one.points) > 1 and (not line.labels or one.label in line.labels)]
        crossed = appeared = vanished = spoiled = missed = passes = uncounted = 0
        angles = []
        for one in objects:
            has_crossed = any(name == line.name for name, _, _ in one.crossings)
            crossed += has_crossed
            found = reach(line.line, one.points)
            is_passing = bool(passing(line.line, np.zeros(1), [one.points], NEAR).paths[0])
            passes, uncounted = passes + (has_crossed and is_passing), uncounted + (is_passing and not has_crossed)
            if has_crossed and found is not None:
                new, gone = one.begins and found.before < NEAR, one.ends and found.after < NEAR
                angles.append(angle_deg(line.line, one.points, NEAR, self._size_hw))
                appeared, vanished, spoiled = appeared + new, vanished + gone, spoiled + (new or gone)
            elif not (has_crossed or is_passing):
                new, gone = ends_near(line.line, one.points, NEAR)
                missed += (one.begins and new) or (one.ends and gone)
        report = LineReport(
            self._camera,
            line.name,
            {side: self._crossed[line.name, side] for side in (line.left, line.right)},
            objects=crossed,
            appeared=appeared,
            vanished=vanished,
            spoiled=spoiled,
            missed=missed,
            uncounted=uncounted,
            came_back=self._came_back[line.name],
            angle_deg=round(float(np.median(angles)), 1) if angles else None,
            passing=passes,
        )
        return self._improved(report, line.line, objects) if report.verdict == "bad" else report

    def _improved(self, report: LineReport, line: Line, objects: list[_Object]) -> LineReport:
        """Return the report with a better place, if there is one."""
        paths, tried = [one.points for one in objects], objects[:MOST_TRIED]
        whole = [(one.begins, one.ends) for one in tried]

        def score(place: Line, offsets: Sequence[float]) -> NDArray[np.int64]:
            found = passing(place, np.array(offsets), paths, ROOM)
            return found.paths - (found.more_crossings if report.is_recrossed else 0)

        start = (turned(line, paths, NEAR, self._size_hw) if report.is_along else None) or line
        steps = (n * STEP for n in range(-round(1 / STEP), round(1 / STEP) + 1))
        places = [(offset, place) for offset in steps if (place := shifted(start, offset)) is not None]
        scores = score(start, [offset for offset, _ in places])
        own, best = int(score(line, [0.0])[0]) - report.uncounted, int(scores.max(initial=0))
        needed = MOST_OF_BEST * own if report.is_along else own + max(FEWEST_MORE, TOLERATED * report.objects)
        if best <= 0 or best < needed:
            return report
        good = [place for place, its in zip(places, scores.tolist(), strict=True) if its >= MOST_OF_BEST * best]
        points, sizes = [one.points for one in tried], [one.sizes for one in tried]
        for offset, better in sorted(good, key=lambda place: abs(place[0])):
            there = int(passing(start, np.array([offset]), points, NEAR).paths[0])
            is_spoiled = missed_at(better, points, whole, NEAR) > max(1, TOLERATED * there)
            if not is_spoiled and counted_at(better, points, sizes) >= MOST_OF_BEST * there:
                count = int(passing(start, np.array([offset]), paths, NEAR).paths[0])
                return replace(report, better=better, passing_there=count)
        return report


def _returns(one: _Object, line: str) -> int:
    """Return how often an object crossed a line and came straight back."""
    its = [(side, time_s) for name, side, time_s in one.crossings if name == line]
    return sum(a != b and after_s - before_s <= BACK_S for (a, before_s), (b, after_s) in pairwise(its))
