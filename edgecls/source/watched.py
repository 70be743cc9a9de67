"""The stream of a camera that is watched: the substream, and while that is lost the main stream in its place.

Only if both are lost is the camera lost. Index and media time go on throughout.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from edgecls.frame import StateChange
from edgecls.source.clock import LEAST_STEP_S
from edgecls.source.reconnecting import OutageError
from edgecls.source.source import Source
from edgecls.source.stand_in import Outage, StandIn

if TYPE_CHECKING:
    from collections.abc import Callable

    from edgecls.frame import Frame
    from edgecls.log import Say
    from edgecls.source.main_stream import MainStream
    from edgecls.source.source import ReadingSettings
    from edgecls.video.packets import Packets

LATE_S = 5.0
"""If the main stream gives no picture for this long either, the camera is lost."""


class Watched(Source):
    """The frames of a substream, or of the main stream while the substream is lost."""

    def __init__(self, substream: Source, main: MainStream, reading: ReadingSettings, say: Say) -> None:
        """Wrap the substream, which is closed with this source.

        Args:
            substream: The small stream. It raises OutageError while it is lost.
            main: The main stream, which the caller starts and closes.
            reading: How both are read.
            say: Called with one line when the substream is replaced, and when it is back.
        """
        self.name = substream.name
        self._sub = substream
        self._main = main
        self._say = say
        self._tell: Callable[[StateChange], None] = lambda _: None
        self._stand_in = StandIn(main, self.name, reading)
        self._outage: Outage | None = None
        self._stopped = False
        self._told = ""  # the last state that was told
        self._untold: StateChange | None = None  # that the substream was lost, while the main stream may replace it
        self._is_replaced = False
        self._given_s = 0.0  # when the last frame of the main stream came, by time.monotonic()
        self._last: tuple[int, float] | None = None  # index and time of the last frame
        self._last_at = 0.0  # when that one came, by time.monotonic()
        self._own: Packets | None = None  # the last ones of the substream by which its clock is known
        self._size_hw: tuple[int, int] | None = None
        self._place = (0, 0.0)  # what index and media time of the substream count from
        substream.on_state(self._heed)

    @property
    def live(self) -> bool:  # type: ignore[override]  # only known once the source is open
        """Whether frames arrive in real time."""
        return self._sub.live

    @property
    def skipped(self) -> int:
        """The number of frames that the substream skipped."""
        return self._sub.skipped

    @property
    def is_replaced(self) -> bool:
        """Whether the last frame is one of the main stream."""
        return self._is_replaced

    def on_state(self, tell: Callable[[StateChange], None]) -> None:
        """Call `tell` with each state change of the camera."""
        self._tell = tell

    def stop(self) -> None:
        """Interrupt the substream, and stop to replace it."""
        self._stopped = True
        self._sub.stop()

    def read(self) -> Frame | None:
        """Wait for the next frame."""
        try:
            frame = self._sub.read() if self._outage is None else self._replaced(self._outage)
        except OutageError:
            self._outage = Outage(self._sub)
            self._given_s = time.monotonic()
            frame = self._replaced(self._outage)
        if frame is None:
            return None
        if not self._is_replaced:
            self._size_hw = frame.size_hw
            if frame.packets is not None and frame.packets.delay_s is not None:
                self._own = frame.packets
            if self._place != (0, 0.0):
                frame = frame.at(frame.index + self._place[0], frame.time_s + self._place[1], at_s=frame.at_s)
        self._last, self._last_at = (frame.index, frame.time_s), frame.captured_at
        return frame

    def close(self) -> None:
        """Close the substream."""
        self.stop()
        if self._outage is not None:
            self._outage.close()
        self._sub.close()

    def _replaced(self, outage: Outage) -> Frame | None:
        """Return the next frame of the main stream, or that with which the substream is back."""
        while not self._stopped and (outage.error is not None or not outage.is_over):
            last = None if self._last is None else (self._last[1], self._last_at)
            frame = self._stand_in.read(last, self._size_hw, self._own)
            if frame is not None:
                return self._replacing(frame)
            if self._main.is_lost or time.monotonic() - self._given_s > LATE_S:
                self._lose()
                if outage.error is not None:
                    raise outage.error
        if self._stopped:
            return None
        self._outage = None
        self._stand_in.stop()
        if outage.frame is not None:
            self._go_on(outage.frame)
        return outage.frame

    def _replacing(self, frame: Frame) -> Frame:
        self._given_s = time.monotonic()
        if not self._is_replaced:
            self._is_replaced = True
            why = f" ({self._untold.why})" if self._untold is not None else ""
            self._say(f"{self.name}: substream lost{why}; the main stream is watched in its place until it is back")
        if self._told != "live":
            self._change(StateChange(self.name, "live", "", time.time()))
        index = 0 if self._last is None else self._last[0] + 1
        sharp = frame.sharp
        frame = frame.at(index, frame.time_s, at_s=frame.at_s)
        frame.sharp = None if sharp is None else sharp.at(index, sharp.time_s, at_s=sharp.at_s)
        return frame

    def _go_on(self, first: Frame) -> None:
        """Have index and media time of a new connection of the substream follow those of the last frame."""
        if self._last is not None:
            index, time_s = self._last
            self._place = (
                max(self._place[0], index + 1 - first.index),
                max(self._place[1], time_s + LEAST_STEP_S - first.time_s),
            )
        if first.packets is not None:
            first.packets.shift(self._place[1])
        if self._is_replaced:
            self._is_replaced = False
            self._say(f"{self.name}: the substream is back")

    def _heed(self, change: StateChange) -> None:
        """Take a state change of the substream. While the main stream can replace it, the camera is not lost."""
        is_new_loss = change.state in ("lost", "stalled") and self._told not in ("lost", "stalled")
        if is_new_loss or (change.state == "ended" and self._outage is not None):
            self._untold = change
        elif change.state != "live" or self._told != "live":
            self._change(change)

    def _lose(self) -> None:
        """Tell that the camera is lost, once."""
        change, self._untold = self._untold, None
        if change is not None:
            self._change(change)

    def _change(self, change: StateChange) -> None:
        self._told = change.state
        self._tell(change)
