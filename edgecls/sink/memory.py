"""A sink that collects everything in lists, for tests and programs that need all results."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edgecls.sink.sink import Sink

if TYPE_CHECKING:
    from edgecls.event import Event
    from edgecls.frame import Result, StateChange


class ListSink(Sink):
    """Collects results, events and changes of state in lists.

    Attributes:
        results: All results.
        events: All events; each twice, when it begins and when it has ended.
        changes: All changes of state.
        closed: How often the sink was closed.
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
        """Count the call."""
        self.closed += 1
