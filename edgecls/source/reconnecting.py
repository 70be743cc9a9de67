"""A live source that reconnects whenever its camera is lost.

During an outage it returns nothing, neither black nor old pictures. State changes report what is happening. Index and media
time continue across connections.
"""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

from edgecls.backoff import Backoff
from edgecls.errors import AccessError, SourceError, StalledError
from edgecls.frame import END, StateChange
from edgecls.source.clock import LEAST_STEP_S
from edgecls.source.source import Source

if TYPE_CHECKING:
    import random
    from collections.abc import Callable

    from edgecls.frame import Frame, State

FIRST_WAIT_S = 0.5
LONGEST_WAIT_S = 10.0
HELD_S = 10.0
"""A connection that delivered pictures for this long was good: after the next outage, the first wait is short again."""


class OutageError(SourceError):
    """A camera that was lost. The next `read` waits a while, and tries again."""


class Reconnecting(Source):
    """Opens a source with `open_it` in the thread that reads, and again after each SourceError.

    An address may turn out to be a file, which has an end and is not reopened. `live` is therefore only known once it is open.
    """

    def __init__(
        self,
        name: str,
        open_it: Callable[[], Source],
        *,
        give_up_after_s: float | None = None,
        waits: bool = True,
        rng: random.Random | None = None,
    ) -> None:
        """Open nothing yet.

        Args:
            name: The camera's name.
            open_it: Opens the source.
            give_up_after_s: Raise the last error after this many seconds without a picture. 0: at the first error. None: never.
            waits: Try again in the same `read`. False: raise OutageError at each failure, so that the reader can do something
                else meanwhile.
            rng: Varies the waits between attempts, so that cameras do not all reconnect at once.
        """
        self.name = name
        self.live = True
        self._open_it = open_it
        self._give_up_after_s = give_up_after_s
        self._waits = waits
        self._failure: SourceError | None = None  # the last one, until it was waited
        self._backoff = Backoff(FIRST_WAIT_S, LONGEST_WAIT_S, rng=rng)
        self._tell: Callable[[StateChange], None] = lambda _: None
        self._source: Source | None = None
        self._stopped = threading.Event()
        self._reported: tuple[State, str] | None = None
        self._skipped = 0
        self._picture_at = time.monotonic()  # when the last one came
        self._began_at: float | None = None  # when the first one of all came
        self._opened_at = 0.0  # when the first one of this connection came
        self._place = (0, 0.0)  # what index and media time count from in this connection
        self._next_index = 0
        self._last_s = 0.0  # the media time of the last frame

    @property
    def skipped(self) -> int:
        """The number of frames skipped in all connections."""
        return self._skipped + (self._source.skipped if self._source is not None else 0)

    def on_state(self, tell: Callable[[StateChange], None]) -> None:
        """Call `tell` with each state change."""
        self._tell = tell

    def stop(self) -> None:
        """Stop returning frames, and interrupt the wait for the next connection or, if possible, for a picture."""
        self._stopped.set()
        source = self._source
        if source is not None:
            source.stop()

    def read(self) -> Frame | None:
        """Wait for the next frame, reconnecting as often as needed.

        Returns:
            The frame, or None at the end of a file and after `stop`.

        Raises:
            AccessError: User and password are refused before the first frame.
            SourceError: No picture came for `give_up_after_s`; or OutageError, if it does not wait.
        """
        while not self._stopped.is_set():
            if self._failure is not None:
                failure, self._failure = self._failure, None
                self._wait(failure)
                continue
            try:
                frame = self._read_once()
            except SourceError as error:
                self._release()
                if not self.live or self._is_final(error):
                    self._change("ended", str(error))
                    raise
                self._change("stalled" if isinstance(error, StalledError) else "lost", str(error))
                self._failure = error
                if not self._waits:
                    raise OutageError(str(error)) from error
            else:
                if frame is None:
                    self._change("ended", END)
                return frame
        return None

    def close(self) -> None:
        """Close the current source."""
        self.stop()
        self._release()

    def _read_once(self) -> Frame | None:
        fresh = self._source is None
        if self._source is None:
            if self._reported is None:
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
        self._last_s = time_s + frame.time_s
        if self._picture_at - self._opened_at > HELD_S:
            self._backoff.reset()
        if not self.live:
            return frame
        at_s = time.time() - (time.monotonic() - frame.captured_at)
        return frame.at(index + frame.index, time_s + frame.time_s, at_s=at_s)

    def _begin(self, frame: Frame) -> None:
        """Continue index and media time from the last connection. Time continues by the clock, but never goes backwards, even
        if a burst had run ahead of it.
        """
        first_s = 0.0
        if self._began_at is None:
            self._began_at = frame.captured_at
        else:
            first_s = max(frame.captured_at - self._began_at, self._last_s + LEAST_STEP_S)
        self._opened_at = frame.captured_at
        self._place = (self._next_index, first_s - frame.time_s)
        if frame.packets is not None:
            frame.packets.shift(self._place[1])
        self._change("live", "")

    def _is_final(self, error: SourceError) -> bool:
        refused_from_the_start = isinstance(error, AccessError) and self._began_at is None
        return refused_from_the_start or self._give_up_after_s == 0

    def _wait(self, error: SourceError) -> None:
        wait_s = self._backoff.next_s()
        if self._give_up_after_s is None:
            self._stopped.wait(wait_s)
            return
        left_s = self._picture_at + self._give_up_after_s - time.monotonic()
        if left_s > 0:
            self._stopped.wait(min(wait_s, left_s))
        else:
            why = f"given up, no picture for {self._give_up_after_s:g} s; last error: {error}"
            self._change("ended", why)
            raise SourceError(f"camera {self.name}: {why}") from error

    def _release(self) -> None:
        source, self._source = self._source, None
        if source is not None:
            self._skipped += source.skipped
            source.close()

    def _change(self, state: State, why: str) -> None:
        if (state, why) != self._reported:
            self._reported = (state, why)
            self._tell(StateChange(self.name, state, why, time.time()))
