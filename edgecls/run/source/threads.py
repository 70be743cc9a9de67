"""Reading a source in a thread of its own, so that decoding and inference overlap.

A live source keeps one frame: the newest wins, the others are counted as skipped. A file has a short queue: nothing is
lost, nothing reordered. Which of the two it is, an address tells only when it is open, so one class does both.
"""

from __future__ import annotations

import atexit
import threading
from collections import deque
from typing import TYPE_CHECKING

from edgecls.frame import Frame, StateChange
from edgecls.run.source.contract import Source

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

AHEAD_FRAMES = 4
READER = "read "
"""What the name of each reader thread begins with."""
CLOSE_WAIT_S = 2.0
"""A read of a device cannot be broken off; a thread that is inside one for longer releases the device when it returns."""
EXIT_WAIT_S = 20.0
"""How long the end of the program waits for such a thread."""


class Threaded(Source):
    """Reads `source` in a thread. That thread alone reads and closes `source`; its error comes up at `take`.

    `bell` is rung whenever there is something to take: sources that are waited for together share one. The reader begins when
    that of `after`, which shares the bell, has let go of its device: most devices can be opened once.
    """

    def __init__(self, source: Source, bell: threading.Condition | None = None, *, after: Threaded | None = None) -> None:
        """Start reading at once, or after another one."""
        self.name = source.name
        self._source = source
        self._bell = bell or threading.Condition()
        self._queue: deque[Frame | StateChange] = deque()
        self._tell: Callable[[StateChange], None] = lambda _: None
        self._error: BaseException | None = None
        self._dropped = 0
        self._ended = False
        self._closing = False
        self._after = after
        source.on_state(self._post)
        self._thread = threading.Thread(target=self._work, name=f"{READER}{source.name}", daemon=True)
        self._thread.start()

    @property
    def live(self) -> bool:  # type: ignore[override]  # what it reads may know it only when it is open
        """Whether frames come whether they are taken or not."""
        return self._source.live

    def on_state(self, tell: Callable[[StateChange], None]) -> None:
        """Tell `tell` of each change of state, in the thread that takes the frames."""
        self._tell = tell

    def changes(self) -> list[StateChange]:
        """Return the changes of state that stand before the next frame. Call it with the bell held, `tell` them without."""
        return [item for item in self._until(Frame, len(self._queue)) if isinstance(item, StateChange)]

    def ready(self, most: int) -> list[Frame]:
        """Return the frames that can be had without waiting, up to the next change of state, `most` at most.

        Call it with the bell held. After the last frame an error of the reader is raised here, once.
        """
        frames = [item for item in self._until(StateChange, most) if isinstance(item, Frame)]
        if frames:
            self._bell.notify_all()  # there is room again
        elif self._ended and self._error is not None and not self._queue:
            error, self._error = self._error, None
            raise error
        return frames

    def tell(self, changes: list[StateChange]) -> None:
        """Tell the caller's function of `changes`. Not with the bell held: the function may close the source."""
        for change in changes:
            self._tell(change)

    @property
    def pending(self) -> bool:
        """Whether `ready` has something to return or raise."""
        return bool(self._queue) or (self._error is not None and self._ended)

    @property
    def has_frames(self) -> bool:
        """Whether `ready` returns something."""
        return bool(self._queue)

    @property
    def ended(self) -> bool:
        """Whether nothing is left and nothing will come."""
        return self._ended and not self.pending

    @property
    def let_go(self) -> bool:
        """Whether the reader has closed the source."""
        return self._ended

    @property
    def skipped(self) -> int:
        """The frames that nobody was given."""
        return self._dropped + self._source.skipped

    def read(self) -> Frame | None:
        """Wait for the next frame; None is the end."""
        return next(iter(self.take(1)), None)

    def take(self, most: int) -> list[Frame]:
        """Wait for a frame, and return what is ready, `most` at most; none is the end."""
        while True:
            with self._bell:
                self._bell.wait_for(lambda: self.pending or self._ended)
                changes = self.changes()
                frames = [] if changes else self.ready(most)
                ended = self.ended
            self.tell(changes)
            if frames or ended or most < 1:
                return frames

    def stop(self) -> None:
        """Wake the reader where it waits, and have it end."""
        with self._bell:
            self._closing = True
            self._dropped += len(self._frames()) if self.live else 0
            self._queue.clear()
            self._error = None
            self._bell.notify_all()
        self._source.stop()

    def close(self) -> None:
        """Tell the reader to stop and wait for it, but not for a device that does not answer."""
        self.stop()
        self._thread.join(CLOSE_WAIT_S)
        if self._thread.is_alive():  # the program may end meanwhile, but not under a decoder that is still running
            atexit.register(self._thread.join, EXIT_WAIT_S)

    def _until(self, kind: type, most: int) -> Iterator[Frame | StateChange]:
        """Take from the queue up to the first item of `kind`."""
        while most > 0 and self._queue and not isinstance(self._queue[0], kind):
            yield self._queue.popleft()
            most -= 1

    def _frames(self) -> list[Frame]:
        return [item for item in self._queue if isinstance(item, Frame)]

    def _post(self, change: StateChange) -> None:
        with self._bell:
            if not self._closing:
                self._queue.append(change)
                self._bell.notify_all()

    def _store(self, frame: Frame) -> None:
        """Put a frame into the queue; after the close nobody comes for it, and one of a live source counts as skipped."""
        if self.live:
            self._drop_frames()
        else:
            self._bell.wait_for(lambda: self._closing or len(self._queue) < AHEAD_FRAMES)
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
            with self._bell:
                self._bell.wait_for(lambda: before.let_go or self._closing, EXIT_WAIT_S)

    def _work(self) -> None:
        try:
            self._wait_for_device()
            while not self._closing and (frame := self._source.read()) is not None:
                with self._bell:
                    self._store(frame)
                    self._bell.notify_all()
        except BaseException as error:  # noqa: BLE001 - whatever it is, it is raised again where the caller waits
            self._error = None if self._closing else error
        finally:
            self._source.close()
            with self._bell:
                self._ended = True
                self._bell.notify_all()
