"""What the page shows of a run: the newest result and state of each camera, its packets, and the latest events.

The run writes to it in its own thread, which takes microseconds: references are stored, and nothing is converted, encoded or
sent. The threads of the page take what somebody looks at. So a slow viewer delays no frame, and without viewers a page costs
nothing but the memory of a few seconds of packets. Of recordings everything that was found is kept, since any place of them may
be looked at later (`edgecls.web.recorded.found`).
"""

from __future__ import annotations

import time
from collections import deque
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from edgecls.frame import GONE
from edgecls.sink import Sink
from edgecls.vitals.vitals import Vitals
from edgecls.web.recorded.found import Found, Recording

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from edgecls.event import Event
    from edgecls.frame import Frame, Result, StateChange
    from edgecls.video.packets import Packets

LATEST_RESULTS = 64
"""How many results of a camera are kept for viewers who have not fetched them yet, about two seconds."""
LATEST_EVENTS = 1000
RATE_S = 5.0
"""Frames per second are counted over this time."""


@dataclass(slots=True)
class CameraView:
    """What is known of a camera. Written by the run, read by the page.

    Attributes:
        name: Its name.
        state: Its connection state, in words of `edgecls.frame.State`.
        why: The reason for the state, in one line without secrets.
        frame: The newest frame, with its pixels; only kept while somebody looks at single pictures, or waits for a poster.
        packets: The stream of the newest frame.
        results: The latest results, without pixels, each with a number that counts up.
        age_ms: Time from the camera to the labels of the newest result.
        fault: What is wrong with its pictures, such as "black"; "" if nothing is.
        is_classified: Whether its pictures are classified, which those with a fault usually are not.
        wants_frames: Whether somebody looks at single pictures.
        wants_poster: Whether somebody waits for the first picture of the video.
    """

    name: str
    state: str = "connecting"
    why: str = ""
    frame: Frame | None = None
    packets: Packets | None = None
    results: deque[tuple[int, Result]] = field(default_factory=lambda: deque(maxlen=LATEST_RESULTS))
    age_ms: float | None = None
    fault: str = ""
    is_classified: bool = True
    wants_frames: bool = False
    wants_poster: bool = False
    _count: int = 0
    _times: deque[float] = field(default_factory=lambda: deque(maxlen=1024))

    def add(self, result: Result, now: float) -> None:
        """Store a result that came at `now` (time.monotonic)."""
        frame = result.frame
        self._count += 1
        self._times.append(now)
        self.packets = frame.public_packets
        self.frame = frame if self.wants_frames or self.wants_poster else None
        self.age_ms = result.timing.age_ms
        self.fault = "" if result.unfit is None else result.unfit.fault
        self.is_classified = result.unfit is None or result.unfit.classified
        self.state, self.why = "live", ""
        self.results.append((self._count, _bare(result)))

    def fps(self, now: float) -> float:
        """The number of results a second at `now` (time.monotonic)."""
        times = [one for one in list(self._times) if now - one <= RATE_S]
        return 0.0 if len(times) < 2 else (len(times) - 1) / max(now - times[0], 1e-3)

    def after(self, number: int) -> list[tuple[int, Result]]:
        """Return the results after this number that are still kept, with their numbers."""
        return [one for one in list(self.results) if one[0] > number]


class ViewSink(Sink):
    """Keeps what a page shows. Append it to the sinks of a `Run`.

    Example:
        view = ViewSink(camera.name for camera in config.camera)
        with Run(config) as run:
            run.sinks.append(view)
    """

    def __init__(
        self, cameras: Iterable[str], *, skipped: Callable[[], int] = lambda: 0,
        recordings: Callable[[], Mapping[str, Recording]] = dict, notices: Callable[[], list[str]] = list,
    ) -> None:  # fmt: skip
        """Begin with cameras of which nothing is known yet.

        Args:
            cameras: Their names.
            skipped: Counts the frames that the run skipped.
            recordings: Returns the cameras that are video files, by name; the page plays these files at their own pace. For
                example `RecordingsOf(run)`. Default: none, so that a file is shown as fast as the run reads it.
            notices: Returns what else to say of the run, such as `Notices(run)`.
        """
        self.cameras = {name: CameraView(name) for name in cameras}
        self.events: deque[Event] = deque(maxlen=LATEST_EVENTS)
        self.began_at_s = time.time()
        self.skipped = skipped
        self.recordings = recordings
        self.notices = notices
        self.found: dict[str, Found] = {}
        self._event_count = 0
        self.vitals = self._own_vitals = Vitals()  # until a run gives its own
        self._own_vitals.running()

    @property
    def event_count(self) -> int:
        """How many beginnings and ends of events came so far."""
        return self._event_count

    def attend(self, vitals: Vitals) -> None:
        """Show the vital signs of the run instead of what this sink sees by itself."""
        self.vitals = vitals

    def write(self, result: Result) -> None:
        """Store a result."""
        name = result.frame.camera
        self._own_vitals.saw(result)
        self._view(name).add(result, time.monotonic())
        if result.frame.file and name in self.recordings():
            self.found.setdefault(name, Found()).add(result)

    def write_state(self, change: StateChange) -> None:
        """Store the state of a camera; forget a camera that is no longer in the configuration."""
        self._own_vitals.changed(change)
        if change.state == "ended" and change.why == GONE:
            self.cameras.pop(change.camera, None)
            self.found.pop(change.camera, None)
            return
        view = self._view(change.camera)
        view.state, view.why = change.state, change.why

    def write_event(self, event: Event) -> None:
        """Store an event. Its end replaces its beginning."""
        self._event_count += 1
        if event.end is not None:
            began = next((one for one in reversed(self.events) if one.id == event.id), None)
            if began is not None:
                self.events.remove(began)
        self.events.append(event)

    def close(self) -> None:
        """Forget the pictures and packets of all cameras."""
        for view in list(self.cameras.values()):
            view.frame = view.packets = None
            view.results.clear()

    def _view(self, camera: str) -> CameraView:
        view = self.cameras.get(camera)
        if view is None:  # a reload has added it
            view = self.cameras[camera] = CameraView(camera)
        return view


def _bare(result: Result) -> Result:
    return replace(result, frame=result.frame.bare())
