"""A live source that outlives its camera: it is opened, and opened again whenever it is lost.

In an outage it gives nothing: no black picture, no old one. What happens is told as changes of state; the frames of the
next connection go on with the index and the media time where the last one stopped.
"""

from __future__ import annotations

import random
import threading
import time
from typing import TYPE_CHECKING

from edgecls.errors import AccessError, SourceError, StalledError
from edgecls.frame import StateChange
from edgecls.run.source.contract import Source

if TYPE_CHECKING:
    from collections.abc import Callable

    from edgecls.frame import Frame, State

FIRST_WAIT_S = 0.5
LONGEST_WAIT_S = 10.0
"""Waits double from the first to the longest. Each is shortened by chance, by up to a half, so that the cameras behind a
switch that was restarted do not come back at one moment."""
HELD_S = 10.0
"""A connection that gave pictures for so long was a good one: the next outage begins with the first wait again."""


class Reconnecting(Source):
    """Opens a source by `open_it`, in the thread that reads, and again after each of its SourceErrors.

    An address may turn out to be a file, which has an end and is not opened again: `live` is known once it is open.
    """

    def __init__(
        self,
        name: str,
        open_it: Callable[[], Source],
        *,
        give_up_after_s: float | None = None,
        chance: random.Random | None = None,
    ) -> None:
        """Open nothing yet. Without a picture for `give_up_after_s` the last error is raised; `chance` varies the waits."""
        self.name = name
        self.live = True
        self._open_it = open_it
        self._give_up_after_s = give_up_after_s
        self._chance = chance or random.Random()  # noqa: S311 - it spreads load, it keeps no secret
        self._tell: Callable[[StateChange], None] = lambda _: None
        self._source: Source | None = None
        self._stopped = threading.Event()
        self._told: tuple[State, str] | None = None
        self._wait_s = FIRST_WAIT_S
        self._skipped = 0
        self._picture_at = time.monotonic()  # when the last one came
        self._began_at: float | None = None  # when the first one of all came
        self._opened_at = 0.0  # when the first one of this connection came
        self._place = (0, 0.0)  # what index and media time count from in this connection
        self._next_index = 0

    @property
    def skipped(self) -> int:
        """The frames that the sources skipped, all connections together."""
        return self._skipped + (self._source.skipped if self._source is not None else 0)

    def on_state(self, tell: Callable[[StateChange], None]) -> None:
        """Tell `tell` of each change of state."""
        self._tell = tell

    def stop(self) -> None:
        """End the wait for the next connection or, as far as that can be done, for a picture, and give no more frames."""
        self._stopped.set()
        source = self._source
        if source is not None:
            source.stop()

    def read(self) -> Frame | None:
        """Wait for the next frame, over as many connections as it takes; None is the end of a file, or `stop`.

        Raises AccessError when user and password are refused before the first frame, and SourceError when it gives up.
        """
        while not self._stopped.is_set():
            try:
                frame = self._read_once()
            except SourceError as error:
                self._let_go()
                if not self.live or self._is_final(error):
                    self._change("ended", str(error))
                    raise
                self._change("stalled" if isinstance(error, StalledError) else "lost", str(error))
                self._wait(error)
            else:
                if frame is None:
                    self._change("ended", "the end of the stream")
                return frame
        return None

    def close(self) -> None:
        """Close the source that is open."""
        self.stop()
        self._let_go()

    def _read_once(self) -> Frame | None:
        fresh = self._source is None
        if self._source is None:
            if self._told is None:
                self._change("connecting", "")
            self._source = self._open_it()
            self.live = self._source.live
        frame = self._source.read()
        if frame is None:
            return None
        self._picture_at = frame.captured_at
        if fresh:
            self._begin(frame)
        index, time_s = self._place
        self._next_index = index + frame.index + 1
        if self._picture_at - self._opened_at > HELD_S:
            self._wait_s = FIRST_WAIT_S
        if not self.live:
            return frame
        at_s = time.time() - (time.monotonic() - frame.captured_at)
        return frame.at(index + frame.index, time_s + frame.time_s, at_s=at_s)

    def _begin(self, frame: Frame) -> None:
        """Count on from the last connection."""
        if self._began_at is None:
            self._began_at = frame.captured_at
        self._opened_at = frame.captured_at
        self._place = (self._next_index, self._opened_at - self._began_at)
        if frame.packets is not None:
            frame.packets.shift(self._place[1])
        self._change("live", "")

    def _is_final(self, error: SourceError) -> bool:
        refused_from_the_start = isinstance(error, AccessError) and self._began_at is None
        return refused_from_the_start or self._give_up_after_s == 0

    def _wait(self, error: SourceError) -> None:
        wait_s = self._wait_s * self._chance.uniform(0.5, 1.0)
        self._wait_s = min(2 * self._wait_s, LONGEST_WAIT_S)
        if self._give_up_after_s is None:
            self._stopped.wait(wait_s)
            return
        left_s = self._picture_at + self._give_up_after_s - time.monotonic()
        if left_s > 0:
            self._stopped.wait(min(wait_s, left_s))
        else:
            why = f"given up, no picture for {self._give_up_after_s:g} s; at last: {error}"
            self._change("ended", why)
            raise SourceError(f"camera {self.name}: {why}") from error

    def _let_go(self) -> None:
        source, self._source = self._source, None
        if source is not None:
            self._skipped += source.skipped
            source.close()

    def _change(self, state: State, why: str) -> None:
        if (state, why) != self._told:
            self._told = (state, why)
            self._tell(StateChange(self.name, state, why, time.time()))
