"""A sink that runs in its own thread, so that a slow or hanging disk does not delay the run.

It is meant for sinks that record what a run shows. They receive results, states and events in order, and nothing is kept for
the next run, whose packets and frames are different. A result with packets is queued without its picture, so minutes of results
fit into the queue, but only a few results with pictures. If the queue is full, the oldest results of a live source are
dropped and counted, which does not affect clips while their packets are kept. A file source waits instead.
"""

from __future__ import annotations

import threading
from collections import deque
from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple

from edgecls.log import Say, log_warning
from edgecls.sink.sink import Sink

if TYPE_CHECKING:
    from collections.abc import Callable

    from edgecls.event import Event
    from edgecls.frame import Result, StateChange
    from edgecls.sink.sink import Backlog

WRITER = "record "
"""Prefix of the names of the threads."""
MOST_WAITING = 5000
MOST_PICTURES = 8
AHEAD_OF_FILES = 64
CLOSE_WAIT_S = 30.0
"""How long the end of a run waits for a hanging disk."""


class _Waiting(NamedTuple):
    call: Callable[[Any], None]
    value: Any
    is_result: bool = False
    has_picture: bool = False


class Background(Sink):
    """Passes everything to `sink` in a thread, which alone writes to `sink` and closes it.

    An error of `sink` is raised by the next write or by `close`. `dropped` is the number of dropped items.
    """

    def __init__(self, sink: Sink, *, name: str, say: Say = log_warning) -> None:
        """Start the thread. `say` is called if the sink does not finish in time at the end of the run."""
        self.dropped = 0
        self._sink = sink
        self._name = name
        self._say = say
        self._condition = threading.Condition()
        self._queue: deque[_Waiting] = deque()
        self._error: BaseException | None = None
        self._closing = False
        self._ended = False
        self._thread = threading.Thread(target=self._work, name=f"{WRITER}{name}", daemon=True)
        self._thread.start()

    @property
    def backlog(self) -> Backlog:
        """What the sink has lost, and what was dropped here because it was too slow."""
        inner = self._sink.backlog
        return inner._replace(dropped=inner.dropped + self.dropped)

    @property
    def trouble(self) -> str:
        """Why the sink cannot write."""
        return self._sink.trouble

    @property
    def done(self) -> bool:
        """Whether the sink accepts no more results."""
        return self._sink.done

    def write(self, result: Result) -> None:
        """Queue a result, without its picture if the frame has packets. A file source waits until there is room."""
        packets = result.frame.packets
        if packets is None:
            self._put(_Waiting(self._sink.write, result, is_result=True, has_picture=True))
            return
        bare = replace(result, frame=result.frame.bare())
        self._put(_Waiting(self._sink.write, bare, is_result=True), waits=not packets.live)

    def write_state(self, change: StateChange) -> None:
        """Queue a change of state."""
        self._put(_Waiting(self._sink.write_state, change))

    def write_event(self, event: Event) -> None:
        """Queue an event."""
        self._put(_Waiting(self._sink.write_event, event))

    def close(self) -> None:
        """Write what is queued and close the sink. The wait for a hanging disk is limited."""
        with self._condition:
            self._closing = True
            self._condition.notify_all()
        self._thread.join(CLOSE_WAIT_S)
        if self._thread.is_alive():
            self._say(f"{self._name}: still not finished after {CLOSE_WAIT_S:g} s; incomplete files are lost")
        self._raise()

    def _put(self, item: _Waiting, *, waits: bool = False) -> None:
        self._raise()
        with self._condition:
            if waits:
                self._condition.wait_for(lambda: len(self._queue) < AHEAD_OF_FILES or self._ended)
            if self._closing or self._ended:
                return
            self._queue.append(item)
            self._drop()
            self._condition.notify_all()

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
        """Wait for the next item. Returns None at the end."""
        with self._condition:
            self._condition.wait_for(lambda: self._queue or self._closing)
            item = self._queue.popleft() if self._queue else None
            self._condition.notify_all()
            return item

    def _work(self) -> None:
        try:
            while (item := self._next()) is not None:
                item.call(item.value)
        except BaseException as error:  # noqa: BLE001 - raised again in the caller's thread
            self._error = error
        try:
            self._sink.close()
        except BaseException as error:  # noqa: BLE001 - as above
            self._error = self._error or error
        with self._condition:
            self._ended = True
            self._queue.clear()
            self._condition.notify_all()
