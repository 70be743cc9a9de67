"""Clips of events, copied from the packets that the camera sent: nothing is decoded or encoded.

Frames refer to these packets if their source keeps them (`ReadingSettings.keep_s`); see `edgecls.video.packets` for how packets
are shared between threads. A clip begins with the packets that are kept and is extended with every new frame. So a long event
needs no more memory than a short one. The sink has no thread of its own: it writes half a megabyte per second for a usual
camera, in the thread that calls it. `open_sink` runs it in a `Background` thread. While a disk is slow, the packets wait for as
long as the source keeps them.

A camera that OpenCV reads by number has no packets. Encoding its frames instead would take one processor core for a 1080p
camera, and some 100 MB of memory for the seconds before an event, all the time and for each such camera. So the sink reports
once that the camera gets no clips, and counts each of its events as lost. For such cameras, use the annotated video.

A camera with private areas gets no clips either: they are seen in what it sent.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, field
from math import inf
from typing import TYPE_CHECKING, Literal, NamedTuple

from edgecls.errors import SinkError
from edgecls.files import is_there, unlink_quietly
from edgecls.log import log_warning
from edgecls.sink.recordings.clip_file import ClipFile, CutSettings
from edgecls.sink.recordings.folder import EVENT_TIME_STEP_S, FolderSink, RecordingFolder
from edgecls.sink.recordings.quota import QuotaSettings  # noqa: TC001 - `settings.build` reads the types of the fields
from edgecls.sink.sink import REMEMBERED_EVENTS, SinkKind
from edgecls.video import ffmpeg

if TYPE_CHECKING:
    from pathlib import Path

    from edgecls.event import Event
    from edgecls.frame import Result, StateChange
    from edgecls.log import Say
    from edgecls.sink.recordings.quota import Quota
    from edgecls.video.packets import Packets


@dataclass(frozen=True, slots=True)
class ClipSettings:
    """A clip of each event in the folder `path`. `cut` sets what a clip shows, `quota` limits the disk space of all."""

    path: str
    kind: Literal["clip"] = "clip"
    cut: CutSettings = field(default_factory=CutSettings)
    quota: QuotaSettings | None = None


class ClipSink(FolderSink):
    """Writes a clip of each event, `CAMERA-START-LABEL.mp4`, and a sidecar `.json` with the same name.

    The ending is .mkv if the codec cannot be stored in mp4. A clip has a temporary name until it is complete. Clips that cannot
    be written are counted, see `edgecls.sink.recordings.folder`.
    """

    def __init__(
        self, folder: str | Path, cut: CutSettings = CutSettings(), *, quota: Quota | None = None, say: Say = log_warning
    ) -> None:  # fmt: skip
        """Check the folder. `say` is called with one line for each kind of loss.

        Raises:
            SinkError: The folder does not exist or is not writable.
            MissingExtraError: PyAV is not installed.
        """
        self._av = ffmpeg.load("Cutting clips")
        self._folder = RecordingFolder(folder, "clips", quota=quota, say=say)
        self._cut = cut
        self._latest: dict[str, _Latest] = {}
        self._open: dict[str, ClipFile] = {}
        self._begun: OrderedDict[str, ClipFile | None] = OrderedDict()
        """Events that have been handled, by id. The value is the clip if it was complete before the event ended, else None."""

    def write(self, result: Result) -> None:
        """Extend the clips of this camera up to this frame."""
        frame = result.frame
        latest = self._latest.get(frame.camera)
        packets = frame.public_packets
        if latest is None or latest.packets is not packets:
            self._end_stream(frame.camera, "the stream began anew")
        self._latest[frame.camera] = _Latest(packets, frame.time_s, is_private=frame.paint is not None)
        if packets is None:
            self._folder.miss(_no_packets(frame.camera, is_private=frame.paint is not None), lost=0)
        self._extend(frame.camera, frame.time_s)

    def write_state(self, change: StateChange) -> None:
        """Complete the clips of a camera that is stalled or lost or has ended."""
        if change.state in ("stalled", "lost", "ended"):
            self._end_stream(change.camera, f"the stream {'ended' if change.state == 'ended' else 'was lost'}")

    def write_event(self, event: Event) -> None:
        """Begin a clip of a new event, or set the end of a known one."""
        if event.kind not in self._cut.kinds:
            return
        if event.id in self._open:
            self._open[event.id].event = event
        elif event.id not in self._begun:
            self._begin(event)
        elif (clip := self._begun[event.id]) is not None and event.end is not None:
            self._begun[event.id] = None
            clip.event = event
            self._write_sidecar(clip)
        latest = self._latest.get(event.camera)
        if latest is not None:
            self._extend(event.camera, latest.time_s)

    def close(self) -> None:
        """Complete all clips with the packets that have come so far."""
        for camera in {clip.event.camera for clip in self._open.values()}:
            self._end_stream(camera, "the run ended")
        self._latest.clear()
        self._folder.close()

    def _begin(self, event: Event) -> None:
        self._begun[event.id] = None
        if len(self._begun) > REMEMBERED_EVENTS:
            self._begun.popitem(last=False)
        latest = self._latest.get(event.camera)
        packets = None if latest is None else latest.packets
        if packets is None:
            self._folder.miss(_no_packets(event.camera, is_private=latest is not None and latest.is_private))
            return
        first = packets.since(event.start.time_s - self._cut.pre_s + EVENT_TIME_STEP_S)
        if not first:
            self._folder.miss(f"camera {event.camera}: no clip, because no key frame is kept: raise ReadingSettings.keep_bytes")
            return
        name = self._folder.name(event)
        try:
            self._make_room(self._folder.step)
            self._open[event.id] = ClipFile(self._av, self._folder, name, event, self._cut, packets, first[0])
        except (self._av.FFmpegError, OSError, ValueError) as error:
            self._folder.lose(error)

    def _extend(self, camera: str, time_s: float) -> None:
        """Copy the packets up to a frame to all clips of a camera, and complete the clips that have reached their end."""
        for clip in self._clips_of(camera):
            try:
                is_over = clip.extend(time_s, self._make_room)
            except (self._av.FFmpegError, OSError, ValueError) as error:
                self._discard(clip, error)
                continue
            if is_over:
                self._complete(clip)

    def _end_stream(self, camera: str, why: str) -> None:
        """Complete all clips of a camera, because its stream does not continue."""
        for clip in self._clips_of(camera):
            clip.end_stream(why)
        self._extend(camera, inf)

    def _complete(self, clip: ClipFile) -> None:
        """Close and rename a clip, and write its sidecar."""
        try:
            clip.close()
        except (self._av.FFmpegError, OSError, ValueError) as error:
            self._discard(clip, error)
            return
        del self._open[clip.event.id]
        self._write_sidecar(clip)
        if clip.event.end is None and clip.event.id in self._begun:
            self._begun[clip.event.id] = clip

    def _write_sidecar(self, clip: ClipFile) -> None:
        try:
            if not is_there(clip.path):  # removed by the quota since
                return
            self._folder.put(clip.name, [clip.path], clip.event, {"clip": clip.record})
        except (OSError, SinkError) as error:
            unlink_quietly(clip.path)
            self._folder.lose(error)

    def _discard(self, clip: ClipFile, error: BaseException) -> None:
        del self._open[clip.event.id]
        clip.discard()
        self._folder.lose(error)

    def _clips_of(self, camera: str) -> list[ClipFile]:
        return [clip for clip in self._open.values() if clip.event.camera == camera]

    def _make_room(self, more: int) -> None:
        self._folder.make_room(more, unfinished=sum(clip.bytes for clip in self._open.values()))


class _Latest(NamedTuple):
    """The packets and the media time of a camera's latest frame. Those of a camera with private areas are not used."""

    packets: Packets | None
    time_s: float
    is_private: bool = False


def _no_packets(camera: str, *, is_private: bool) -> str:
    if is_private:
        return f"camera {camera}: no clips, because a clip is a copy of what the camera sent, in which private areas are seen"
    return (
        f"camera {camera}: no clips, because its frames come without the packets of a stream. PyAV keeps the packets of files "
        "and streams if ReadingSettings.keep_s is set; for a camera by number use the annotated video"
    )


KIND = SinkKind(
    ClipSettings,
    lambda out, say: ClipSink(out.path, out.cut, quota=out.quota.of(out.path) if out.quota else None, say=say),
    "path",
    "a folder after the colon, such as {kind}:clips",
    is_folder=True,
    queue="memory",
    keep_s=lambda out: out.cut.keep_s,
)
