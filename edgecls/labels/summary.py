"""Summarize a recording of labels: what each region showed, when and for how long, and what crossed which line.

A summary is computed from events, by the same rules as in a run, so labels that flicker for a single frame do not appear in it.
Frames are processed one by one; only the stretches are kept in memory.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, NamedTuple

from edgecls.errors import DataError
from edgecls.events.detector import CameraEvents
from edgecls.events.rules import Rules
from edgecls.frame import MOTION
from edgecls.labels.line_report import LineJudge, LineReport
from edgecls.labels.stretches import SHORTEST_S, Shown, Stretch
from edgecls.log import Say, log_warning
from edgecls.settings import check

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from edgecls.event import Event, Moment
    from edgecls.events.observation import Observation

LASTING = ("state", "label", "object", "presence", "left", "removed", "health")
"""The kinds of events that become stretches."""
HEALTH = "camera health"
"""The region name for stretches in which the pictures could not be trusted."""


class ShadowLabels(NamedTuple):
    """How often the model gave a label to crops of a camera that a shadow model called `shadow`."""

    camera: str
    label: str
    shadow: str
    crops: int


class Crossings(NamedTuple):
    """How many objects of one label crossed a line of a camera in one direction."""

    camera: str
    line: str
    direction: str
    label: str
    objects: int


def recorded(events: Iterable[Event]) -> tuple[Crossings, ...]:
    """Count the crossings of a recording as they were reported."""
    counts = Counter((event.camera, event.region, event.direction, event.label) for event in events)
    return tuple(Crossings(*key, objects) for key, objects in sorted(counts.items()))


@dataclass(frozen=True, slots=True)
class Summary:
    """The summary of a recording: its number of frames, what each region of each camera showed, the crossings of lines, how
    well each line is placed, and what a shadow model said of the same crops.
    """

    frames: int
    regions: tuple[Shown, ...]
    crossings: tuple[Crossings, ...] = ()
    lines: tuple[LineReport, ...] = ()
    shadow: tuple[ShadowLabels, ...] = ()

    def to_record(self) -> dict[str, Any]:
        """Return all of it as plain values."""
        return {
            "frames": self.frames,
            "regions": [region.to_record() for region in self.regions],
            "crossings": [crossing._asdict() for crossing in self.crossings],
            "lines": [line.to_record() for line in self.lines],
            **({"shadow": [pair._asdict() for pair in self.shadow]} if self.shadow else {}),
        }


def summarize(
    seen: Iterable[Observation],
    rules: Mapping[str, Rules] | None = None,
    *,
    gap_s: float = 0.0,
    least_s: float = 0.0,
    say: Say = log_warning,
) -> Summary:
    """Summarize a recording of one or more cameras.

    If a camera's frames start from 0 again, as in two recordings in one file, its media time continues from there, and `say` is
    called.

    Example:
        summary = edgecls.summarize(edgecls.read_labels("labels.jsonl"), least_s=1.0)
        for region in summary.regions:
            for total in region.totals:
                print(region.camera, region.region, total.label, f"{total.share:.1%}")

    Args:
        seen: The frames' observations, in order. See `edgecls.read_labels`.
        rules: The rules by camera name. Cameras without an entry, and None, get the defaults.
        gap_s: Join two stretches of the same label that are at most this many seconds apart, and drop what is between them.
            Objects are never joined.
        least_s: Then drop stretches shorter than this many seconds.
        say: Called with one line of text per camera with several recordings.

    Returns:
        The summary.

    Raises:
        ConfigError: `gap_s` or `least_s` is out of range.
        DataError: A camera is live in one part of the recording and a file in another.
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
            later = "the times of later ones continue from the earlier ones"
            say(f"camera {camera.name}: {camera.parts} recordings, one after the other; {later}")
    return Summary(
        sum(camera.frames for camera in cameras.values()),
        tuple(shown for camera in cameras.values() for shown in camera.shown(least_s)),
        tuple(crossing for camera in cameras.values() for crossing in camera.crossings()),
        tuple(report for camera in cameras.values() for report in camera.judge.reports()),
        tuple(pair for camera in cameras.values() for pair in camera.shadow_labels()),
    )


