"""A sink that keeps results in a list, for tests and for programs that want them all."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edgecls.run.sink.contract import Sink

if TYPE_CHECKING:
    from edgecls.event import Event
    from edgecls.frame import Result, StateChange


class ListSink(Sink):
    """Keeps every result in `results`, every change of state in `changes`, every event in `events`; `closed` counts how often
    it was closed.
    """

    def __init__(self) -> None:
        """Start empty."""
        self.results: list[Result] = []
        self.changes: list[StateChange] = []
        self.events: list[Event] = []
        self.closed = 0

    def write(self, result: Result) -> None:
        """Append the result."""
        self.results.append(result)

    def write_state(self, change: StateChange) -> None:
        """Append the change."""
        self.changes.append(change)

    def write_event(self, event: Event) -> None:
        """Append the event."""
        self.events.append(event)

    def close(self) -> None:
        """Count it."""
        self.closed += 1
