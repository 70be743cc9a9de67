"""Two recordings of one camera, small and large, read like its two streams (`edgecls.source.two_streams`).

Files wait for their reader. So the large one is read along with the small one, packet by packet, and a main frame that is asked
for is decoded at once, in the thread that asks. The same files give the same labels.
"""

from __future__ import annotations

import threading
from dataclasses import replace
from typing import TYPE_CHECKING

from edgecls.source import container as opening
from edgecls.source.kept_decoder import KeptDecoder, as_sharp
from edgecls.source.main_packets import MainPackets
from edgecls.source.same_scene import SameScene
from edgecls.source.source import Source, check_file
from edgecls.source.threaded import AHEAD_FRAMES
from edgecls.video import ffmpeg

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Any

    from edgecls.frame import Frame, StateChange
    from edgecls.log import Say
    from edgecls.source.source import ReadingSettings

AHEAD_S = 1.0
"""How far the large file is read ahead of the small one, in seconds."""
FRAMES_BEHIND = AHEAD_FRAMES + 16
"""How many frames of the small file may have been read when one is asked for: those of the queue and of a batch."""
KEEP_S = 10.0
SLOWEST_FPS = 1.0


class TwoFiles(Source):
    """The frames of a small video, with those of a large one of the same scene on request. Both begin at the same moment."""

    live = False

    def __init__(self, small: Source, path: str, reading: ReadingSettings, say: Say) -> None:
        """Wrap the small video, and open the large one.

        Args:
            small: The small video. If it blacks out areas, they are black in main frames, too.
            path: The large video.
            reading: How both are read.
            say: Called with one line if the large video ends too early.

        Raises:
            SourceError: The large video cannot be read.
        """
        self.name = small.name
        self._small = small
        self._fast = reading.fast_decode
        self._say = say
        self._keeps = reading.keep_s > 0
        self._av = ffmpeg.load("Reading two files of a camera")
        behind_s = FRAMES_BEHIND / max(min(reading.fps or 25.0, 25.0 / reading.every), SLOWEST_FPS)
        keep_s = max(reading.keep_s, behind_s, KEEP_S)
        try:
            check_file(path)
            self._container = opening.open_file(self._av, path)
            self._main = MainPackets(self._av, self._container, path, live=False, reading=replace(reading, keep_s=keep_s))
        except BaseException:
            small.close()
            raise
        self._path = path
        self._read_s = -AHEAD_S
        self._packets: Iterator[Any] | None = self._main.read(lambda: 0.0)
        self._decoder: KeptDecoder | None = None
        self._asked_s = 0.0  # the time of the last main frame
        self._turn = threading.Lock()
        self._scene = SameScene(self.name, say)

    @property
    def skipped(self) -> int:
        """The number of frames that the small video skipped."""
        return self._small.skipped

    def on_state(self, tell: Callable[[StateChange], None]) -> None:
        """Call `tell` with each state change of the small video."""
        self._small.on_state(tell)

    def read(self) -> Frame | None:
        """Return the next frame of the small video."""
        frame = self._small.read()
        if frame is None:
            return None
        with self._turn:
            self._advance(frame.time_s + AHEAD_S)
        if self._keeps:
            frame.packets = self._main.packets
        frame.ask_sharp = self._ask
        return frame

    def close(self) -> None:
        """Close both files."""
        self._small.close()
        with self._turn:
            self._decoder = self._packets = None
            self._container.close()

    def _advance(self, until_s: float) -> None:
        """Keep the packets of the large video up to a time."""
        kept = self._main.packets
        while self._packets is not None and self._read_s < until_s:
            try:
                packet = next(self._packets, None)
            except opening.faults(self._av) as error:
                self._end(opening.reason(error))
                return
            if packet is None:
                self._packets = None
                return
            if self._read_s < 0:
                kept.shift(-float(packet.pts * kept.tick))
            self._read_s = kept.time_s(packet.pts)

    def _end(self, why: str) -> None:
        self._packets = None
        self._say(f"{self._path}: cannot be read further ({why}); labels are of the substream from here on")

    def _ask(self, frame: Frame, _more_s: float) -> bool:
        """Decode the main frame of the moment of a frame, if there is one. Always returns True: nothing is waited for."""
        with self._turn:
            if frame.sharp is not None or self._read_s < 0:
                return True
            if self._decoder is None or frame.time_s < self._asked_s:
                self._decoder = KeptDecoder(self._av, self._main, self.name, fast=self._fast)
            self._asked_s = frame.time_s
            found = self._decoder.at(frame.time_s)
        if found is not None:
            sharp = as_sharp(frame, found)
            frame.sharp = sharp if self._scene.agrees(frame, sharp) else None
        return True
