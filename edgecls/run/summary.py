"""Of a recording of labels: what each region showed, for how long and when, and what crossed which line.

It is made of events, by the rules that events are made by, so a summary tells the same stories: a label that flickers for a
frame is none of them. Frames come one by one and are forgotten; what is kept are the stretches.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, NamedTuple

from edgecls.errors import DataError
from edgecls.run.events import CameraEvents
from edgecls.run.rules import MOTION, Rules
from edgecls.run.say import Say, say_on_stderr
from edgecls.settings import check
from edgecls.stretch import SHORTEST_S, Shown, Stretch

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from edgecls.event import Event, Moment
    from edgecls.run.wire import Observation

LASTING = ("state", "object", "presence", "health")
"""The kinds of events that are stretches of a region."""
HEALTH = "camera health"
"""What is written where a region stands, of stretches in which the pictures could not be trusted."""


class Crossings(NamedTuple):
    """How many objects of one label crossed a line of a camera in one direction."""

    camera: str
    line: str
    direction: str
    label: str
    objects: int


@dataclass(frozen=True, slots=True)
class Summary:
    """What a recording shows: of each region of each camera, and what crossed the lines, where the rules have any."""

    frames: int
    regions: tuple[Shown, ...]
    crossings: tuple[Crossings, ...] = ()

    def to_record(self) -> dict[str, Any]:
        """Return all of it as plain values."""
        return {
            "frames": self.frames,
            "regions": [region.to_record() for region in self.regions],
            "crossings": [crossing._asdict() for crossing in self.crossings],
        }


def summarize(
    seen: Iterable[Observation],
    rules: Mapping[str, Rules] | None = None,
    *,
    gap_s: float = 0.0,
    least_s: float = 0.0,
    say: Say = say_on_stderr,
) -> Summary:
    """Sum up what frames show, in their order, of one camera or of several. `rules` are by the camera's name; a camera without
    any has the usual ones.

    Two stretches of one label that are at most `gap_s` apart are one, and what the region showed between them is left out; of
    what is then there, stretches shorter than `least_s` are left out. Objects are never joined. `say` hears in one line of a
    camera whose frames are counted from 0 again, as where two recordings stand in one file: its media time goes on from there.
    """
    for name, value in (("gap", gap_s), ("min", least_s)):
        check(name, value, 0 <= value < float("inf"), "0 or more seconds")
    cameras: dict[str, _Camera] = {}
    for one in seen:
        camera = cameras.get(one.camera)
        if camera is None:
            camera = cameras[one.camera] = _Camera(one, (rules or {}).get(one.camera, Rules()), gap_s)
        camera.step(one)
    for camera in cameras.values():
        camera.close()
        if camera.parts > 1:
            say(f"camera {camera.name}: {camera.parts} recordings, one after the other; the times of later ones are counted on")
    return Summary(
        sum(camera.frames for camera in cameras.values()),
        tuple(shown for camera in cameras.values() for shown in camera.shown(least_s)),
        tuple(crossing for camera in cameras.values() for crossing in camera.crossings()),
    )


class _Camera:
    """What one camera has shown so far."""

    def __init__(self, seen: Observation, rules: Rules, gap_s: float) -> None:
        self.name = seen.camera
        self.parts = 1
        self.frames = 0
        self._rules = rules
        self._gap_s = gap_s
        self._hold_s = max(rule.hold_s for rule in (rules.state, *(zone.state for zone in rules.zones)))
        self._events = CameraEvents(self.name, rules)
        self._first = self._last = seen.moment
        self._seen: Moment | None = None
        self._after_s = 0.0  # the media time of the recordings before this one
        self._watched_s = 0.0
        self._regions: dict[str, list[Stretch]] = {zone.name: [] for zone in rules.entered}
        self._crossed: Counter[tuple[str, str, str]] = Counter()

    def step(self, seen: Observation) -> None:
        """Take the next frame."""
        if (seen.moment.at_s is None) != (self._first.at_s is None):
            raise DataError(
                f"camera {self.name}: it is live in one part of the recording and a file in another; summarize each by itself"
            )
        if self._seen is not None and seen.moment.begins_anew(self._seen):
            self._begin_anew(seen.moment)
        self._seen = seen.moment
        moment, unfit = self._counted_on(seen.moment), seen.unfit
        if unfit:
            unfit = replace(unfit, since=self._counted_on(unfit.since), last=self._counted_on(unfit.last))
        passed_s = moment.time_s - self._last.time_s
        self._watched_s += passed_s if 0 < passed_s <= self._hold_s else 0.0
        self._last = moment
        self.frames += 1
        for detection in seen.detections:
            if detection.region not in self._regions:
                self._regions[detection.region] = []
        self._take(self._events.step(moment, seen.size_hw, seen.detections, unfit=unfit))

    def close(self) -> None:
        """No more frames come."""
        self._take(self._events.close())

    def shown(self, least_s: float) -> list[Shown]:
        """Each region that a frame had or the rules name, what moves last."""
        names = sorted(self._regions, key=lambda name: name == MOTION)
        return [self._shown(name, least_s) for name in names]

    def crossings(self) -> list[Crossings]:
        """Each line and direction, the label that crossed most often first; one that nothing crossed has "" and 0."""
        found = []
        for gate in self._rules.gates:
            for side in (gate.left, gate.right):
                counts = [
                    (label, n) for (line, way, label), n in self._crossed.most_common() if (line, way) == (gate.name, side)
                ]
                found += [Crossings(self.name, gate.name, side, label, n) for label, n in counts or [("", 0)]]
        return found

    def _shown(self, name: str, least_s: float) -> Shown:
        stretches = sorted((s for s in self._regions[name] if s.seconds >= least_s), key=lambda s: s.start.time_s)
        return Shown(self.name, name, self._first, self._last, self.frames, self._watched_s, tuple(stretches))

    def _counted_on(self, moment: Moment) -> Moment:
        return moment._replace(time_s=moment.time_s + self._after_s) if self._after_s else moment

    def _begin_anew(self, moment: Moment) -> None:
        self.close()
        self._events = CameraEvents(self.name, self._rules)
        self._after_s = self._last.time_s - moment.time_s
        self.parts += 1

    def _take(self, events: Iterable[Event]) -> None:
        for event in events:
            if event.end is None:
                continue
            if event.kind == "crossing":
                self._crossed[event.region, event.direction, event.label] += 1
            elif event.kind in LASTING:
                gap_s = self._gap_s if event.kind == "state" else 0.0
                region = HEALTH if event.kind == "health" else event.region
                self._lay(region, Stretch(event.label, event.start, event.end, event.score), gap_s)

    def _lay(self, region: str, stretch: Stretch, gap_s: float) -> None:
        """Lay a stretch behind the others of its region, or join it to the last of its label where the gap is small."""
        line = self._regions.setdefault(region, [])
        place = len(line) - 1
        while gap_s and place >= 0 and stretch.start.time_s - line[place].end.time_s <= gap_s:
            if line[place].label == stretch.label:
                stretch = _joined(line[place], stretch)
                del line[place:]
                break
            place -= 1
        line.append(stretch)


def _joined(one: Stretch, two: Stretch) -> Stretch:
    """Both and what was between them; the score is that of their own frames, weighed by their length."""
    weights = max(SHORTEST_S, one.seconds), max(SHORTEST_S, two.seconds)
    score = (weights[0] * one.score + weights[1] * two.score) / sum(weights)
    return Stretch(one.label, one.start, two.end, score)
