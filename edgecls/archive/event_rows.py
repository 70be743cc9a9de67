"""Write events as rows, each once, when it has ended."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edgecls.archive.schema import event_row

if TYPE_CHECKING:
    from collections.abc import Iterable

    from edgecls.archive.parts import PartWriter
    from edgecls.event import Event


class EventRows:
    """Passes the events of one recording on to their file."""

    def __init__(self, writer: PartWriter, began_us: int) -> None:
        """Write to this file. The recording began at `began_us`, in microseconds since 1970."""
        self._writer = writer
        self._began_us = began_us
        self._open: dict[str, Event] = {}

    def add(self, events: Iterable[Event]) -> None:
        """Write those that have ended, and remember the others. Raises SinkError."""
        for event in events:
            self._open.pop(event.id, None)
            if event.end is None:
                self._open[event.id] = event
            else:
                self._writer.add([event_row(event, self._began_us)])

    def end(self) -> None:
        """Write the events that never ended. Raises SinkError."""
        self._writer.add([event_row(event, self._began_us) for event in self._open.values()])
        self._open.clear()
