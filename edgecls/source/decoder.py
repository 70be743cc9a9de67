"""What turns the packets of a stream into pictures: FFmpeg in software, or hardware (`edgecls.source.hardware`).

`Rescued` is hardware that may fail: then software goes on, and no picture is lost or comes twice.
"""

from __future__ import annotations

import contextlib
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any

from edgecls.source import container as opening

if TYPE_CHECKING:
    from collections.abc import Callable

LONGEST_SILENCE = 64
"""More packets than any decoder holds: without a picture from that many after a key frame, it has failed."""


LONGEST_GROUP = 1024
"""The most packets that are kept since a key frame, so that memory is limited."""


class DecoderFailedError(Exception):
    """A decoder does not work (any more). Its text says why, in a few words without secrets."""


class Decoder(ABC):
    """Decodes the packets of one stream, in order.

    Attributes:
        parallel: How many packets it works on at a time. What it refuses is the oldest of them.
    """

    parallel: int = 1

    @abstractmethod
    def decode(self, packet: Any) -> list[Any]:
        """Return the pictures that come out after a packet; at the end, which is a packet without data, all the others.

        Raises:
            DecoderFailedError: The decoder has failed.
            av.FFmpegError: The packet cannot be decoded.
        """

    def close(self) -> None:  # noqa: B027 - most have nothing to release
        """Release what the decoder holds."""


class Software(Decoder):
    """The decoder of the stream itself."""

    def __init__(self, stream: Any) -> None:
        """Take an open stream, whose decoder is prepared."""
        self._stream = stream
        self._is_open = False

    def decode(self, packet: Any) -> list[Any]:
        """Return the pictures that come out after a packet."""
        if self._is_open:
            return list(packet.decode())
        opening.spare_threads(self._stream, packet)
        try:
            return list(packet.decode())
        finally:
            self._is_open = bool(self._stream.codec_context.is_open)
            self.parallel = opening.frame_threads(self._stream)


class Watched(Decoder):
    """A decoder that has failed when it is silent for too long, or refuses everything."""

    def __init__(self, decoder: Decoder) -> None:
        """Watch this decoder."""
        self._decoder = decoder
        self._silent = 0
        self._has_begun = False

    @property
    def parallel(self) -> int:  # type: ignore[override]  # it may change with the first pictures
        """How many packets it works on at a time."""
        return self._decoder.parallel

    def decode(self, packet: Any) -> list[Any]:
        """Return the pictures that come out after a packet. Raises DecoderFailedError after a long silence."""
        self._has_begun |= bool(packet.is_keyframe)
        self._silent += self._has_begun
        if self._silent > LONGEST_SILENCE:
            raise DecoderFailedError(f"no picture from {LONGEST_SILENCE} packets")
        frames = self._decoder.decode(packet)
        if frames:
            self._silent = 0
        return frames

    def close(self) -> None:
        """Close the decoder."""
        self._decoder.close()


class Rescued(Decoder):
    """A decoder that is replaced by software when it fails.

    A picture comes out some packets after its own. So the packets of the last two groups are kept, and more if no picture has
    come out since; a group is a key frame and all that depends on it. When the decoder fails, software decodes the kept packets
    again, and pictures that have come out before are left out. If a group is longer than `LONGEST_GROUP`, the pictures up to
    the next key frame are lost, and counted as lost.
    """

    def __init__(self, decoder: Decoder, av: Any, stream: Any, failed: Callable[[str], None]) -> None:
        """Use this decoder while it works.

        Args:
            decoder: The decoder.
            av: The module PyAV.
            stream: The open stream, whose own decoder is unused so far.
            failed: Called with the reason when the decoder fails.
        """
        self._decoder = decoder
        self._stream = stream
        self._faults: tuple[type[Exception], ...] = opening.faults(av)
        self._failed = failed
        self._packets: list[list[Any]] = [[]]
        self._shown: list[set[int]] = [set()]
        self._is_rescued = False

    @property
    def parallel(self) -> int:  # type: ignore[override]  # software may work on others at a time
        """How many packets it works on at a time."""
        return self._decoder.parallel

    def decode(self, packet: Any) -> list[Any]:
        """Return the pictures that come out after a packet."""
        if self._is_rescued:
            return self._decoder.decode(packet)
        if packet.is_keyframe:
            self._packets.append([])
            self._shown.append(set())
        self._packets[-1].append(packet)
        if len(self._packets[-1]) > LONGEST_GROUP:
            self._packets, self._shown = [[]], [set()]  # software would begin with the next key frame
        try:
            frames = self._decoder.decode(packet)
        except DecoderFailedError as error:
            return self._rescue(str(error))
        self._shown[-1].update(frame.pts for frame in frames)
        if frames:  # a silent device may have failed some groups ago
            del self._packets[:-2], self._shown[:-2]
        return frames

    def close(self) -> None:
        """Close the decoder."""
        self._decoder.close()

    def _rescue(self, why: str) -> list[Any]:
        self._decoder.close()
        self._decoder, self._is_rescued = Software(self._stream), True
        self._failed(why)
        shown = set().union(*self._shown)
        again = [packet for group in self._packets for packet in group]
        self._packets.clear()
        self._shown.clear()
        frames = []
        for packet in again:
            with contextlib.suppress(*self._faults):  # of a damaged packet, which gives no picture
                frames += [frame for frame in self._decoder.decode(packet) if frame.pts not in shown]
        return frames
