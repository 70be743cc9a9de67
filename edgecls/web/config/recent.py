"""The last minutes of each camera in memory, and what other rules would have made of them."""

from __future__ import annotations

import time
from collections import deque
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from edgecls.events.detector import Events
from edgecls.events.observation import UNKNOWN_SIZE, Observation
from edgecls.frame import GONE, LEFT, MOTION, REMOVED, WHOLE_FRAME
from edgecls.labels.json_lines import event_record, read_line, to_line
from edgecls.sink import Sink

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from edgecls.event import Event
    from edgecls.frame import Detection, Result, StateChange
    from edgecls.run.camera import Camera
    from edgecls.run.config import Config

T = TypeVar("T")

RECENT_S = 300.0
MOST_CHARACTERS = 32 << 20
"""Of all cameras together. A camera that gets a new line beyond that loses its oldest."""
WORK_S, PAUSE_S = 1e-3, 2e-4
"""After so much work, a test pauses, so that the threads of the run, which share Python's lock with it, wait for a millisecond
instead of the 5 for which Python lets a busy thread go on."""
NEAR_PX = 2
"""A zone is where it was if its box in the recording differs by no more."""


class Recent(Sink):
    """Keeps the results of the last minutes as lines of JSON, which is all that events are made of."""

    def __init__(self) -> None:
        """Begin with nothing."""
        self._lines: dict[str, deque[tuple[float, str]]] = {}
        self._characters = 0

    def write(self, result: Result) -> None:
        """Store a result, and forget what is too old."""
        lines = self._lines.setdefault(result.frame.camera, deque())
        now, line = time.monotonic(), to_line(result)
        lines.append((now, line))
        self._characters += len(line)
        while lines[0][0] < now - RECENT_S or (self._characters > MOST_CHARACTERS and len(lines) > 1):
            self._characters -= len(lines.popleft()[1])

    def write_state(self, change: StateChange) -> None:
        """Forget a camera that is no longer in the configuration."""
        if change.state == "ended" and change.why == GONE:
            self._characters -= sum(len(line) for _, line in self._lines.pop(change.camera, ()))

    def lines(self, camera: str) -> list[str]:
        """Return the lines of a camera, the oldest first."""
        return [line for _, line in list(self._lines.get(camera, ()))]

    def close(self) -> None:
        """Forget everything."""
        self._lines.clear()
        self._characters = 0


class _Tried(NamedTuple):
    events: list[Event]
    frames: int
    seconds: float
    missing: list[str]


def try_out(lines: Sequence[str], camera: str, now: Config, changed: Config) -> dict[str, Any]:
    """Return what other rules would have made of the last minutes.

    The regions stay as they were classified: a zone with a state that is new, or elsewhere, has no labels in the past.

    Args:
        lines: Lines of the camera, as `edgecls run` writes them.
        camera: Its name.
        now: The configuration as it is.
        changed: The configuration to try.

    Returns:
        The `events` that it would have given, how many the present one gives (`before`), the number of `frames`, the `seconds`
        that they cover, and `notes` on what could not be tried.
    """
    seen = list(_breathing(filter(None, map(_observation, lines))))
    tried = _try(seen, _of(changed, camera), changed.model_name)
    before = tried if now == changed else _try(seen, _of(now, camera), now.model_name)
    return {
        "events": [event_record(event) for event in tried.events],
        "before": len(before.events),
        "frames": tried.frames,
        "seconds": round(tried.seconds, 1),
        "notes": _notes(_of(now, camera), _of(changed, camera), tried.missing) if tried.frames else [],
    }


def _of(config: Config, name: str) -> Camera:
    return next(camera for camera in config.camera if camera.name == name)


def _observation(line: str) -> Observation | None:
    seen = read_line(line, "recent")
    return seen if isinstance(seen, Observation) else None


def _breathing(items: Iterable[T]) -> Iterator[T]:
    """Yield items, and let other threads work now and then."""
    worked_from = time.perf_counter()
    for item in items:
        yield item
        if time.perf_counter() - worked_from > WORK_S:
            time.sleep(PAUSE_S)
            worked_from = time.perf_counter()


def _try(all_seen: Iterable[Observation], camera: Camera, model: str) -> _Tried:
    events = Events({camera.name: camera.rules}, model=model)
    found: dict[str, Event] = {}
    seen_zones: set[str] = set()
    frames, seconds, last_s = 0, 0.0, None
    for seen in _breathing(all_seen):
        kept = tuple(one for one in seen.detections if _is_looked_at(one, camera, seen.size_hw))
        seen_zones |= {one.region for one in kept}
        now_s = seen.moment.time_s
        seconds += max(0.0, now_s - last_s) if last_s is not None else 0.0
        frames, last_s = frames + 1, now_s
        found |= {event.id: event for event in events.step(seen._replace(detections=kept))}
    found |= {event.id: event for event in events.close()}
    in_order = sorted(found.values(), key=lambda event: event.start.frame)
    return _Tried(in_order, frames, seconds, [name for name in camera.classified_zones if name not in seen_zones])


def _is_looked_at(one: Detection, camera: Camera, size_hw: tuple[int, int]) -> bool:
    """Return whether a camera with these settings would have looked at a region of the past."""
    height, width = size_hw
    left, top, right, bottom = one.box
    if one.region in (MOTION, LEFT, REMOVED):
        middle = (left + right) / 2 / width, (top + bottom) / 2 / height
        if not camera.follows or any(area.holds(middle) for area in (*camera.ignore, *camera.private)):
            return False
        areas = () if camera.left is None else camera.left.area
        is_left = camera.left is not None and (not areas or any(area.holds(middle) for area in areas))
        return one.region == MOTION or is_left
    if one.region == WHOLE_FRAME:
        return not camera.follows and not camera.classified_zones
    bounds = camera.classified_zones.get(one.region)
    if bounds is None or size_hw == UNKNOWN_SIZE:
        return False
    sizes = (width, height, width, height)
    return all(abs(at * size - was) <= NEAR_PX for at, size, was in zip(bounds, sizes, one.box, strict=True))


def _notes(now: Camera, changed: Camera, missing: Sequence[str]) -> list[str]:
    notes = [f"Zone {name} is new there, so the past has no labels of it." for name in missing]
    if changed.follows and not now.follows:
        notes.append("Moving objects were not followed so far, so the past has none.")
    if changed.left and not now.left:
        notes.append("Left objects were not looked for so far, so the past has none.")
    if any(area not in changed.ignore for area in now.ignore):
        notes.append("What moved in areas that were ignored is not known.")
    if any(area not in changed.private for area in now.private):
        notes.append("What was in private areas is not known.")
    if not changed.follows and not changed.classified_zones and (now.follows or now.classified_zones):
        notes.append("The whole picture was not classified so far, so the past has no labels of it.")
    return notes
