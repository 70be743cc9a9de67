"""The file of one clip, which is extended with the packets of a camera until the event is over."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from itertools import takewhile
from math import inf
from typing import TYPE_CHECKING, Any

from edgecls.event import Kind  # noqa: TC001 - `settings.build` reads the types of the fields
from edgecls.files import private_mode, private_part, unlink_quietly
from edgecls.settings import check, check_limits, limited
from edgecls.sink.recordings.folder import EVENT_TIME_STEP_S, SEEN, RecordingFolder
from edgecls.video.faststart import put_index_first
from edgecls.video.remux import Remux

if TYPE_CHECKING:
    from collections.abc import Callable

    from edgecls.event import Event
    from edgecls.video.packets import Packet, Packets


@dataclass(frozen=True, slots=True)
class CutSettings:
    """What a clip shows: from `pre_s` seconds before the event begins to `post_s` seconds after it ends, `most_s` at most.

    A clip begins with a key frame, so it may begin earlier than `pre_s`. Events are expected to be reported up to `late_s`
    seconds after they begin. Only events of the kinds in `kinds` get clips.
    """

    pre_s: float = limited(5.0, at_least=0, unit="seconds")
    post_s: float = limited(5.0, at_least=0, unit="seconds")
    most_s: float = limited(120.0, above=0, unit="seconds")
    late_s: float = limited(10.0, at_least=0, unit="seconds")
    kinds: tuple[Kind, ...] = SEEN

    def __post_init__(self) -> None:
        """Check the limits. Raises ConfigError."""
        check_limits(self)
        check("most_s", self.most_s, self.pre_s < self.most_s, f"more than pre_s, which is {self.pre_s:g} s")

    @property
    def keep_s(self) -> float:
        """Seconds of packets that a source must keep for clips (`ReadingSettings.keep_s`)."""
        return self.pre_s + self.late_s


class ClipFile:
    """Writes one clip under a temporary name and renames it when it is complete."""

    def __init__(
        self, av: Any, folder: RecordingFolder, name: str, event: Event, cut: CutSettings, packets: Packets, first: Packet
    ) -> None:  # fmt: skip
        self.name = name
        self.event = event
        self._av = av
        self._cut = cut
        self._packets = packets
        self._step = folder.step
        suffix = packets.stream.suffix
        self.path = folder.path / f"{name}{suffix}"
        self._part = folder.part(name, suffix)
        self._next = first.number
        self._first_s = self._last_s = packets.time_s(first.pts)
        self._room_until = folder.step  # the size in bytes up to which there is room
        self._missing = 0
        self._cut_short = ""
        self._stream_ended = False
        self.record: dict[str, Any] = {}
        self._file = private_part(self._part)
        try:
            self._remux = Remux(av, self._file, packets.stream.kind, packets.stream, packets.tick)
        except BaseException:
            with contextlib.suppress(OSError):
                self._file.close()
            unlink_quietly(self._part)
            raise

    @property
    def bytes(self) -> int:
        """Number of bytes written so far."""
        return self._remux.bytes

    def end_stream(self, why: str) -> None:
        """Note that no more packets will come. `why` is the reason in the sidecar."""
        self._stream_ended, self._cut_short = True, why

    def extend(self, time_s: float, make_room: Callable[[int], None]) -> bool:
        """Copy the packets up to the frame at `time_s`. Returns whether the clip has reached its end.

        `make_room` is called with a number of bytes before these are written.
        """
        longest_s = self._first_s + self._cut.most_s
        wanted_s = inf if self.event.end is None else self.event.end.time_s + self._cut.post_s + EVENT_TIME_STEP_S
        due, is_over = self._due(time_s, min(longest_s, wanted_s))
        for packet in due:
            self._copy(packet, make_room)
        if is_over:
            self._cut_short = f"longer than {self._cut.most_s:g} s" if wanted_s > longest_s else ""
        return is_over or self._stream_ended

    def close(self) -> None:
        """Complete and rename the file, and release the packets.

        Then `record` holds what the sidecar says of the clip: the media times of the first and the last picture, and why the
        clip ends too early, if it does.
        """
        self._remux.close()
        self._file.close()
        self._part.replace(self.path)
        put_index_first(self.path, mode=private_mode())
        self.record = {
            "first_s": round(self._first_s, 3),
            "last_s": round(self._last_s, 3),
            "codec": self._packets.stream.codec,
            "packets": self._remux.packets,
            "missing_packets": self._missing,
            "cut_short": self._cut_short or None,
        }
        del self._packets

    def discard(self) -> None:
        """Close and remove the unfinished file."""
        with contextlib.suppress(self._av.FFmpegError, OSError, ValueError):
            self._remux.close()
        with contextlib.suppress(OSError):
            self._file.close()
        unlink_quietly(self._part)

    def _due(self, time_s: float, end_s: float) -> tuple[list[Packet], bool]:
        """Return the packets to copy now, and whether they reach the end of the clip.

        The end is the last picture up to `end_s`, including all packets that must be decoded before it.
        """
        new = self._packets.after(self._next - 1)
        if time_s <= end_s:  # later frames are not copied before they are shown: they may have another size
            return list(takewhile(lambda packet: self._packets.time_s(packet.pts) <= time_s, new)), False
        due = list(takewhile(lambda packet: self._packets.time_s(packet.dts) <= end_s, new))
        is_over = len(due) < len(new) or not self._stream_ended
        while due and self._packets.time_s(due[-1].pts) > end_s:
            due.pop()
        return due, is_over

    def _copy(self, packet: Packet, make_room: Callable[[int], None]) -> None:
        if self._remux.bytes + packet.size > self._room_until:
            more = max(packet.size, self._step)
            make_room(more)
            self._room_until = self._remux.bytes + more
        self._missing += packet.number - self._next
        self._next = packet.number + 1
        if self._remux.write(packet):
            self._last_s = max(self._last_s, self._packets.time_s(packet.pts))
