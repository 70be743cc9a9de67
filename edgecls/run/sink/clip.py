"""Clips of events, cut from the packets that the camera sent: nothing is decoded or encoded for them.

The frames of a source that was asked to keep its packets (`Reading(keep_s=...)`) carry them; see `edgecls.packets` for how they
come from the thread that reads. A clip begins with the packets that are kept and grows with each frame that comes, so a long
event takes no more memory than a short one. This sink has no thread: it writes where it is called, half a megabyte a second for
a usual camera. `open_sink` puts it into a thread (`Aside`), where packets wait for a slow disk as long as they are kept.

A camera that OpenCV reads by number has no packets. Encoding its frames instead would take a core of the processor for a 1080p
camera, and some 100 MB of memory for the seconds before an event, all the time and for every such camera. So one line says that
there are no clips of it, and each event of it counts as lost. The annotated video is for such cameras.
"""

from __future__ import annotations

import contextlib
from collections import OrderedDict
from dataclasses import dataclass
from itertools import takewhile
from math import inf
from typing import TYPE_CHECKING, Any, NamedTuple

from edgecls.errors import SinkError
from edgecls.event import Kind  # noqa: TC001 - `settings.build` reads the types of the fields
from edgecls.run import ffmpeg
from edgecls.run.remux import Remux
from edgecls.run.say import Say, say_on_stderr
from edgecls.run.sink.contract import Sink
from edgecls.run.sink.shelf import REMEMBERED, ROUNDED_S, SEEN, Shelf
from edgecls.settings import check

if TYPE_CHECKING:
    from pathlib import Path

    from edgecls.event import Event
    from edgecls.frame import Result, StateChange
    from edgecls.packets import Packet, Packets
    from edgecls.run.sink.quota import Quota


@dataclass(frozen=True, slots=True)
class Cut:
    """What a clip shows: from the last key frame `pre_s` before the event began, or earlier, to `post_s` after its end, and not
    more than `most_s` in all. Events are expected to be told of up to `late_s` after they began; the kinds that get clips are
    `kinds`.
    """

    pre_s: float = 5.0
    post_s: float = 5.0
    most_s: float = 120.0
    late_s: float = 10.0
    kinds: tuple[Kind, ...] = SEEN

    def __post_init__(self) -> None:
        """Refuse what would be no clip."""
        for name in ("pre_s", "post_s", "late_s"):
            check(name, getattr(self, name), 0 <= getattr(self, name) < inf, "0 or more seconds")
        check("most_s", self.most_s, self.pre_s < self.most_s < inf, f"more than pre_s, which is {self.pre_s:g} s")

    @property
    def keep_s(self) -> float:
        """How many seconds of packets a source must keep for it (`Reading.keep_s`)."""
        return self.pre_s + self.late_s


