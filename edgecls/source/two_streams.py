"""Two live streams of one camera: the small one is watched, the main one is decoded only while something there is to be told.

Most cameras send both. Health, motion and tracks need few pixels, and decoding 640x360 costs a tenth of 1080p. Frames are those
of the substream, so all boxes and events are in its pixels, or in fractions, which fit both even if one picture is squeezed.
The packets of the main stream are kept (`MainStream`). Whoever wants to classify a part of a frame calls `Frame.ask_sharp`.
From then on the thread that reads the substream decodes the main stream, too, beginning at its last key frame, and each frame
comes with the main frame of its moment, `Frame.sharp`. A second after the last request it stops.

So the frames between the request and the first main frame, some tenths of a second, cannot be classified truly. They are not
classified at all: a label from a few pixels that is corrected later would already be in an event. If there is no main frame
within `LATE_S`, the substream is classified instead, and a line says so.

While the substream is lost, the main stream is watched in its place (`edgecls.source.watched`).

Decoding in the thread that reads, instead of one more thread, keeps both streams in step: the frames behind wait in the
connection meanwhile, and the newest of them is next.
"""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING

from edgecls.errors import SourceError
from edgecls.source.kept_decoder import KeptDecoder, as_sharp
from edgecls.source.lag import Lag
from edgecls.source.main_stream import MainStream, wait_for
from edgecls.source.same_scene import SameScene, shrunk
from edgecls.source.source import Source
from edgecls.source.watched import Watched

if TYPE_CHECKING:
    from collections.abc import Callable

    from edgecls.frame import Frame, StateChange
    from edgecls.log import Say
    from edgecls.source.main_packets import MainPackets
    from edgecls.source.source import ReadingSettings

KEEP_S = 2.0
"""Packets are kept for at least this long, and always since a key frame."""
WAIT_S = 0.3
"""How long a frame waits for its main frame. Large pictures take longer to be encoded and sent."""
LATE_S = 3.0
"""If nothing of the main stream can be decoded for this long, the substream is classified."""


class TwoStreams(Source):
    """The frames of a substream, with those of the main stream on request."""

    def __init__(self, substream: Source, where: str, reading: ReadingSettings, say: Say) -> None:
        """Wrap the substream, which is closed with this source.

        Args:
            substream: The small stream, which raises OutageError while it is lost. It keeps packets, which tell its clock. If
                it blacks out areas, they are black in main frames, too.
            where: The address of the main stream.
            reading: How both are read. With `keep_s`, frames have the packets of the main stream.
            say: Called with one line when a stream is lost, late, or back.
        """
        self.name = substream.name
        self._keeps = reading.keep_s > 0
        self._fast = reading.fast_decode
        self._say = say
        self._main = MainStream(where, self.name, replace(reading, keep_s=max(reading.keep_s, KEEP_S)), say)
        self._sub = Watched(substream, self._main, reading, say)
        self._decoder: KeptDecoder | None = None
        self._is_once = False  # whether one main frame is asked for
        self._until_s = self._since_s = self._given_s = 0.0  # asked until, asked since, last main frame, by time.monotonic()
        self._is_late = False
        self._scene = SameScene(self.name, say)
        self._lag = Lag(self.name, say)

    @property
    def live(self) -> bool:  # type: ignore[override]  # only known once the source is open
        """Whether frames arrive in real time."""
        return self._sub.live

    @property
    def skipped(self) -> int:
        """The number of frames that the substream skipped."""
        return self._sub.skipped

    def on_state(self, tell: Callable[[StateChange], None]) -> None:
        """Call `tell` with each state change of the camera, which is lost if both streams are."""
        self._sub.on_state(tell)

    def stop(self) -> None:
        """Interrupt both streams."""
        self._main.stop()
        self._sub.stop()

    def read(self) -> Frame | None:
        """Wait for the next frame of the substream, or of the main stream while the substream is lost."""
        self._main.start()
        frame = self._sub.read()
        if frame is None or self._sub.is_replaced:
            self._decoder = None
            return frame
        main, own = self._main.packets, frame.packets
        frame.packets = own if self._keeps else None
        if main is not None:
            main.lag_s = self._lag.seconds
        if main is not None and own is not None and main.align(own):
            if self._keeps and not self._is_other:
                frame.packets = main.packets
            is_due = self._scene.is_due(frame.time_s) or self._lag.is_due(frame.time_s)
            if self._is_asked and (is_due or not self._is_other):
                self._sharpen(frame, main)
        if not self._is_asked:
            self._decoder = None
        self._judge(frame)
        frame.ask_sharp = self._ask
        return frame

    def close(self) -> None:
        """Close both streams."""
        self._decoder = None
        self._sub.close()
        self._main.close()

    @property
    def _is_asked(self) -> bool:
        return self._is_once or time.monotonic() < self._until_s

    def _ask(self, frame: Frame, more_s: float) -> bool:
        """Ask for the main frame of this moment, and of those in the next `more_s` seconds, in the thread that classifies.

        Returns:
            Whether the frame can be classified: with its main frame, or without, as there will be none.
        """
        now = time.monotonic()
        if not self._is_asked:
            self._since_s = now
        self._until_s = max(self._until_s, now + more_s)
        self._is_once = self._is_once or frame.sharp is None
        return frame.sharp is not None or self._main.is_lost or self._is_late or self._is_other

    @property
    def _is_other(self) -> bool:
        """Whether main frames show something else, or another moment."""
        return self._scene.is_other or self._lag.is_unknown

    def _sharpen(self, frame: Frame, main: MainPackets) -> None:
        """Decode the main frame of the moment of a frame."""
        try:
            if self._decoder is None or self._decoder.main is not main:
                self._decoder = KeptDecoder(self._main.av, main, self.name, fast=self._fast)
            found = self._decoder.at(frame.time_s, wait_for(self._main, WAIT_S + max(0.0, self._lag.seconds)))
        except SourceError:  # a picture that is too large
            return
        if found is None:
            return
        self._given_s = time.monotonic()
        sharp = as_sharp(frame, found)
        agrees = self._scene.agrees(frame, sharp)
        if agrees and self._lag.is_due(frame.time_s) and self._lag.add(frame.time_s, shrunk(frame), shrunk(sharp)):
            self._decoder = None  # the times of its pictures were others
        elif agrees and not self._lag.is_unknown:
            self._is_once = False
            frame.sharp = sharp

    def _judge(self, frame: Frame) -> None:
        """Say when main frames fail to come although they are asked for, and when they come again."""
        if self._is_late and frame.sharp is not None:
            self._is_late = False
            self._say(f"{self.name}: the main stream can be decoded again")
        waited_s = time.monotonic() - max(self._since_s, self._given_s, self._main.connected_s)
        if self._is_asked and waited_s > LATE_S and not (self._is_late or self._main.is_lost or frame.sharp):
            self._is_late = True
            self._say(
                f"{self.name}: no picture of the main stream for {LATE_S:g} s, though it is asked for; labels are of the "
                "substream until there is one"
            )
