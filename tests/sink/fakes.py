"""Sinks that fail, block and remember, and a place for what was said."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from edgecls import SinkError
from edgecls.sink import ListSink

if TYPE_CHECKING:
    from edgecls.event import Event
    from edgecls.frame import Result, StateChange


class Rough(ListSink):
    """A sink that stores what it gets. It first raises `errors`, one per write; `written_by` holds the names of the threads."""

    def __init__(self, *errors: Exception, then: Exception | None = None) -> None:
        super().__init__()
        self.errors, self.then = list(errors), then
        self.tries = 0
        self.written_by: set[str] = set()
        self.closed_by: list[str] = []

    def write(self, result: Result) -> None:
        self._stumble()
        super().write(result)

    def write_state(self, change: StateChange) -> None:
        self._stumble()
        super().write_state(change)

    def write_event(self, event: Event) -> None:
        self._stumble()
        super().write_event(event)

    def close(self) -> None:
        self.closed_by.append(threading.current_thread().name)
        super().close()

    def _stumble(self) -> None:
        self.tries += 1
        self.written_by.add(threading.current_thread().name)
        if self.errors:
            raise self.errors.pop(0)
        if self.then is not None:
            raise self.then


class Blocking(ListSink):
    """A sink in which each write waits until `go` is set. If it `can_stop`, `stop` ends the wait with an error."""

    def __init__(self, *, can_stop: bool = True) -> None:
        super().__init__()
        self.go = threading.Event()
        self.entered = threading.Event()
        self._can_stop = can_stop
        self._stopped = False

    def write(self, result: Result) -> None:
        self._wait()
        super().write(result)

    def write_event(self, event: Event) -> None:
        self._wait()
        super().write_event(event)

    def stop(self) -> None:
        if self._can_stop:
            self._stopped = True
            self.go.set()

    def _wait(self) -> None:
        self.entered.set()
        self.go.wait(60)
        if self._stopped:
            raise SinkError("broken off")