class _Camera:
    """The state of the summary for one camera."""

    def __init__(self, seen: Observation, rules: Rules, gap_s: float) -> None:
        self.name = seen.camera
        self.parts = 1
        self.frames = 0
        self._rules = rules
        self._gap_s = gap_s
        self._hold_s = max(rule.hold_s for rule in (rules.state, *(zone.state for zone in rules.zones)))
        self.judge = LineJudge(self.name, rules)
        self._events = self._begin(seen.moment.time_s)
        self._first = self._last = seen.moment
        self._seen: Moment | None = None
        self._after_s = 0.0  # the media time of the recordings before this one
        self._watched_s = 0.0
        self._regions: dict[str, list[Stretch]] = {zone.name: [] for zone in rules.object_zones}
        self._crossed: Counter[tuple[str, str, str]] = Counter()
        self._pairs: Counter[tuple[str, str]] = Counter()

    def step(self, seen: Observation) -> None:
        """Process the next frame."""
        if (seen.moment.at_s is None) != (self._first.at_s is None):
            raise DataError(
                f"camera {self.name}: it is live in one part of the recording and a file in another; summarize each by itself"
            )
        if self._seen is not None and seen.moment.begins_anew(self._seen):
            self._restart(seen.moment)
        self._seen = seen.moment
        moment, unfit = self._continued(seen.moment), seen.unfit
        if unfit:
            unfit = replace(unfit, since=self._continued(unfit.since), last=self._continued(unfit.last))
        passed_s = moment.time_s - self._last.time_s
        self._watched_s += passed_s if 0 < passed_s <= self._hold_s else 0.0
        self._last = moment
        self.frames += 1
        for detection in seen.detections:
            if detection.region not in self._regions:
                self._regions[detection.region] = []
            if detection.shadow is not None:
                self._pairs[", ".join(detection.prediction.names), detection.shadow.label] += 1
        self._take(self._events.step(moment, seen.size_hw, seen.detections, unfit=unfit), seen.size_hw)

    def close(self) -> None:
        """Finish."""
        self._take(self._events.close())

    def shown(self, least_s: float) -> list[Shown]:
        """Return each region of the frames or the rules, the moving objects last."""
        names = sorted(self._regions, key=lambda name: name == MOTION)
        return [self._shown(name, least_s) for name in names]

    def crossings(self) -> list[Crossings]:
        """Return the crossings of each line and direction, the most frequent label first; ("", 0) if nothing crossed."""
        found = []
        for line in self._rules.lines:
            for side in (line.left, line.right):
                crossed = self._crossed.most_common()
                counts = [(label, n) for (name, way, label), n in crossed if (name, way) == (line.name, side)]
                found += [Crossings(self.name, line.name, side, label, n) for label, n in counts or [("", 0)]]
        return found

    def shadow_labels(self) -> list[ShadowLabels]:
        """Return the pairs of labels of both models, the most frequent first."""
        return [ShadowLabels(self.name, label, shadow, n) for (label, shadow), n in self._pairs.most_common()]

    def _shown(self, name: str, least_s: float) -> Shown:
        stretches = sorted((s for s in self._regions[name] if s.seconds >= least_s), key=lambda s: s.start.time_s)
        return Shown(self.name, name, self._first, self._last, self.frames, self._watched_s, tuple(stretches))

    def _continued(self, moment: Moment) -> Moment:
        """Return a moment of the current recording with its media time counted from the first recording."""
        return moment._replace(time_s=moment.time_s + self._after_s) if self._after_s else moment

    def _restart(self, moment: Moment) -> None:
        self.close()
        self._events = self._begin(self._last.time_s)
        self._after_s = self._last.time_s - moment.time_s
        self.parts += 1

    def _begin(self, time_s: float) -> CameraEvents:
        self.judge.begin(time_s)
        return CameraEvents(self.name, self._rules, paths=self.judge.paths if self._rules.lines else None)

    def _take(self, events: list[Event], size_hw: tuple[int, int] | None = None) -> None:
        self.judge.take(events, size_hw)
        for event in events:
            if event.end is None:
                continue
            if event.kind == "crossing":
                self._crossed[event.region, event.direction, event.label] += 1
            elif event.kind in LASTING:
                gap_s = self._gap_s if event.kind in ("state", "label") else 0.0
                region = HEALTH if event.kind == "health" else event.region
                self._add(region, Stretch(event.label, event.start, event.end, event.score), gap_s)

    def _add(self, region: str, stretch: Stretch, gap_s: float) -> None:
        """Append a stretch to those of its region, or join it with the last one of its label if the gap is small."""
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
    """Join two stretches and the gap between them. The score is the mean of both, weighted by duration."""
    weights = max(SHORTEST_S, one.seconds), max(SHORTEST_S, two.seconds)
    score = (weights[0] * one.score + weights[1] * two.score) / sum(weights)
    return Stretch(one.label, one.start, two.end, score)