class ClipSink(Sink):
    """Writes `CAMERA-START-LABEL.mp4` to a folder for each event, or .mkv for a codec that no mp4 holds, and a .json beside it.

    A clip takes its name when it is whole. What cannot be kept is counted, see `edgecls.run.sink.shelf`.
    """

    def __init__(
        self, folder: str | Path, cut: Cut = Cut(), *, quota: Quota | None = None, say: Say = say_on_stderr
    ) -> None:  # fmt: skip
        """Check the folder. Raises SinkError, or MissingExtraError without PyAV; `say` hears in one line of what is lost."""
        self._av = ffmpeg.load("Cutting clips")
        self._shelf = Shelf(folder, "clips", quota=quota, say=say)
        self._cut = cut
        self._views: dict[str, _View] = {}
        self._open: dict[str, _Clip] = {}
        self._known: OrderedDict[str, _Clip | None] = OrderedDict()
        """By their events' ids what was begun, with the clips that were whole before their events were over."""

    @property
    def lost(self) -> int:
        """The events that have no clip."""
        return self._shelf.lost

    def write(self, result: Result) -> None:
        """Let the clips of this camera grow up to this frame."""
        frame = result.frame
        view = self._views.get(frame.camera)
        if view is None or view.packets is not frame.packets:
            self._finish(frame.camera, "the stream began anew")
        self._views[frame.camera] = _View(frame.packets, frame.time_s)
        if frame.packets is None:
            self._shelf.miss(_no_packets(frame.camera), lost=0)
        self._grow(frame.camera, frame.time_s)

    def write_state(self, change: StateChange) -> None:
        """Finish the clips of a camera that gives no more pictures."""
        if change.state in ("stalled", "lost", "ended"):
            self._finish(change.camera, f"the stream {'ended' if change.state == 'ended' else 'was lost'}")

    def write_event(self, event: Event) -> None:
        """Begin a clip, or learn when the event of one was over."""
        if event.kind not in self._cut.kinds:
            return
        if event.id in self._open:
            self._open[event.id].learn(event)
        elif event.id not in self._known:
            self._begin(event)
        elif (clip := self._known[event.id]) is not None and event.end is not None:
            self._known[event.id] = None
            clip.learn(event)
            self._put(clip)
        view = self._views.get(event.camera)
        if view is not None:
            self._grow(event.camera, view.now_s)

    def close(self) -> None:
        """Finish all clips with what there is."""
        for camera in {clip.event.camera for clip in self._open.values()}:
            self._finish(camera, "the run ended")
        self._views.clear()
        self._shelf.close()

    def _begin(self, event: Event) -> None:
        self._known[event.id] = None
        if len(self._known) > REMEMBERED:
            self._known.popitem(last=False)
        packets = self._views[event.camera].packets if event.camera in self._views else None
        if packets is None:
            self._shelf.miss(_no_packets(event.camera))
            return
        first = packets.since(event.start.time_s - self._cut.pre_s + ROUNDED_S)
        if not first:
            self._shelf.miss(f"camera {event.camera}: no clip, because no key frame is kept: raise Reading.keep_bytes")
            return
        name = self._shelf.name(event)
        try:
            self._shelf.make_room(self._shelf.step, unfinished=self._unfinished())
            self._open[event.id] = _Clip(self._av, self._shelf, name, event, self._cut, packets, first[0])
        except (self._av.FFmpegError, OSError, ValueError) as error:
            self._shelf.lose(error)

    def _grow(self, camera: str, now_s: float) -> None:
        for clip in self._of(camera):
            try:
                over = clip.grow(now_s, self._room)
            except (self._av.FFmpegError, OSError, ValueError) as error:
                self._give_up(clip, error)
                continue
            if over:
                self._put_away(clip)

    def _finish(self, camera: str, why: str) -> None:
        """Finish all clips of a camera whose stream goes on no more."""
        for clip in self._of(camera):
            clip.last(why)
        self._grow(camera, inf)

    def _put_away(self, clip: _Clip) -> None:
        """Give a clip that is over its name."""
        del self._open[clip.event.id]
        try:
            clip.close()
        except (self._av.FFmpegError, OSError, ValueError) as error:
            clip.drop()
            self._shelf.lose(error)
            return
        self._put(clip)
        if clip.event.end is None and clip.event.id in self._known:
            self._known[clip.event.id] = clip

    def _put(self, clip: _Clip) -> None:
        if not clip.path.exists():  # it has made room for others since
            return
        try:
            self._shelf.put(clip.name, [clip.path], clip.event, {"clip": clip.record})
        except (OSError, SinkError) as error:
            clip.path.unlink(missing_ok=True)
            self._shelf.lose(error)

    def _give_up(self, clip: _Clip, error: BaseException) -> None:
        del self._open[clip.event.id]
        clip.drop()
        self._shelf.lose(error)

    def _of(self, camera: str) -> list[_Clip]:
        return [clip for clip in self._open.values() if clip.event.camera == camera]

    def _unfinished(self) -> int:
        return sum(clip.bytes for clip in self._open.values())

    def _room(self, more: int) -> None:
        self._shelf.make_room(more, unfinished=self._unfinished())


class _View(NamedTuple):
    """The packets that a camera's last frame had, and its time."""

    packets: Packets | None
    now_s: float


