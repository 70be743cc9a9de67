"""Notes on a configuration: settings that are valid, but together hardly mean what was wanted."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edgecls.model.confidence import BACKGROUND, UNKNOWN
from edgecls.source import recognize
from edgecls.text.words import counted

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from edgecls.event import Event
    from edgecls.regions.geometry import Line, Point, Polygon
    from edgecls.run.camera import Camera
    from edgecls.run.config import Config

LONGEST_SETTLE_S = 2.0
"""If an object must be in sight for longer than this to be reported, few are."""
USUAL_FPS = 25.0
STEPS = 20
"""How finely a line or an area is compared with the ignored areas."""
FEWEST_OBJECTS = 3


def notes_on(config: Config, labels: Iterable[str]) -> list[str]:
    """Return what is worth a look in a configuration, one line each.

    Args:
        config: The configuration.
        labels: The labels of its model.

    Returns:
        Lines that begin with the place in the file, or with the camera.
    """
    known = frozenset(labels)
    notes = []
    if config.quiet and not config.outputs:
        quiet = "quiet" if config.where.file else "`quiet`"
        text = f"{quiet} without a sink: the results are written nowhere; add a sink, or leave {quiet} out"
        notes.append(f"{config.where.at('quiet')}: {text}" if config.where.file else text)
    for i, camera in enumerate(config.camera):
        for setting, text in _of_camera(config, camera, known):
            at = config.where.at(f"camera[{i}].{setting}") if config.where.file else f"camera {camera.name}"
            notes.append(f"{at}: {text}")
    return notes


def _of_camera(config: Config, camera: Camera, labels: frozenset[str]) -> Iterator[tuple[str, str]]:
    """Yield the path of a setting within its camera, and the note about it."""
    if camera.private and any(out.kind == "clip" for out in config.outputs):
        yield "private", "it gets no clips, because a clip is a copy of what the camera sent, in which private areas are seen"
    always = [i for i, zone in enumerate(camera.zone) if zone.look == "state" and not zone.every_s]
    if camera.substream and always and camera.when == "always":
        yield (
            f"zone[{always[0]}].every_s",
            "the zone is classified in every frame, so the main stream is decoded all the time, besides the substream; to save "
            "that, set every_s, such as 10",
        )
    if camera.follows:
        yield from _few_frames(config, camera)
        yield from _ignored(camera)
        for i, line in enumerate(camera.line):
            never = [label for label in line.labels if label in camera.track.ignore]
            if never:
                yield f"line[{i}].labels", f"labels: {', '.join(never)} will not be counted, because track.ignore leaves it out"
        return
    if camera.count_every_s:
        yield "count_every_s", "count_every_s has no effect, because there is no line and no zone of objects"
    if camera.ignore and camera.when == "always":
        yield "ignore", "ignore has no effect, because nothing is looked for that moves: there is no line or [camera.motion]"
    if BACKGROUND in labels and not camera.zone and recognize(camera.source)[0] not in ("folder", "picture"):
        how = "add [camera.motion] or a [[camera.line]]" if config.where.file else "use `motion` or a `line`"
        yield (
            "source",
            f"whole pictures are classified, but {config.model} has a class {BACKGROUND}, as models for moving objects have; "
            f"to classify what moves, {how}",
        )


def _few_frames(config: Config, camera: Camera) -> Iterator[tuple[str, str]]:
    """Yield a note if objects must be in sight for long, because few frames are classified."""
    reading, settle = camera.reading, camera.track.settle
    fps = 1.0 if reading.keyframes else min(reading.fps or USUAL_FPS, USUAL_FPS / reading.every)
    if camera.detector is not None and camera.detector.fps < fps:
        yield from _rare_detections(camera.detector.fps, settle)
        return
    if settle / fps <= LONGEST_SETTLE_S:
        return
    name = "keyframes" if reading.keyframes else "fps" if fps == reading.fps else "every"
    shown = f"reading.{name}" if config.where.file else f"`{name}`"
    about = "about " if name != "fps" else ""
    yield (
        f"reading.{name}",
        f"{shown} gives {about}{fps:.3g} fps, and an object is reported only after {settle} frames (settle), here after "
        f"{settle / fps:.3g} s in sight; what passes faster is not counted",
    )


def _rare_detections(fps: float, settle: int) -> Iterator[tuple[str, str]]:
    """Yield a note if objects must be in sight for long, because the detector looks at few frames."""
    if settle / fps > LONGEST_SETTLE_S:
        yield (
            "detector.fps",
            f"the detector looks at {fps:.3g} frames per second, and an object is reported only after {settle} of them "
            f"(settle), here after {settle / fps:.3g} s in sight; what passes faster is not counted",
        )


def _ignored(camera: Camera) -> Iterator[tuple[str, str]]:
    """Yield notes about lines and zones that lie in ignored areas."""
    if _covers(camera.ignore, _of_area((0.0, 0.0, 1.0, 1.0))):
        yield "ignore", "ignore covers the whole picture, so nothing that moves is seen"
        return
    for i, line in enumerate(camera.line):
        if _covers(camera.ignore, _of_line(line.line)):
            yield f"line[{i}].line", "the line lies in ignored areas, in which nothing is seen, so nothing crosses it"
    for i, zone in enumerate(camera.zone):
        points = [point for point in _of_area(zone.area.bounds) if zone.area.holds(point)]
        if zone.look == "objects" and _covers(camera.ignore, points):
            yield f"zone[{i}].area", "the zone lies in ignored areas, in which nothing is seen, so it stays empty"


def _covers(areas: Sequence[Polygon], points: Sequence[Point]) -> bool:
    return bool(points) and all(any(area.holds(point) for area in areas) for point in points)


def _of_line(line: Line) -> list[Point]:
    (x1, y1), (x2, y2) = line.start, line.end
    return [(x1 + (x2 - x1) * (k + 0.5) / STEPS, y1 + (y2 - y1) * (k + 0.5) / STEPS) for k in range(STEPS)]


def _of_area(bounds: tuple[float, float, float, float]) -> list[Point]:
    left, top, right, bottom = bounds
    steps = [(k + 0.5) / STEPS for k in range(STEPS)]
    return [(left + (right - left) * x, top + (bottom - top) * y) for x in steps for y in steps]


class UnknownObjects:
    """Counts the objects of each camera that the model did not know, for a note at the end of a run."""

    def __init__(self) -> None:
        """Start without objects."""
        self._counts: dict[str, tuple[int, int]] = {}

    def add(self, events: Iterable[Event]) -> None:
        """Count the objects that have ended with these events."""
        for event in events:
            if event.kind == "object" and event.end is not None:
                unknown, total = self._counts.get(event.camera, (0, 0))
                self._counts[event.camera] = unknown + (event.label == UNKNOWN), total + 1

    def notes(self, model: str) -> list[str]:
        """Return a line for each camera most of whose objects were unknown to this model."""
        return [
            f"camera {camera}: {unknown} of {counted(total, 'object')} were {UNKNOWN} to {model}, and lines without labels "
            "count them too; is it the model for what moves there?"
            for camera, (unknown, total) in self._counts.items()
            if total >= FEWEST_OBJECTS and unknown > total / 2
        ]
