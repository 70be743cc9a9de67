"""The packets of a main stream that is read but not decoded, with what a decoder needs to begin at any time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from edgecls.errors import SourceError
from edgecls.source import container as opening
from edgecls.source.pyav import keep_packets
from edgecls.source.stamps import Stamps

if TYPE_CHECKING:
    from collections.abc import Iterator

    from edgecls.source.source import ReadingSettings
    from edgecls.video.packets import Packets

MOVES_S = 0.005
"""The clock is set again if it is off by more than this."""


class MainPackets:
    """The last packets of one connection, or of a file.

    `packets` are those that are kept; `codec` and `headers` are what a decoder needs; `step_s` is the usual distance of two
    pictures, in seconds; `lag_s` is by how much they show things later than the other stream (`edgecls.source.lag`).
    """

    def __init__(self, av: Any, container: Any, where: str, *, live: bool, reading: ReadingSettings) -> None:
        """Wrap an open container, which the caller closes.

        Raises:
            SourceError: It has no video that can be kept.
        """
        self._container = container
        self._live = live
        self._stream = opening.video_stream(container, where, live=live)
        self._stamps = Stamps(container, self._stream, live=live, keyframes=False)
        self._reordered = bool(self._stream.codec_context.has_b_frames)
        kept = None if self._stamps.guesses else keep_packets(av, self._stream, reading, self._stamps, live=live, apart=True)
        if kept is None:
            raise SourceError(
                f"{where}: cannot be a main stream, because its packets cannot be kept: expected H.264 or HEVC, and no AVI "
                "with B-frames"
            )
        self.packets = kept
        self._is_aligned = False
        self.lag_s = 0.0
        self.codec: str = self._stream.codec_context.name
        self.headers = bytes(self._stream.codec_context.extradata or b"")
        self.step_s = float(self._stamps.usual * self._stamps.tick)

    def read(self, clock: Any) -> Iterator[Any]:
        """Keep the packets as they come, and yield each. `clock` returns the time of arrival in seconds."""
        for packet in self._container.demux(self._stream):
            if not packet.size or (packet.pts is None and self._reordered):  # the first ones of a stream with B-frames
                continue
            arrival_s = clock()
            self._stamps.stamp(packet, arrival_s)
            self.packets.arrive(packet.pts, arrival_s)
            self.packets.append(packet)
            yield packet

    def align(self, other: Packets) -> bool:
        """Bring the media time of the packets to that of another stream of the camera. Returns whether that is possible yet."""
        own_s, other_s = self.packets.delay_s, other.delay_s
        if own_s is None or other_s is None:
            return False
        off_s = own_s - other_s - self.lag_s
        if not self._is_aligned or abs(off_s) > MOVES_S:
            self._is_aligned = True
            self.packets.shift(off_s)
        return True
