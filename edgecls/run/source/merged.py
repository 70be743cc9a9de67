"""Several sources as one: what is ready comes together, so that one batch serves all cameras."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from edgecls.errors import SourceError
from edgecls.run.source.contract import Source
from edgecls.run.source.threads import Threaded

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from edgecls.frame import Frame, StateChange


class Merged(Source):
    """Reads every source in a thread of its own. Each keeps its order; a slow or dead one does not stop the others.

    The failure of one is told to `say` when it happens; once the others have ended too, SourceError is raised.
    """

    def __init__(self, sources: Sequence[Source], *, say: Callable[[str], None]) -> None:
        """Start reading all of them."""
        self._bell = threading.Condition()
        self.sources = [Threaded(source, self._bell) for source in sources]
        self.name = "+".join(source.name for source in sources)
        self._say = say
        self._failed: list[Exception] = []
        self._first = 0

    @property
    def live(self) -> bool:  # type: ignore[override]  # an address tells only when it is open
        """Whether one of the sources is live."""
        return any(source.live for source in self.sources)

    @property
    def skipped(self) -> int:
        """The frames that were skipped, all sources together."""
        return sum(source.skipped for source in self.sources)

    def read(self) -> Frame | None:
        """Wait for the next frame of any source; None when all have ended."""
        return next(iter(self.take(1)), None)

    def take(self, most: int) -> list[Frame]:
        """Wait for a frame of any source, and return what is ready: round after round one of each, `most` at most."""
        while True:
            with self._bell:
                self._bell.wait_for(lambda: any(s.pending for s in self.sources) or all(s.ended for s in self.sources))
                changes = [(source, of_source) for source in self.sources if (of_source := source.changes())]
                frames = [] if changes else self._round_robin(most)
                ended = all(source.ended for source in self.sources)
            for source, of_source in changes:
                source.tell(of_source)
            if frames or most < 1:
                return frames
            if ended:
                break
        if self._failed:
            failed, self._failed = self._failed, []
            raise SourceError(f"{len(failed)} of {len(self.sources)} sources failed, the first: {failed[0]}") from failed[0]
        return []

    def on_state(self, tell: Callable[[StateChange], None]) -> None:
        """Tell `tell` of each change of state of each source, in the thread that takes the frames."""
        for source in self.sources:
            source.on_state(tell)

    def close(self) -> None:
        """Close every source. All are told to stop before one is waited for."""
        for source in self.sources:
            source.stop()
        for source in self.sources:
            source.close()

    def _round_robin(self, most: int) -> list[Frame]:
        """Take one of each in turn; who comes first changes from call to call."""
        frames: list[Frame] = []
        count = len(self.sources)
        order = [self.sources[(self._first + i) % count] for i in range(count)]
        self._first = (self._first + 1) % count
        while len(frames) < most:
            before = len(frames)
            for source in order[: most - len(frames)]:
                frames += self._one_of(source)
            if len(frames) == before:
                break
        return frames

    def _one_of(self, source: Threaded) -> list[Frame]:
        try:
            return source.ready(1)
        except SourceError as error:
            self._say(str(error))
            self._failed.append(error)
            return []
