"""Decode pictures out of kept packets, only when somebody wants them.

A picture can be decoded from the last key frame on. So the first one takes some time, up to that of a whole group of pictures,
and those after it take as long as in a stream that is always decoded.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from edgecls.source import container as opening
from edgecls.source.decoded import Scaler, as_frame
from edgecls.video import nal

if TYPE_CHECKING:
    from collections.abc import Callable

    from edgecls.frame import Frame
    from edgecls.source.main_packets import MainPackets
    from edgecls.video.packets import Packet

NEAREST = 0.75
"""A picture that is further from a time than this share of the distance of two pictures is not that of the time. In a perfect
stream it is a half."""


def as_sharp(frame: Frame, main: Frame) -> Frame:
    """Return a main frame as that of the moment of a frame: with its number, its times and its private areas."""
    sharp = main.at(frame.index, frame.time_s, at_s=frame.at_s)
    return sharp if frame.paint is None else sharp.painted(frame.paint)


class KeptDecoder:
    """The pictures of one stream at rising times. It holds a decoder until it is dropped; one thread at a time may use it.

    Its frames have the index 0 and the time of their own picture.
    """

    def __init__(self, av: Any, main: MainPackets, camera: str, *, fast: bool = False) -> None:
        """Open a decoder.

        Args:
            av: The module PyAV.
            main: The packets.
            camera: The name of the camera, for the frames.
            fast: Skip the loop filter.

        Raises:
            SourceError: The stream is too large.
        """
        self.main = main
        self._av = av
        self._camera = camera
        self._scaler = Scaler(av)
        self._context = av.CodecContext.create(main.codec, "r")
        self._context.extradata = main.headers or None
        self._context.options = {**opening.limits(), **({"skip_loop_filter": "all"} if fast else {})}
        self._context.thread_type, self._context.thread_count = "SLICE", 1  # each frame thread would delay pictures by one
        self._number = -1  # of the last packet that was decoded
        self._is_whole = False  # whether nothing was lost since the last key frame
        self._waiting: list[tuple[float, Any]] = []  # decoded pictures with their times, that come after the last one asked for
        self._shown: tuple[float, Any] | None = None

    def at(self, time_s: float, more: Callable[[], bool] = lambda: False) -> Frame | None:
        """Return the picture nearest to a time, or None if there is none near it (`NEAREST`).

        Args:
            time_s: Media time in seconds, not before that of the last call.
            more: Waits for the next packet, if the stream has not come so far. Returns False if it does not come in time.
        """
        step_s = self.main.step_s
        packets = self.main.packets
        while not (self._shown is not None and self._shown[0] >= time_s - step_s / 2):
            if self._waiting:
                self._shown = self._waiting.pop(0)
                continue
            new = self._next(packets.since(time_s))
            if not new and not more():
                return None
            for packet in new:
                self._waiting += self._decoded(packet)
                if self._waiting and self._waiting[-1][0] >= time_s - step_s / 2:
                    break
        shown_s, picture = self._shown
        if abs(shown_s - time_s) > NEAREST * step_s:
            return None
        return as_frame(picture, self._scaler, self._camera, 0, shown_s, time.monotonic())

    def _next(self, packets: list[Packet]) -> list[Packet]:
        """Return the packets that are not decoded yet, beginning with a key frame if some in between can be left out."""
        if packets and packets[0].number > self._number + 1:
            self._context.flush_buffers()
            self._waiting.clear()
            return packets
        return [packet for packet in packets if packet.number > self._number]

    def _decoded(self, packet: Packet) -> list[tuple[float, Any]]:
        """Return the intact pictures that come out with a packet, with their media times."""
        if packet.is_key:
            self._is_whole = True
        if packet.encoded.is_corrupt:
            self._is_whole = False
        self._number = packet.number
        try:
            pictures = self._context.decode(packet.encoded)
        except opening.faults(self._av):
            self._is_whole = False
            return []
        is_missing = not (pictures or self._context.has_b_frames) and self._holds_picture(packet)
        if is_missing or any(picture.is_corrupt for picture in pictures):
            self._is_whole = False
        return [(self.main.packets.time_s(one.pts), one) for one in pictures if self._is_whole and one.pts is not None]

    def _holds_picture(self, packet: Packet) -> bool:
        return nal.holds_picture(self.main.codec, bytes(packet.encoded), self.main.headers)
