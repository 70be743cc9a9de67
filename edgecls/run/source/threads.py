"""Sources that read another source in a thread of their own, so that decoding and inference overlap.

Ahead    for files: a bounded queue; nothing is lost, nothing reordered
Newest   for live sources: one slot; the newest frame wins, the others are counted as skipped
"""

from __future__ import annotations

import atexit
import threading
from abc import abstractmethod
from collections import deque
from typing import TYPE_CHECKING

from edgecls.run.source.contract import OPEN_TIMEOUT_S, READ_TIMEOUT_S, Source

if TYPE_CHECKING:
    from edgecls.frame import Frame

AHEAD_FRAMES = 4
READER = "read "
"""What the name of each reader thread begins with."""
CLOSE_WAIT_S = 2.0
"""A read of a device cannot be broken off; a thread that is inside one for longer releases the device when it returns."""


class Threaded(Source):
    """Reads `source` in a thread. That thread alone reads and closes `source`; its error comes up at `take`.

    `bell` is rung whenever there is something to take: sources that are waited for together share one.
    """

    def __init__(self, source: Source, bell: threading.Condition | None = None) -> None:
        """Start reading at once."""
        self.name = source.name
        self.live = source.live
        self._source = source
        self._bell = bell or threading.Condition()
        self._frames: deque[Frame] = deque()
        self._error: BaseException | None = None
        self._dropped = 0
        self._ended = False
        self._closing = False
        self._thread = threading.Thread(target=self._work, name=f"{READER}{source.name}", daemon=True)
        self._thread.start()

    @abstractmethod
    def _store(self, frame: Frame) -> None:
        """Put a frame where `ready` finds it. Called by the reader with the bell held; may wait on it."""

    def ready(self, most: int) -> list[Frame]:
        """Return what can be had without waiting, `most` at most. Call it with the bell held.

        After the last frame an error of the reader is raised here, once.
        """
        frames = [self._frames.popleft() for _ in range(min(most, len(self._frames)))]
        if frames:
            self._bell.notify_all()  # there is room again
        elif self._ended and self._error is not None:
            error, self._error = self._error, None
            raise error
        return frames

    @property
    def pending(self) -> bool:
        """Whether `ready` has something to return or raise."""
        return bool(self._frames) or (self._error is not None and self._ended)

    @property
    def ended(self) -> bool:
        """Whether nothing is left and nothing will come."""
        return self._ended and not self.pending

    @property
    def skipped(self) -> int:
        """The frames that nobody was given."""
        return self._dropped + self._source.skipped

    def read(self) -> Frame | None:
        """Wait for the next frame; None is the end."""
        return next(iter(self.take(1)), None)

    def take(self, most: int) -> list[Frame]:
        """Wait for a frame, and return what is ready, `most` at most; none is the end."""
        with self._bell:
            self._bell.wait_for(lambda: self.pending or self._ended)
            return self.ready(most)

    def close(self) -> None:
        """Tell the reader to stop and wait for it, but not for a device that does not answer."""
        with self._bell:
            self._closing = True
            self._dropped += len(self._frames) if self.live else 0
            self._frames.clear()
            self._error = None
            self._bell.notify_all()
        self._thread.join(CLOSE_WAIT_S)
        if self._thread.is_alive():  # the program may end meanwhile, but not under a decoder that is still running
            atexit.register(self._thread.join, OPEN_TIMEOUT_S + READ_TIMEOUT_S)

    def _keep(self, frame: Frame) -> None:
        """Store a frame; after the close nobody comes for it, and one of a live source counts as skipped."""
        if not self._closing:
            self._store(frame)
        elif self.live:
            self._dropped += 1

    def _work(self) -> None:
        try:
            while not self._closing and (frame := self._source.read()) is not None:
                with self._bell:
                    self._keep(frame)
                    self._bell.notify_all()
        except BaseException as error:  # noqa: BLE001 - whatever it is, it is raised again where the caller waits
            self._error = None if self._closing else error
        finally:
            self._source.close()
            with self._bell:
                self._ended = True
                self._bell.notify_all()


class Ahead(Threaded):
    """Decodes a few frames ahead of the caller."""

    def _store(self, frame: Frame) -> None:
        self._bell.wait_for(lambda: self._closing or len(self._frames) < AHEAD_FRAMES)
        if not self._closing:
            self._frames.append(frame)


class Newest(Threaded):
    """Keeps only the newest frame."""

    def _store(self, frame: Frame) -> None:
        self._dropped += len(self._frames)
        self._frames.clear()
        self._frames.append(frame)


def threaded(source: Source, bell: threading.Condition | None = None) -> Threaded:
    """Read `source` in a thread, in the way that fits it."""
    return Newest(source, bell) if source.live else Ahead(source, bell)
