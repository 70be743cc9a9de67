"""How much later than they were taken pictures arrive, by which the clocks of two streams of one camera are brought together.

Each stream has a clock of its own, which begins anywhere. What both have in common is the moment at which a picture was taken,
and it arrives a little later: after encoding, transport, and waiting for a processor here. The least of these delays over a
while is nearly the same for both, a few milliseconds in a local network, whatever bursts and pauses there were in between.
So the difference between the least delays, arrival minus media time, is the difference between the clocks.

FFmpeg hands out a picture of H.264 or HEVC from RTSP or a transport stream only when the next one begins to arrive. That is a
tenth of a second with 10 frames per second, and a twenty-fifth with 25, so it has to be taken into account.
"""

from __future__ import annotations

from math import inf

WINDOW_S = 30.0
"""The least delay is that of the last 30 to 60 seconds, so that clocks that drift are followed."""
SETTLES_S = 1.0
"""The delay counts after so many seconds of packets: the first ones may come late, as FFmpeg reads them to probe a stream."""
HOLDING = frozenset({"rtsp", "rtp", "sdp", "mpegts", "hls"})
"""The formats of which FFmpeg holds back a picture until the next one begins."""
HELD = frozenset({"h264", "hevc", "mpeg4"})
"""The codecs of which it does."""


class LeastDelay:
    """The least delay between the media time of packets and their arrival."""

    def __init__(self, container: str = "", codec: str = "") -> None:
        """Start without packets. `container` and `codec` are FFmpeg's names of them."""
        self._is_held = container in HOLDING and codec in HELD
        self._before_s = self._now_s = self._began_s = self._turned_s = inf
        self._last_s = -inf

    def add(self, media_s: float, arrival_s: float) -> None:
        """Take a packet, by its media time and its arrival by `time.monotonic()`, in seconds."""
        began_s, self._last_s = (self._last_s if self._is_held else arrival_s), arrival_s
        if began_s == -inf:
            return
        self._began_s = min(self._began_s, began_s)
        if self._turned_s == inf or arrival_s - self._turned_s > WINDOW_S:
            self._before_s, self._now_s, self._turned_s = self._now_s, inf, arrival_s
        self._now_s = min(self._now_s, began_s - media_s)

    @property
    def seconds(self) -> float | None:
        """The least delay, or None if it cannot be told yet."""
        return min(self._before_s, self._now_s) if self._last_s - self._began_s >= SETTLES_S else None
