"""The main stream of a camera, watched in place of its substream while that is lost.

Its pictures are shrunk to the size of the substream. So what has been learned about the camera stays true, tracks go on, and
boxes are in the same pixels. Each frame comes with its main frame.
"""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

from edgecls import image
from edgecls.errors import SourceError
from edgecls.source.kept_decoder import KeptDecoder
from edgecls.source.main_stream import wait_for
from edgecls.source.reconnecting import OutageError
from edgecls.source.threaded import CLOSE_WAIT_S, READER

if TYPE_CHECKING:
    from edgecls.frame import Frame
    from edgecls.source.main_packets import MainPackets
    from edgecls.source.main_stream import MainStream
    from edgecls.source.source import ReadingSettings, Source
    from edgecls.video.packets import Packets

WAIT_S = 0.3
"""How long a call waits for packets, at most. Then the substream may be back."""
BEHIND_S = 1.0
"""Pictures that are further behind the newest packet are left out, because decoding does not keep up."""


class Outage:
    """A lost source, which is read in a thread of its own until a frame comes or it fails for good.

    `frame` is that frame, None after an error or at the end; `error` is the error.
    """

    def __init__(self, source: Source) -> None:
        """Start to read. Nobody else may read the source until `is_over`."""
        self.frame: Frame | None = None
        self.error: BaseException | None = None
        self._source = source
        self._thread = threading.Thread(target=self._work, name=f"{READER}{source.name} again", daemon=True)
        self._thread.start()

    @property
    def is_over(self) -> bool:
        """Whether the source was read, or has failed for good."""
        return not self._thread.is_alive()

    def close(self) -> None:
        """Wait a short time for the thread, after the source was stopped."""
        self._thread.join(CLOSE_WAIT_S)

    def _work(self) -> None:
        while True:
            try:
                self.frame = self._source.read()
            except OutageError:
                continue
            except BaseException as error:  # noqa: BLE001 - it is raised where frames are read
                self.error = error
            return


class StandIn:
    """Takes frames from the main stream, as often as `reading` asks of the substream."""

    def __init__(self, main: MainStream, name: str, reading: ReadingSettings) -> None:
        """Decode nothing yet. `name` is that of the camera."""
        self._main = main
        self._name = name
        self._reading = reading
        self._paint = image.BlackedOut([area.corners for area in reading.private]) if reading.private else None
        self._decoder: KeptDecoder | None = None
        self._placed: MainPackets | None = None
        self._due_s = 0.0

    def stop(self) -> None:
        """Drop the decoder, as the substream is back."""
        self._decoder = None

    def read(self, last: tuple[float, float] | None, size_hw: tuple[int, int] | None, sub: Packets | None) -> Frame | None:
        """Return the next frame, with the index 0, or None if none came within `WAIT_S`.

        Args:
            last: The media time of the camera's last frame, and when it came, by `time.monotonic()`; None before the first.
            size_hw: The size of the substream, in pixels; None if it is not known.
            sub: The last packets of the substream, which tell its clock; None before the first.
        """
        main, last_s = self._main.packets, None if last is None else last[0]
        if main is None or not self._is_placed(main, last, sub):
            self._main.wait(time.monotonic() + WAIT_S)
            return None
        time_s = self._next_s(main, last_s)
        if time_s is None:
            self._main.wait(time.monotonic() + WAIT_S)
            return None
        self._due_s = time_s + main.step_s / 2  # the next one, if this one is missing
        try:
            if self._decoder is None or self._decoder.main is not main:
                self._decoder = KeptDecoder(self._main.av, main, self._name, fast=self._reading.fast_decode)
            found = self._decoder.at(time_s, wait_for(self._main, WAIT_S))
        except SourceError:  # a picture that is too large
            return None
        if found is None or (last_s is not None and found.time_s <= last_s):
            return None
        return self._as_watched(found, size_hw, main)

    def _as_watched(self, found: Frame, size_hw: tuple[int, int] | None, main: MainPackets) -> Frame:
        sharp = found if self._paint is None else found.painted(self._paint)
        sharp.at_s = time.time() - (time.monotonic() - sharp.captured_at)
        sharp.packets = main.packets if self._reading.keep_s > 0 else None
        frame = sharp if size_hw is None else image.reduced(sharp, size_hw)
        if frame is not sharp:
            frame.sharp = sharp
        return frame

    def _is_placed(self, main: MainPackets, last: tuple[float, float] | None, sub: Packets | None) -> bool:
        """Bring the times of a connection to the clock of the camera: that of the substream, if it is known."""
        if sub is not None and sub.delay_s is not None:
            return main.align(sub)
        if self._placed is not main:
            newest_s = main.packets.newest_s
            if newest_s is None:
                return False
            now_s = 0.0 if last is None else last[0] + time.monotonic() - last[1]
            main.packets.shift(now_s - newest_s)
            self._placed = main
        return True

    def _next_s(self, main: MainPackets, last_s: float | None) -> float | None:
        """Return the media time of the next picture to take, None if it has not come yet."""
        newest_s, key_s = main.packets.newest_s, main.packets.newest_key_s
        if newest_s is None or key_s is None:
            return None
        if self._reading.keyframes:
            return key_s if key_s > max(self._due_s, last_s or -1.0) else None
        step_s = 1 / self._reading.fps if self._reading.fps else self._reading.every * main.step_s
        wanted_s = newest_s if last_s is None else max(last_s + step_s, newest_s - BEHIND_S)
        return max(wanted_s, self._due_s) if newest_s >= max(wanted_s, self._due_s) else None
