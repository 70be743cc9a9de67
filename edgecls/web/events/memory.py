"""The latest events of a run that has no database."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edgecls.web.events.query import HOUR_S, EventFilter, EventPage, What

if TYPE_CHECKING:
    from collections.abc import Iterable

    from edgecls.event import Event
    from edgecls.web.live.view_sink import ViewSink


class EventMemory:
    """The events that a page has seen since it began, `LATEST_EVENTS` at most. A place in the list is the id of an event."""

    source = "memory"

    def __init__(self, view: ViewSink) -> None:
        """Show the events of a view."""
        self._view = view

    def page(self, wanted: EventFilter, *, before: str = "", limit: int) -> EventPage:
        """Return a page of events, the latest first. Recordings have no time of day, so theirs come in the order of the run."""
        newest_first = self._events()[::-1]
        newest_first.sort(key=lambda one: -(one.start.at_s or 0.0))
        found = [event for event in newest_first if _passes(event, wanted)]
        ids = [event.id for event in found]
        first = ids.index(before) + 1 if before in ids else len(ids) if before else 0
        shown = slice(first, first + limit)
        return EventPage(found[shown], ids[shown], ids[first + limit - 1] if first + limit < len(ids) else None)

    def groups(self) -> list[What]:
        """Return all that events have in common, sorted."""
        return sorted({_what(event) for event in self._events()})

    def hours(self, wanted: EventFilter, since_s: float, count: int) -> dict[str, list[int]]:
        """Return how many events of each camera began in each hour."""
        found: dict[str, list[int]] = {}
        for event in self._events():
            if _passes(event, wanted) and event.start.at_s is not None:
                hour = int((event.start.at_s - since_s) // HOUR_S)
                if 0 <= hour < count:
                    found.setdefault(event.camera, [0] * count)[hour] += 1
        return found

    def find(self, event_id: str) -> Event | None:
        """Return one event."""
        return next((event for event in self._events() if event.id == event_id), None)

    def _events(self) -> list[Event]:
        events: Iterable[Event] = self._view.events
        return list(events)


def _passes(event: Event, wanted: EventFilter) -> bool:
    at_s = event.start.time_s if event.start.at_s is None else event.start.at_s
    return wanted.fits(_what(event)) and wanted.since_s <= at_s < wanted.until_s


def _what(event: Event) -> What:
    return What(event.camera, event.kind, event.label, event.region)
