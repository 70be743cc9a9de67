"""The last seconds of a stream as the camera sent them. Clips are cut from them without encoding anything again.

An event is reported some time after it began, and in another thread than the one that reads the source. So the reader appends
each packet before decoding it, and the writer of clips asks for the packets since a time. Each frame carries the `Packets` that
it came from, so sinks need not know the source, and the wrappers between them pass nothing on. One `Packets` holds packets that
belong together: a new connection or a new picture size starts a new one, so a clip must end at a frame whose `Packets` differs
from that of the frame before. Packet times are media time (`edgecls.source.stamps`), so they never go back.

Appending takes microseconds and never waits for a disk: the lock is only held while references to packets are copied from
lists. Packet data is never copied, not even when a clip is written: FFmpeg counts the references to it. Memory is limited in
seconds and in bytes. Packets are dropped in whole groups, from one key frame to the next, because the rest of a group cannot be
decoded without its key frame.
"""

from __future__ import annotations

import threading
from collections import deque
from typing import TYPE_CHECKING, Any, NamedTuple

from edgecls.video.delay import LeastDelay

if TYPE_CHECKING:
    from fractions import Fraction

DELAYED_FRAMES = 4
"""How many frames before presentation the first packets of a stream with reordered pictures are decoded, if they do not say."""


class Packet(NamedTuple):
    """A packet and its place in the stream. `pts` and `dts` are its presentation and decoding times in ticks, always known.

    `number` counts from 0; `encoded` is PyAV's packet, which must not be changed.
    """

    number: int
    encoded: Any
    pts: int
    dts: int
    duration: int
    is_key: bool
    size: int


