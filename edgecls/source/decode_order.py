"""Track which packets a decoder holds, and which it dropped silently."""

from __future__ import annotations

from collections import deque
from typing import Any

from edgecls.source.clock import MOST_OUTSTANDING, REORDERED_FRAMES
from edgecls.video import nal

NumberedPacket = tuple[int, Any]
"""A packet with its number in decoding order, from 0."""


class DecodeOrder:
    """Matches packets that go into the decoder with frames that come out.

    Frames come out in order of their times. If a packet is earlier than another one both in decoding and in presentation order,
    but has not come out when that one does, it gave no picture. This is only checked for H.264 and HEVC, whose packets hold one
    picture each, with the timestamps of a file, without interlacing, and after the first pictures came in order.
    """

    def __init__(self, codec: str, *, is_timed: bool) -> None:
        """Start without packets.

        Args:
            codec: FFmpeg's name of the codec.
            is_timed: Whether the container stores presentation times.
        """
        self.sent = 0
        """The number of packets so far, including skipped ones."""
        self._held: dict[int | None, NumberedPacket] = {}  # by their times
        self._at_work: deque[NumberedPacket] = deque(maxlen=1)  # the decoder's threads are still working on these
        self._in_order = is_timed and codec in nal.CODECS
        self._shown = 0
        self._last: int | None = None

    def send(self, packet: Any, *, is_decoded: bool = True) -> None:
        """Count a packet with data, and remember it if it is decoded."""
        place = self.sent, packet
        self.sent += 1
        if not is_decoded:
            return
        self._at_work.append(place)
        self._held[packet.pts] = place
        if len(self._held) > 2 * MOST_OUTSTANDING:
            self._held = {pts: one for pts, one in self._held.items() if one[0] >= self.sent - MOST_OUTSTANDING}

    def works_at(self, packets: int) -> None:
        """Set how many packets are decoded in parallel. A result always belongs to the oldest of them."""
        if self._at_work.maxlen != packets:
            self._at_work = deque(self._at_work, packets)

    def refused(self, *, is_end: bool) -> list[NumberedPacket]:
        """Remove and return the packets that the decoder rejected: the oldest one in work; at the end of the file, all that did
        not come out.
        """
        waiting = [one for one in self._at_work if one[1].pts in self._held] if is_end else []
        found = waiting or [self._at_work[0]]
        for _, packet in found:
            self._held.pop(packet.pts, None)
        return found

    def show(self, frame: Any) -> tuple[int, list[NumberedPacket]]:
        """Process a decoded frame. Returns its packet's number, and the earlier packets that gave no picture."""
        place, _ = self._held.pop(frame.pts, (self.sent - 1, None))
        self._in_order = self._in_order and not frame.interlaced_frame and frame.pts is not None
        if self._in_order and self._last is not None and frame.pts < self._last:
            self._in_order = False
        self._last = frame.pts
        self._shown += 1
        if not self._in_order:
            return place, []
        passed = [(pts, one) for pts, one in self._held.items() if one[0] < place and pts is not None and pts < frame.pts]
        for pts, _ in passed:
            del self._held[pts]
        is_sure = self._shown > REORDERED_FRAMES
        return place, [one for _, one in passed if is_sure and not one[1].is_discard]