class _Clip:
    """One clip that grows."""

    def __init__(
        self, av: Any, shelf: Shelf, name: str, event: Event, cut: Cut, packets: Packets, first: Packet
    ) -> None:  # fmt: skip
        self.name = name
        self.event = event
        self._av = av
        self._cut = cut
        self._packets = packets
        self._step = shelf.step
        suffix = packets.stream.suffix
        self.path = shelf.folder / f"{name}{suffix}"
        self._part = shelf.part(name, suffix)
        self._next = first.number
        self._first_s = self._last_s = packets.time_s(first.pts)
        self._granted = shelf.step
        self._missing = 0
        self._why = ""
        self._is_last = False
        self.record: dict[str, Any] = {}
        self._file = self._part.open("wb")
        self._remux = Remux(av, self._file, packets.stream.kind, packets.stream, packets.tick)

    @property
    def bytes(self) -> int:
        """What has been written."""
        return self._remux.bytes

    def learn(self, event: Event) -> None:
        """Take what is known of the event by now."""
        self.event = event

    def last(self, why: str) -> None:
        """No packets come any more, because of `why`."""
        self._is_last, self._why = True, why

    def grow(self, now_s: float, room: Any) -> bool:
        """Copy the packets up to the frame of `now_s`. Returns whether the clip is over."""
        most_s = self._first_s + self._cut.most_s
        wanted_s = inf if self.event.end is None else self.event.end.time_s + self._cut.post_s + ROUNDED_S
        until_s = min(most_s, wanted_s)
        due, reached = self._due(now_s, until_s)
        for packet in due:
            self._copy(packet, room)
        if reached:
            self._why = f"longer than {self._cut.most_s:g} s" if wanted_s > most_s else ""
        return reached or self._is_last

    def close(self) -> None:
        """Finish the file, give it its name, and let go of the packets; `record` then has what the sidecar says: the media
        times of the first and the last picture, and why the clip ends before it should.
        """
        self._remux.close()
        self._file.close()
        self._part.replace(self.path)
        self.record = {
            "first_s": round(self._first_s, 3),
            "last_s": round(self._last_s, 3),
            "codec": self._packets.stream.codec,
            "packets": self._remux.packets,
            "missing_packets": self._missing,
            "cut_short": self._why or None,
        }
        del self._packets

    def drop(self) -> None:
        """Remove what there is."""
        with contextlib.suppress(self._av.FFmpegError, OSError, ValueError):
            self._remux.close()
        with contextlib.suppress(OSError):
            self._file.close()
        with contextlib.suppress(OSError):
            self._part.unlink(missing_ok=True)

    def _due(self, now_s: float, until_s: float) -> tuple[list[Packet], bool]:
        """What is to be copied now, and whether the end has been reached with it. The end is the last picture of `until_s`,
        with all that must be decoded before it.
        """
        there = self._packets.after(self._next - 1)
        if now_s <= until_s:  # what has not been shown yet may have another size
            return list(takewhile(lambda packet: self._packets.time_s(packet.pts) <= now_s, there)), False
        due = list(takewhile(lambda packet: self._packets.time_s(packet.dts) <= until_s, there))
        reached = len(due) < len(there) or not self._is_last
        while due and self._packets.time_s(due[-1].pts) > until_s:
            due.pop()
        return due, reached

    def _copy(self, packet: Packet, room: Any) -> None:
        if self._remux.bytes + packet.size > self._granted:
            more = max(packet.size, self._step)
            room(more)
            self._granted = self._remux.bytes + more
        self._missing += packet.number - self._next
        self._next = packet.number + 1
        if self._remux.write(packet):
            self._last_s = max(self._last_s, self._packets.time_s(packet.pts))


def _no_packets(camera: str) -> str:
    return (
        f"camera {camera}: no clips of it, because its frames come without the packets of a stream: PyAV keeps them, of files "
        "and streams, where it is asked to (Reading.keep_s); for a camera by number take the annotated video"
    )