class Packets:
    """The packets of the last `keep_s` seconds, at most `keep_bytes`, starting with a key frame.

    `stream` is the template that a writer needs (see `edgecls.video.remux`), `tick` the time base of the stream in seconds,
    `usual` the usual duration of a frame in ticks, `reordered` whether packets come in a different order than their pictures,
    `live` whether the source keeps sending even if nobody reads. Packets of another stream than that of the frames are up to
    `apart_s` seconds from the nearest frame.
    """

    def __init__(
        self, stream: Any, tick: Fraction, *, keep_s: float, keep_bytes: int, usual: int,
        reordered: bool = False, live: bool = False, apart_s: float = 0.0, delay: LeastDelay | None = None,
    ) -> None:  # fmt: skip
        """Start empty."""
        self.stream = stream
        self.tick = tick
        self.live = live
        self.apart_s = apart_s
        self._delay = LeastDelay() if delay is None else delay
        self._keep_s = keep_s
        self._keep_bytes = keep_bytes
        self._usual = usual
        self._reordered = reordered
        self._lock = threading.Lock()
        self._groups: deque[list[Packet]] = deque()  # each begins with a key frame
        self._bytes = 0
        self._number = 0
        self._last_dts: int | None = None
        self._zero_s = 0.0

    @property
    def kept_bytes(self) -> int:
        """The number of bytes kept."""
        return self._bytes

    def time_s(self, ticks: int) -> float:
        """Convert ticks to media time in seconds, as on frames."""
        return float(ticks * self.tick) + self._zero_s

    def shift(self, seconds: float) -> None:
        """Shift the media time of all packets. Must be called before the first frame is returned. Only packets of another
        stream than that of the frames move later, by milliseconds, when the two clocks are compared again.
        """
        self._zero_s += seconds

    def arrive(self, pts: int, arrival_s: float) -> None:
        """Note when a packet arrived, by `time.monotonic()`."""
        self._delay.add(float(pts * self.tick), arrival_s)

    @property
    def delay_s(self) -> float | None:
        """By how many seconds packets arrive after their media time at least, or None if that is not known yet."""
        seconds = self._delay.seconds
        return None if seconds is None else seconds - self._zero_s

    def append(self, encoded: Any) -> None:
        """Keep a packet of PyAV, unless no key frame has come yet or its presentation time is unknown."""
        packet = self._timed(encoded)
        if packet is not None:
            with self._lock:
                self._append(packet)

    @property
    def newest_s(self) -> float | None:
        """The media time of the last packet; None if none is kept."""
        with self._lock:
            return self.time_s(self._groups[-1][-1].pts) if self._groups else None

    @property
    def newest_key_s(self) -> float | None:
        """The media time of the last key frame; None if none is kept."""
        with self._lock:
            return self.time_s(self._groups[-1][0].pts) if self._groups else None

    def since(self, time_s: float) -> list[Packet]:
        """Return the packets from the last key frame shown at or before `time_s`, or all packets if no such frame is kept."""
        with self._lock:
            first = max((i for i, group in enumerate(self._groups) if self.time_s(group[0].pts) <= time_s), default=0)
            return [packet for i, group in enumerate(self._groups) if i >= first for packet in group]

    def after(self, number: int) -> list[Packet]:
        """Return the packets after this one. If the next ones have been dropped, start with the next key frame."""
        found: list[list[Packet]] = []
        with self._lock:
            for group in reversed(self._groups):
                if group[-1].number <= number:
                    break
                found.append(group[max(0, number + 1 - group[0].number) :])
        return [packet for group in reversed(found) for packet in group]

    def key_packet(self, pts: int | None) -> Any:
        """Return PyAV's packet of the key frame with this `pts` (None: the last one), or None if it is not kept."""
        with self._lock:
            return next((g[0].encoded for g in reversed(self._groups) if pts is None or g[0].pts == pts), None)

    def split(self, pts: int | None, stream: Any) -> Packets:
        """Move the packets from the key frame with this `pts` on (None: the last one) to a new buffer, for a new `stream`."""
        rest = self.anew(stream)
        with self._lock:
            while self._groups and (pts is None or self._groups[-1][0].pts >= pts):
                group = self._groups.pop()
                self._bytes -= _size(group)
                rest._groups.appendleft(group)
                if pts is None:
                    break
        rest._bytes = sum(map(_size, rest._groups))
        rest._number, rest._last_dts = self._number, self._last_dts
        return rest

    def anew(self, stream: Any = None) -> Packets:
        """Return an empty buffer for the same camera, with the same media time."""
        fresh = Packets(
            stream or self.stream,
            self.tick,
            keep_s=self._keep_s,
            keep_bytes=self._keep_bytes,
            usual=self._usual,
            reordered=self._reordered,
            live=self.live,
            apart_s=self.apart_s,
            delay=self._delay,
        )
        fresh.shift(self._zero_s)
        return fresh

    def _timed(self, encoded: Any) -> Packet | None:
        duration = encoded.duration or self._usual
        pts, dts = encoded.pts, encoded.dts
        if dts is None and self._last_dts is not None:
            dts = self._last_dts + duration
        elif dts is None:
            dts = (pts or 0) - (DELAYED_FRAMES * duration if self._reordered else 0)
        self._last_dts = dts
        if pts is None and self._reordered:
            return None
        number, self._number = self._number, self._number + 1
        return Packet(number, encoded, dts if pts is None else pts, dts, duration, encoded.is_keyframe, encoded.size)

    def _append(self, packet: Packet) -> None:
        if packet.is_key:
            self._groups.append([])
        elif not self._groups:
            return
        self._groups[-1].append(packet)
        self._bytes += packet.size
        kept_since = packet.dts - round(self._keep_s / self.tick)
        while len(self._groups) > 1 and (self._bytes > self._keep_bytes or self._groups[1][0].pts <= kept_since):
            self._bytes -= _size(self._groups.popleft())
        if self._bytes > self._keep_bytes:  # a single group that is too large
            self._groups.clear()
            self._bytes = 0


def _size(group: list[Packet]) -> int:
    return sum(packet.size for packet in group)
