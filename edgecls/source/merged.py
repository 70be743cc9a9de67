"""Merge several sources: frames that are ready are returned together, so that one batch serves all cameras."""

from __future__ import annotations

import threading
from collections import deque
from typing import TYPE_CHECKING

from edgecls.errors import AccessError, SourceError
from edgecls.source.source import Source
from edgecls.source.threaded import Threaded, wait_together

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence

    from edgecls.frame import Frame, StateChange


class Merged(Source):
    """Reads each source in its own thread. Each keeps its order; a slow or failed one does not stop the others.

    If one of several sources fails, `say` is called right away, and SourceError is raised when the others have ended, too, or
    AccessError if one of them refused user and password. The error of a single source is raised unchanged. Sources can be added
    and removed with `change`.
    """

    def __init__(self, sources: Sequence[Source], *, say: Callable[[str], None]) -> None:
        """Start reading all sources. `say` is called with one line of text per failure."""
        self._condition = threading.Condition()
        self.sources = [Threaded(source, self._condition) for source in sources]
        self._say = say
        self._tell: Callable[[StateChange], None] = lambda _: None
        self._calls: deque[Callable[[], None]] = deque()
        self._leaving: list[Threaded] = []  # taken out, and maybe still inside a read
        self._skipped_before = 0  # by sources that have left
        self._failed: dict[str, Exception] = {}
        self._first = 0

    @property
    def name(self) -> str:  # type: ignore[override]  # sources come and go
        """The names of all sources."""
        return "+".join(source.name for source in self.sources)

    @property
    def live(self) -> bool:  # type: ignore[override]  # only known once a source is open
        """Whether any of the sources is live."""
        return any(source.live for source in self.sources)

    @property
    def skipped(self) -> int:
        """The number of skipped frames of all sources."""
        return self._skipped_before + sum(source.skipped for source in (*self.sources, *self._leaving))

    def read(self) -> Frame | None:
        """Wait for the next frame of any source; None when all have ended."""
        return next(iter(self.take(1)), None)

    def take(self, most: int) -> list[Frame]:
        """Wait for a frame of any source, and return all that are ready, at most `most`, taking turns between sources."""
        while True:
            with self._condition:
                wait_together(self._condition, self.sources, most, self._has_news)
                calls = [self._calls.popleft() for _ in range(len(self._calls))]
                changes = [(source, of_source) for source in self.sources if (of_source := source.changes())]
                frames = [] if changes or calls else self._round_robin(most)
                ended = not calls and all(source.ended for source in self.sources)
            for call in calls:
                call()
            for source, of_source in changes:
                source.tell(of_source)
            if frames or most < 1:
                return frames
            if ended:
                break
        if self._failed:
            failed, self._failed = list(self._failed.values()), {}
            refused = next((error for error in failed if isinstance(error, AccessError)), None)
            kind, first = (SourceError, failed[0]) if refused is None else (AccessError, refused)
            raise kind(f"{len(failed)} of {len(self.sources)} sources failed, the first: {failed[0]}") from first
        return []

    def between(self, call: Callable[[], None]) -> None:
        """Schedule a function for the thread that takes the frames. It runs at the next `take`, without waiting for a frame.

        May be called from any thread.
        """
        with self._condition:
            self._calls.append(call)
            self._condition.notify_all()

    def change(self, gone: Collection[str], new: Sequence[Source]) -> None:
        """Remove and add sources without affecting the others.

        Must be called in the thread that takes the frames. It does not wait for a device that does not respond.

        Args:
            gone: The names of the sources to remove.
            new: The sources to add. They may reuse names in `gone`.
        """
        left = [source for source in self.sources if source.name in gone]
        for source in left:
            source.stop()
            self._failed.pop(source.name, None)
        over = [source for source in self._leaving if source.released]
        self._skipped_before += sum(source.skipped for source in over)
        self._leaving = [*(source for source in self._leaving if source not in over), *left]
        last = {source.name: source for source in self._leaving}
        fresh = [Threaded(source, self._condition, after=last.get(source.name)) for source in new]
        for source in fresh:
            source.on_state(self._tell)
        self.sources = [*(source for source in self.sources if source.name not in gone), *fresh]

    def on_state(self, tell: Callable[[StateChange], None]) -> None:
        """Call `tell` with each state change of each source, in the thread that takes the frames."""
        self._tell = tell
        for source in self.sources:
            source.on_state(tell)

    def close(self) -> None:
        """Close all sources. All are asked to stop before the first is waited for."""
        for source in (*self.sources, *self._leaving):
            source.stop()
        for source in (*self.sources, *self._leaving):
            source.close()

    def _has_news(self) -> bool:
        return bool(self._calls) or any(s.pending for s in self.sources) or all(s.ended for s in self.sources)

    def _round_robin(self, most: int) -> list[Frame]:
        """Take one frame of each source in turn. The first source changes from call to call."""
        frames: list[Frame] = []
        count = len(self.sources)
        order = [self.sources[(self._first + i) % count] for i in range(count)]
        self._first = (self._first + 1) % count
        while len(frames) < most:
            before = len(frames)
            for source in order[: most - len(frames)]:
                if source.has_frames or not frames:  # an error must not lose the frames taken before it
                    frames += self._one_of(source)
            if len(frames) == before:
                break
        return frames

    def _one_of(self, source: Threaded) -> list[Frame]:
        try:
            return source.ready(1)
        except SourceError as error:
            if len(self.sources) == 1:
                raise
            self._say(str(error))
            self._failed[source.name] = error
            return []
