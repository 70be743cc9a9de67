"""Read a source in its own thread, so that decoding and inference overlap.

A live source keeps only its newest frame; older ones count as skipped. A file has a short queue: nothing is lost or reordered,
and several frames are taken together, because waking another thread for each, and running the model on each, takes longer.
One class does both, because only an open address tells which of the two it is.
"""

from __future__ import annotations

import atexit
import threading
from collections import deque
from typing import TYPE_CHECKING

from edgecls.frame import Frame, StateChange
from edgecls.source.source import Source

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

AHEAD_FRAMES = 6
TOGETHER_FRAMES, TOGETHER_S = 4, 0.05
"""So many frames of a file are waited for at least, and no longer than this; for the first one alone."""
READER = "read "
"""The prefix of the names of reader threads."""
CLOSE_WAIT_S = 2.0
"""How long `close` waits for the thread. A blocked read of a device cannot be interrupted; its thread releases it
afterwards."""
EXIT_WAIT_S = 20.0
"""How long the exit of the program waits for such a thread."""


class Threaded(Source):
    """Reads a source in a thread. Only that thread reads and closes the source; its errors are raised by `take`."""

    def __init__(self, source: Source, condition: threading.Condition | None = None, *, after: Threaded | None = None) -> None:
        """Start reading.

        Args:
            source: The source to read.
            condition: Notified whenever there is something to take. Sources that are waited for together share one.
            after: Start only after this reader, which shares `condition`, has closed its source. Most devices can only be
                opened once.
        """
        self.name = source.name
        self._source = source
        self._condition = condition or threading.Condition()
        self._queue: deque[Frame | StateChange] = deque()
        self._tell: Callable[[StateChange], None] = lambda _: None
        self._error: BaseException | None = None
        self._dropped = 0
        self._given = 0
        self._awaited = 1  # whoever waits is notified of so many items
        self._ended = False
        self._closing = False
        self._after = after
        source.on_state(self._post)
        self._thread = threading.Thread(target=self._work, name=f"{READER}{source.name}", daemon=True)
        self._thread.start()

    @property
    def live(self) -> bool:  # type: ignore[override]  # only known once the source is open
        """Whether frames arrive in real time."""
        return self._source.live

    def on_state(self, tell: Callable[[StateChange], None]) -> None:
        """Call `tell` with each state change, in the thread that takes the frames."""
        self._tell = tell

    def changes(self) -> list[StateChange]:
        """Return the state changes before the next frame. Must be called with the condition held; call `tell` without it."""
        return [item for item in self._until(Frame, len(self._queue)) if isinstance(item, StateChange)]

    def ready(self, most: int) -> list[Frame]:
        """Return the frames that are ready up to the next state change, at most `most`.

        Must be called with the condition held. After the last frame, it raises the reader's error once, if there was one.
        """
        frames = [item for item in self._until(StateChange, most) if isinstance(item, Frame)]
        if frames:
            self._given += len(frames)
            self._condition.notify_all()  # there is room again
        elif self._ended and self._error is not None and not self._queue:
            error, self._error = self._error, None
            raise error
        return frames

    def tell(self, changes: list[StateChange]) -> None:
        """Report state changes. Must be called without the condition held, because the callback may close the source."""
        for change in changes:
            self._tell(change)

    @property
    def pending(self) -> bool:
        """Whether `ready` has something to return or raise."""
        return bool(self._queue) or (self._error is not None and self._ended)

    def expect(self, most: int) -> None:
        """Be notified when so many frames are ready, at most `TOGETHER_FRAMES`, or when there will be no more."""
        self._awaited = 1 if self.live or not self._given else max(1, min(most, TOGETHER_FRAMES))

    @property
    def is_worth_taking(self) -> bool:
        """Whether `ready` has as much to return as is expected, or an end, an error or a state change to tell."""
        if self._ended or len(self._queue) >= self._awaited:
            return self.pending
        return any(isinstance(item, StateChange) for item in self._queue)

    @property
    def has_frames(self) -> bool:
        """Whether `ready` returns something."""
        return bool(self._queue)

    @property
    def ended(self) -> bool:
        """Whether all frames have been taken and no more will come."""
        return self._ended and not self.pending

    @property
    def released(self) -> bool:
        """Whether the reader has closed the source."""
        return self._ended

    @property
    def skipped(self) -> int:
        """The number of frames dropped here or skipped by the source."""
        return self._dropped + self._source.skipped

    def read(self) -> Frame | None:
        """Wait for the next frame; None is the end."""
        return next(iter(self.take(1)), None)

    def take(self, most: int) -> list[Frame]:
        """Wait for a frame, and return all that are ready, at most `most`. An empty list is the end."""
        while True:
            with self._condition:
                wait_together(self._condition, [self], most, lambda: self.pending or self._ended)
                changes = self.changes()
                frames = [] if changes else self.ready(most)
                ended = self.ended
            self.tell(changes)
            if frames or ended or most < 1:
                return frames

    def stop(self) -> None:
        """Ask the reader to end, and wake it if it waits."""
        with self._condition:
            self._closing = True
            self._dropped += len(self._frames()) if self.live else 0
            self._queue.clear()
            self._error = None
            self._condition.notify_all()
        self._source.stop()

    def close(self) -> None:
        """Stop the reader and wait for it for a short time. A device that does not respond is not waited for."""
        self.stop()
        self._thread.join(CLOSE_WAIT_S)
        if self._thread.is_alive():  # the program must not exit while a decoder is still running
            atexit.register(self._thread.join, EXIT_WAIT_S)

    def _until(self, kind: type, most: int) -> Iterator[Frame | StateChange]:
        """Take items from the queue, at most `most`, up to the first one of `kind`."""
        while most > 0 and self._queue and not isinstance(self._queue[0], kind):
            yield self._queue.popleft()
            most -= 1

    def _frames(self) -> list[Frame]:
        return [item for item in self._queue if isinstance(item, Frame)]

    def _post(self, change: StateChange) -> None:
        with self._condition:
            if not self._closing:
                self._queue.append(change)
                self._condition.notify_all()

    def _store(self, frame: Frame) -> None:
        """Put a frame into the queue. After closing, a frame of a live source counts as skipped instead."""
        if self.live:
            self._drop_frames()
        else:
            self._condition.wait_for(lambda: self._closing or len(self._queue) < AHEAD_FRAMES)
        if not self._closing:
            self._queue.append(frame)
        elif self.live:
            self._dropped += 1

    def _drop_frames(self) -> None:
        frames = self._frames()
        for old in frames:
            self._queue.remove(old)
        self._dropped += len(frames)

    def _wait_for_device(self) -> None:
        before, self._after = self._after, None
        if before is not None:
            with self._condition:
                self._condition.wait_for(lambda: before.released or self._closing, EXIT_WAIT_S)

    def _work(self) -> None:
        try:
            self._wait_for_device()
            while not self._closing and (frame := self._source.read()) is not None:
                with self._condition:
                    self._store(frame)
                    if self.is_worth_taking:
                        self._condition.notify_all()
        except BaseException as error:  # noqa: BLE001 - whatever it is, it is raised again where the caller waits
            self._error = None if self._closing else error
        finally:
            self._source.close()
            with self._condition:
                self._ended = True
                self._condition.notify_all()


def wait_together(condition: threading.Condition, sources: Sequence[Threaded], most: int, has_news: Callable[[], bool]) -> None:
    """Wait until there is something to take, and for files a moment longer, until several frames can be taken together.

    Args:
        condition: What the sources share. It is held.
        sources: The sources.
        most: How many frames will be taken.
        has_news: Whether there is something to take.
    """
    for source in sources:
        source.expect(most)

    def is_enough() -> bool:
        return any(source.is_worth_taking for source in sources) or (has_news() and not any(s.pending for s in sources))

    if not condition.wait_for(is_enough, TOGETHER_S):
        for source in sources:
            source.expect(1)
        condition.wait_for(has_news)
