"""Pictures of events: a JPEG of the very frame that an event began with, of an object of the frame that shows it best.

The first frame of an object shows a strip of it at the border. Which one shows it best so far is said by the event itself
(`Event.view`), when it is told of and again when the object is gone: if a better frame has come meanwhile, its picture takes
the place of the first one. A crossing or a presence has the frame in which that began, and its object's box there.

An event is told of when it is sure, one to some seconds after the frame that began it. Keeping the decoded frames of the
meantime would take 3 MB for each of 1080p, some 200 MB for three seconds of one camera; making a JPEG of each would take 10 ms
each, a quarter of a core. The packets of these seconds take half a megabyte a second and no work at all. So where the frames
carry their packets (`Reading(keep_s=...)`) the frame is decoded again, from its key frame on, when an event has come of it:
some tenths of a second for an event, and nothing without one.

Frames without packets, as of a camera that OpenCV reads by number, are kept as they are, as many as `Shot.held_bytes` hold: at
30 frames a second 2.3 s of 640x480 and 0.3 s of 1080p, so such a camera is better read at 5 frames a second. Where the frame is
gone there is no snapshot, and the loss is counted: another frame is never taken for it.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from math import inf
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, cast, get_args

from edgecls import image
from edgecls.errors import SinkError
from edgecls.event import Kind, Moment
from edgecls.frame import Result, Timing, Unfit
from edgecls.run.draw import draw
from edgecls.run.say import Say, say_on_stderr
from edgecls.run.sink.contract import Sink
from edgecls.run.sink.recent import Recent, scaled
from edgecls.run.sink.shelf import REMEMBERED, SEEN, SIDECAR_BYTES, Shelf
from edgecls.settings import check

if TYPE_CHECKING:
    from pathlib import Path

    from edgecls.event import Event, View
    from edgecls.frame import Box, Picture, PictureFault
    from edgecls.run.sink.quota import Quota

Show = Literal["frame", "annotated", "crop"]
ENDING: dict[Show, str] = {"frame": "", "annotated": "-annotated", "crop": "-crop"}


@dataclass(frozen=True, slots=True)
class Shot:
    """What is written of an event: the `frame` as it is, `annotated` as the video is, a `crop` of its object or region;
    `quality` of the JPEGs is 1 to 100. An event is expected to be told of up to `late_s` after it began.
    """

    shows: tuple[Show, ...] = ("frame",)
    quality: int = 90
    late_s: float = 10.0
    held_bytes: int = 64 << 20
    kinds: tuple[Kind, ...] = SEEN

    def __post_init__(self) -> None:
        """Refuse what would be no picture."""
        known = get_args(Show)
        check("shows", self.shows, bool(self.shows) and set(self.shows) <= set(known), f"some of {', '.join(known)}")
        check("quality", self.quality, 1 <= self.quality <= 100, "1 to 100")
        check("late_s", self.late_s, 0 <= self.late_s < inf, "0 or more seconds")
        check("held_bytes", self.held_bytes, self.held_bytes >= 0, "0 or more")

    @property
    def keep_s(self) -> float:
        """How many seconds of packets a source must keep for it (`Reading.keep_s`)."""
        return self.late_s


class SnapshotSink(Sink):
    """Writes `CAMERA-START-LABEL-ID.jpg` to a folder for each event when it begins, and a .json beside it, which is written
    again when the event has ended, the picture too if its object has been seen better by then.
    """

    def __init__(
        self, folder: str | Path, shot: Shot = Shot(), *, quota: Quota | None = None, say: Say = say_on_stderr
    ) -> None:  # fmt: skip
        """Check the folder. Raises SinkError; `say` hears in one line of what is lost."""
        self._shelf = Shelf(folder, "snapshots", quota=quota, say=say)
        self._shot = shot
        self._cameras: dict[str, Recent] = {}
        self._made: OrderedDict[str, _Made | None] = OrderedDict()
        """By their events' ids what was made, with the pictures whose events go on."""

    @property
    def lost(self) -> int:
        """The events that have no picture."""
        return self._shelf.lost

    def write(self, result: Result) -> None:
        """Remember what was seen in this frame, and the frame itself where it has no packets."""
        self._recent(result.frame.camera).add(result)

    def write_event(self, event: Event) -> None:
        """Write the picture of an event that is new; note how one that is known has ended."""
        if event.kind not in self._shot.kinds:
            return
        if event.id in self._made:
            self._note(event)
            return
        self._made[event.id] = None
        if len(self._made) > REMEMBERED:
            self._made.popitem(last=False)
        seen = self._seen(event)
        if seen is None:
            self._shelf.miss(_gone(event.camera))
            return
        made = self._write(event, seen)
        self._made[event.id] = made if event.end is None else None

    def close(self) -> None:
        """Let go of the frames."""
        self._cameras.clear()
        self._shelf.close()

    def _recent(self, camera: str) -> Recent:
        shot = self._shot
        return self._cameras.setdefault(camera, Recent(late_s=shot.late_s, held_bytes=shot.held_bytes))

    def _seen(self, event: Event) -> Result | None:
        """The frame of the event, with what was seen in it; None where it is gone."""
        recent, moment = self._recent(event.camera), _moment(event)
        frame = recent.frame_at(moment)
        if frame is None:
            return None
        unfit = Unfit(cast("PictureFault", event.label), event.start, event.start) if event.kind == "health" else None
        return Result(frame, tuple(recent.detections_at(moment, frame.size_hw)), Timing(0.0, 0.0, 0.0), unfit)

    def _write(self, event: Event, seen: Result, name: str = "") -> _Made | None:
        """Write the pictures and the sidecar, over those of this name where there are some."""
        frame, box = seen.frame, _box_of(event, seen)
        pictures = {show: _picture(show, seen, box) for show in self._shot.shows}
        jpegs = {show: image.encode_jpeg(p, self._shot.quality) for show, p in pictures.items() if p is not None}
        if not jpegs:
            self._shelf.miss(f"camera {event.camera}: no crop, because {event.region} has no box of its own in the frame")
            return None
        files: list[Path] = []
        try:
            self._shelf.make_room(sum(map(len, jpegs.values())) + SIDECAR_BYTES)
            name = name or self._shelf.name(event, event.id)
            for show, jpeg in jpegs.items():
                files.append(self._shelf.write(f"{name}{ENDING[show]}.jpg", jpeg))
            said = {"frame": frame.index, "time_s": round(frame.time_s, 3), "size_hw": list(frame.size_hw)}
            made = _Made(name, files, event.view, {"snapshot": {**said, "box": None if box is None else list(box)}})
            self._shelf.put(name, files, event, made.record)
        except (SinkError, OSError) as error:
            for file in files:
                file.unlink(missing_ok=True)
            self._shelf.lose(error)
            return None
        return made

    def _note(self, event: Event) -> None:
        made = self._made[event.id]
        if made is None or event.end is None or not all(file.exists() for file in made.files):
            return
        self._made[event.id] = None
        better = None if event.view == made.view else self._seen(event)
        if better is not None:
            self._write(event, better, made.name)
            return
        try:
            self._shelf.put(made.name, made.files, event, made.record)
        except (SinkError, OSError) as error:  # the picture stays, with what was known when it was made
            self._shelf.lose(error)


class _Made(NamedTuple):
    name: str
    files: list[Path]
    view: View | None
    record: dict[str, Any]


def _picture(show: Show, seen: Result, box: Box | None) -> Picture | None:
    if show == "annotated":
        return draw(seen)
    if show == "frame":
        return seen.frame.bgr()
    return None if box is None else image.crop(seen.frame.bgr(), box)


def _moment(event: Event) -> Moment:
    """Of the frame that shows it."""
    return event.start if event.view is None else Moment(event.view.frame, event.view.time_s)


def _box_of(event: Event, seen: Result) -> Box | None:
    """The box of the event's object, or of its region, or the only one there with its label; None where that is not to be
    told.
    """
    if event.view is not None:
        return scaled(event.view.box, event.view.size_hw, seen.frame.size_hw)
    there = [d for d in seen.detections if d.region == event.region]
    if len(there) > 1:
        there = [d for d in there if d.prediction.label == event.label]
    return there[0].box if len(there) == 1 else None


def _gone(camera: str) -> str:
    return (
        f"camera {camera}: no snapshot, because the frame that shows the event is no longer kept: for files and streams "
        "set Reading.keep_s, or raise it; for a camera by number raise Shot.held_bytes"
    )
