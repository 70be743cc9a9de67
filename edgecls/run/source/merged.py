"""Several sources as one: what is ready comes together, so that one batch serves all cameras."""

from __future__ import annotations

import threading
from collections import deque
from typing import TYPE_CHECKING

from edgecls.errors import SourceError
from edgecls.run.source.contract import Source
from edgecls.run.source.threads import Threaded

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence

    from edgecls.frame import Frame, StateChange


class Merged(Source):
    """Reads every source in a thread of its own. Each keeps its order; a slow or dead one does not stop the others.

    The failure of one is told to `say` when it happens; once the others have ended too, SourceError is raised. That of an only
    source is raised as it is. Sources may come and go: see `change`.
    """

    def __init__(self, sources: Sequence[Source], *, say: Callable[[str], None]) -> None:
        """Start reading all of them."""
        self._bell = threading.Condition()
        self.sources = [Threaded(source, self._bell) for source in sources]
        self._say = say
        self._tell: Callable[[StateChange], None] = lambda _: None
        self._calls: deque[Callable[[], None]] = deque()
        self._leaving: list[Threaded] = []  # taken out, and maybe still inside a read
        self._skipped_before = 0  # by sources that have left
        self._failed: dict[str, Exception] = {}
        self._first = 0

    @property
    def name(self) -> str:  # type: ignore[override]  # sources come and go
        """The names of all."""
        return "+".join(source.name for source in self.sources)

    @property
    def live(self) -> bool:  # type: ignore[override]  # an address tells only when it is open
        """Whether one of the sources is live."""
        return any(source.live for source in self.sources)

    @property
    def skipped(self) -> int:
        """The frames that were skipped, all sources together."""
        return self._skipped_before + sum(source.skipped for source in (*self.sources, *self._leaving))

    def read(self) -> Frame | None:
        """Wait for the next frame of any source; None when all have ended."""
        return next(iter(self.take(1)), None)

    def take(self, most: int) -> list[Frame]:
        """Wait for a frame of any source, and return what is ready: round after round one of each, `most` at most."""
        while True:
            with self._bell:
                self._bell.wait_for(self._has_news)
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
            raise SourceError(f"{len(failed)} of {len(self.sources)} sources failed, the first: {failed[0]}") from failed[0]
        return []

    def between(self, call: Callable[[], None]) -> None:
        """Have `call` called by the thread that takes the frames, when it has dealt with those that it took, without a wait for
        the next ones. Another thread may call this.
        """
        with self._bell:
            self._calls.append(call)
            self._bell.notify_all()

    def change(self, gone: Collection[str], new: Sequence[Source]) -> None:
        """Let sources go, by their names, and read `new` ones, which may have these names again. The others notice nothing.

        Call it in the thread that takes the frames. A device that does not answer is not waited for.
        """
        left = [source for source in self.sources if source.name in gone]
        for source in left:
            source.stop()
            self._failed.pop(source.name, None)
        over = [source for source in self._leaving if source.let_go]
        self._skipped_before += sum(source.skipped for source in over)
        self._leaving = [*(source for source in self._leaving if source not in over), *left]
        last = {source.name: source for source in self._leaving}
        fresh = [Threaded(source, self._bell, after=last.get(source.name)) for source in new]
        for source in fresh:
            source.on_state(self._tell)
        self.sources = [*(source for source in self.sources if source.name not in gone), *fresh]

    def on_state(self, tell: Callable[[StateChange], None]) -> None:
        """Tell `tell` of each change of state of each source, in the thread that takes the frames."""
        self._tell = tell
        for source in self.sources:
            source.on_state(tell)

    def close(self) -> None:
        """Close every source. All are told to stop before one is waited for."""
        for source in (*self.sources, *self._leaving):
            source.stop()
        for source in (*self.sources, *self._leaving):
            source.close()

    def _has_news(self) -> bool:
        return bool(self._calls) or any(s.pending for s in self.sources) or all(s.ended for s in self.sources)

    def _round_robin(self, most: int) -> list[Frame]:
        """Take one of each in turn; who comes first changes from call to call."""
        frames: list[Frame] = []
        count = len(self.sources)
        order = [self.sources[(self._first + i) % count] for i in range(count)]
        self._first = (self._first + 1) % count
        while len(frames) < most:
            before = len(frames)
            for source in order[: most - len(frames)]:
                if source.has_frames or not frames:  # an error must not cost the frames that were taken before it
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
