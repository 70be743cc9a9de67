"""JPEG pictures of events: the first frame of an event, or the frame that shows an object best.

The first frame of an object shows only a part of it, at the border of the picture. `Event.view` names the frame that shows the
object best so far, when the event is reported and again when the object has left. If that frame has changed in between, its
picture replaces the first one. Crossings and presences get the frame in which they began, with the box of their object.

An event is reported only when it is certain, one or several seconds after its first frame. Keeping all decoded frames of these
seconds would take 3 MB for each 1080p frame, or some 200 MB for three seconds of one camera. Encoding each as JPEG would take
10 ms, or a quarter of a processor core. The packets of these seconds take half a megabyte per second and no work. So if frames
have packets (`ReadingSettings(keep_s=...)`), the frame is decoded again when an event needs it, beginning with its key frame.
This takes some tenths of a second per event.

Frames without packets, such as those of a camera that OpenCV reads by number, are kept decoded, up to `ShotSettings.held_bytes`
bytes. At 30 frames per second, the default is enough for 2.3 s of 640x480 or 0.3 s of 1080p, so 5 frames per second are better
for such a camera. If the frame of an event is no longer kept, there is no snapshot and the loss is counted. Another frame is
never used instead.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, cast, get_args

from edgecls import image
from edgecls.draw.results import draw
from edgecls.errors import SinkError
from edgecls.event import Kind, Moment
from edgecls.files import is_there, unlink_quietly
from edgecls.frame import Result, Timing, Unfit
from edgecls.log import log_warning
from edgecls.settings import check_limits, limited, some_of
from edgecls.sink.recordings.folder import SEEN, SIDECAR_BYTES, FolderSink, RecordingFolder
from edgecls.sink.recordings.quota import QuotaSettings  # noqa: TC001 - `settings.build` reads the types of the fields
from edgecls.sink.recordings.recent_frames import RecentFrames
from edgecls.sink.sink import REMEMBERED_EVENTS, SinkKind

if TYPE_CHECKING:
    from pathlib import Path

    from edgecls.event import Event, View
    from edgecls.frame import Box, Picture, PictureFault
    from edgecls.log import Say
    from edgecls.sink.recordings.quota import Quota

Show = Literal["frame", "annotated", "crop"]
ENDING: dict[Show, str] = {"frame": "", "annotated": "-annotated", "crop": "-crop"}


@dataclass(frozen=True, slots=True)
class ShotSettings:
    """Which pictures of an event are written, and how.

    `shows` lists the pictures: the `frame` itself, the `annotated` frame, and a `crop` of the object or region. `quality` is
    the JPEG quality, 1 to 100. Events are expected to be reported up to `late_s` seconds after they begin. Decoded frames
    without packets take up to `held_bytes` bytes per camera. Only events of the kinds in `kinds` get snapshots.
    """

    shows: tuple[Show, ...] = some_of(("frame",), get_args(Show))
    quality: int = limited(90, at_least=1, at_most=100, expected="1 to 100")
    late_s: float = limited(10.0, at_least=0, unit="seconds")
    held_bytes: int = limited(64 << 20, at_least=0, unit="bytes")
    kinds: tuple[Kind, ...] = SEEN

    def __post_init__(self) -> None:
        """Check the limits. Raises ConfigError."""
        check_limits(self)

    @property
    def keep_s(self) -> float:
        """Seconds of packets that a source must keep for snapshots (`ReadingSettings.keep_s`)."""
        return self.late_s


@dataclass(frozen=True, slots=True)
class SnapshotSettings:
    """Pictures of each event in the folder `path`. `shot` selects the pictures, and `quota` limits the disk space of all."""

    path: str
    kind: Literal["snapshot"] = "snapshot"
    shot: ShotSettings = field(default_factory=ShotSettings)
    quota: QuotaSettings | None = None


class SnapshotSink(FolderSink):
    """Writes a picture of each event when it begins, `CAMERA-START-LABEL-ID.jpg`, and a sidecar `.json` with the same name.

    The sidecar is written again when the event has ended. The picture is too, if a later frame shows the object better.
    """

    def __init__(
        self, folder: str | Path, shot: ShotSettings = ShotSettings(), *, quota: Quota | None = None, say: Say = log_warning
    ) -> None:  # fmt: skip
        """Check the folder. `say` is called with one line for each kind of loss.

        Raises:
            SinkError: The folder does not exist or is not writable.
        """
        self._folder = RecordingFolder(folder, "snapshots", quota=quota, say=say)
        self._shot = shot
        self._cameras: dict[str, RecentFrames] = {}
        self._known: OrderedDict[str, _Snapshot | None] = OrderedDict()
        """Events that have been handled, by id. The value is the snapshot if the event has not ended yet, else None."""

    def write(self, result: Result) -> None:
        """Keep the detections of this frame, and the frame itself if it has no packets."""
        self._frames_of(result.frame.camera).add(result)

    def write_event(self, event: Event) -> None:
        """Write the pictures of a new event, or update those of a known one that has ended."""
        if event.kind not in self._shot.kinds:
            return
        if event.id in self._known:
            self._update(event)
            return
        self._known[event.id] = None
        if len(self._known) > REMEMBERED_EVENTS:
            self._known.popitem(last=False)
        result = self._result_of(event)
        if result is None:
            self._folder.miss(_no_frame(event.camera))
            return
        snapshot = self._write(event, result)
        self._known[event.id] = snapshot if event.end is None else None

    def close(self) -> None:
        """Release the frames, and report losses that have not been reported yet."""
        self._cameras.clear()
        self._folder.close()

    def _frames_of(self, camera: str) -> RecentFrames:
        shot = self._shot
        return self._cameras.setdefault(camera, RecentFrames(late_s=shot.late_s, held_bytes=shot.held_bytes))

    def _result_of(self, event: Event) -> Result | None:
        """Return the frame that shows the event with its detections, or None if the frame is no longer available."""
        recent, moment = self._frames_of(event.camera), _moment(event)
        frame = recent.frame_at(moment)
        if frame is None:
            return None
        unfit = Unfit(cast("PictureFault", event.label), event.start, event.start) if event.kind == "health" else None
        detections = tuple(recent.detections_at(moment, frame.size_hw))
        return Result(frame, detections, Timing(0.0, 0.0, 0.0), unfit, recent.overlay_at(moment))

    def _write(self, event: Event, result: Result, name: str = "") -> _Snapshot | None:
        """Write the pictures and the sidecar. With a `name`, replace the snapshot of this name. Returns None if that fails."""
        frame, box = result.frame, _box_of(event, result)
        pictures = {show: _picture(show, result, box) for show in self._shot.shows}
        jpegs = {show: image.encode_jpeg(p, self._shot.quality) for show, p in pictures.items() if p is not None}
        if not jpegs:
            self._folder.miss(f"camera {event.camera}: no crop, because {event.region} has no box of its own in the frame")
            return None
        files: list[Path] = []
        try:
            self._folder.make_room(sum(map(len, jpegs.values())) + SIDECAR_BYTES)
            name = name or self._folder.name(event, event.id)
            for show, jpeg in jpegs.items():
                files.append(self._folder.write(f"{name}{ENDING[show]}.jpg", jpeg))
            shown = {"frame": frame.index, "time_s": round(frame.time_s, 3), "size_hw": list(frame.size_hw)}
            record = {"snapshot": {**shown, "box": None if box is None else list(box)}}
            self._folder.put(name, files, event, record)
        except (SinkError, OSError) as error:
            for file in files:
                unlink_quietly(file)
            self._folder.lose(error)
            return None
        return _Snapshot(name, files, event.view, record)

    def _update(self, event: Event) -> None:
        """Write the sidecar of an event that has ended, and its pictures if another frame shows the object better."""
        snapshot = self._known[event.id]
        if snapshot is None or event.end is None:
            return
        self._known[event.id] = None
        try:
            if not all(map(is_there, snapshot.files)):  # removed by the quota since
                return
            better = None if event.view == snapshot.view else self._result_of(event)
            if better is not None:
                self._write(event, better, snapshot.name)
                return
            self._folder.put(snapshot.name, snapshot.files, event, snapshot.record)
        except (SinkError, OSError) as error:  # the pictures and the first sidecar stay
            self._folder.lose(error)


class _Snapshot(NamedTuple):
    name: str
    files: list[Path]
    view: View | None
    record: dict[str, Any]


def _picture(show: Show, result: Result, box: Box | None) -> Picture | None:
    """Return the picture to write; None for a crop without a box."""
    if show == "annotated":
        return draw(result)
    if show == "frame":
        return result.frame.bgr()
    return None if box is None else image.cut_out(result.frame, box)


def _moment(event: Event) -> Moment:
    """Return the moment of the frame to show."""
    return event.start if event.view is None else Moment(event.view.frame, event.view.time_s)


def _box_of(event: Event, result: Result) -> Box | None:
    """Return the box of the event's object, or the only box in its region (with its label, if there are several), or None."""
    if event.view is not None:
        return image.scaled(event.view.box, event.view.size_hw, result.frame.size_hw)
    found = [d for d in result.detections if d.region == event.region]
    if len(found) > 1:
        found = [d for d in found if event.label in d.prediction.names]
    return found[0].box if len(found) == 1 else None


def _no_frame(camera: str) -> str:
    return (
        f"camera {camera}: no snapshot, because the frame that shows the event is no longer kept: for files and streams "
        "set ReadingSettings.keep_s, or raise it; for a camera by number raise ShotSettings.held_bytes"
    )


KIND = SinkKind(
    SnapshotSettings,
    lambda out, say: SnapshotSink(out.path, out.shot, quota=out.quota.of(out.path) if out.quota else None, say=say),
    "path",
    "a folder after the colon, such as {kind}:snapshots",
    is_folder=True,
    draws=True,
    queue="memory",
    keep_s=lambda out: out.shot.keep_s,
)
