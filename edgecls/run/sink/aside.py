"""A sink in a thread of its own, so that a disk that is slow or hangs does not hold up the run.

It is for sinks that make recordings of what a run shows: they get results, states and events in the order that these came, and
nothing is kept for another run, whose packets and frames would be others. A result whose frame has packets waits without its
picture, so minutes of them may wait; of others, which hold their pictures, a few. When too many wait, the oldest results of a
live source are left out and counted: a clip has its packets all the same, as long as they are kept. A file waits instead.
"""

from __future__ import annotations

import threading
from collections import deque
from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple

from edgecls.run.say import Say, say_on_stderr
from edgecls.run.sink.contract import Sink

if TYPE_CHECKING:
    from collections.abc import Callable

    from edgecls.event import Event
    from edgecls.frame import Result, StateChange

WRITER = "record "
"""What the name of each thread begins with."""
MOST_WAITING = 5000
MOST_PICTURES = 8
AHEAD_OF_FILES = 64
CLOSE_WAIT_S = 30.0
"""For so long the end of a run waits for a disk that hangs."""


class _Waiting(NamedTuple):
    call: Callable[[Any], None]
    value: Any
    is_result: bool = False
    has_picture: bool = False


class Aside(Sink):
    """Gives `sink` what it gets, in a thread. That thread alone writes to `sink` and closes it; its error comes up at the next
    write or at the close. `dropped` counts what was left out.
    """

    def __init__(self, sink: Sink, *, name: str, say: Say = say_on_stderr) -> None:
        """Start the thread. `say` hears of a sink that is not done in time when the run ends."""
        self.dropped = 0
        self._sink = sink
        self._name = name
        self._say = say
        self._bell = threading.Condition()
        self._queue: deque[_Waiting] = deque()
        self._error: BaseException | None = None
        self._closing = False
        self._ended = False
        self._thread = threading.Thread(target=self._work, name=f"{WRITER}{name}", daemon=True)
        self._thread.start()

    @property
    def done(self) -> bool:
        """Whether the sink wants no more."""
        return self._sink.done

    def write(self, result: Result) -> None:
        """Leave a result to the thread, without its picture where the frame has packets. A file waits until there is room."""
        packets = result.frame.packets
        if packets is None:
            self._put(_Waiting(self._sink.write, result, is_result=True, has_picture=True))
            return
        bare = replace(result, frame=result.frame.bare())
        self._put(_Waiting(self._sink.write, bare, is_result=True), waits=not packets.live)

    def write_state(self, change: StateChange) -> None:
        """Leave a change of state to the thread."""
        self._put(_Waiting(self._sink.write_state, change))

    def write_event(self, event: Event) -> None:
        """Leave an event to the thread."""
        self._put(_Waiting(self._sink.write_event, event))

    def close(self) -> None:
        """Have what waits written, and the sink closed; a disk that hangs is not waited for without end."""
        with self._bell:
            self._closing = True
            self._bell.notify_all()
        self._thread.join(CLOSE_WAIT_S)
        if self._thread.is_alive():
            self._say(f"{self._name}: still not written after {CLOSE_WAIT_S:g} s; what is not whole by now is lost")
        self._raise()

    def _put(self, item: _Waiting, *, waits: bool = False) -> None:
        self._raise()
        with self._bell:
            if waits:
                self._bell.wait_for(lambda: len(self._queue) < AHEAD_OF_FILES or self._ended)
            if self._closing or self._ended:
                return
            self._queue.append(item)
            self._drop()
            self._bell.notify_all()

    def _drop(self) -> None:
        pictures = [item for item in self._queue if item.has_picture] if self._queue[-1].has_picture else []
        if len(pictures) > MOST_PICTURES:
            self._remove(pictures[0])
        if len(self._queue) > MOST_WAITING:
            self._remove(next((item for item in self._queue if item.is_result), self._queue[0]))

    def _remove(self, item: _Waiting) -> None:
        del self._queue[next(i for i, other in enumerate(self._queue) if other is item)]
        self.dropped += 1

    def _raise(self) -> None:
        error, self._error = self._error, None
        if error is not None:
            raise error

    def _next(self) -> _Waiting | None:
        """Wait for the next one; None is the end."""
        with self._bell:
            self._bell.wait_for(lambda: self._queue or self._closing)
            item = self._queue.popleft() if self._queue else None
            self._bell.notify_all()
            return item

    def _work(self) -> None:
        try:
            while (item := self._next()) is not None:
                item.call(item.value)
        except BaseException as error:  # noqa: BLE001 - whatever it is, it is raised again where the caller writes
            self._error = error
        try:
            self._sink.close()
        except BaseException as error:  # noqa: BLE001 - as above
            self._error = self._error or error
        with self._bell:
            self._ended = True
            self._queue.clear()
            self._bell.notify_all()
