"""What is asked for of events: filters and pages, read from the query of an address."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping

    from edgecls.event import Event

FIELDS = ("camera", "kind", "label", "region")
"""The fields of an event that filters compare, in the order of the index `events_by_what`."""
MOST_AT_ONCE = 1000
HOUR_S = 3600.0
MOST_HOURS = 24 * 31


class What(NamedTuple):
    """What events have in common, by which they are filtered."""

    camera: str
    kind: str
    label: str
    region: str


@dataclass(frozen=True, slots=True)
class EventFilter:
    """Which events: None of a field is all, and those that began from `since_s` until before `until_s`, seconds since 1970."""

    camera: str | None = None
    kind: str | None = None
    label: str | None = None
    region: str | None = None
    since_s: float = -math.inf
    until_s: float = math.inf

    @classmethod
    def of(cls, query: Mapping[str, str]) -> EventFilter:
        """Read a filter from the names camera, kind, label, region, since and until. Raises ValueError with one line."""
        chosen = {name: query[name] for name in FIELDS if query.get(name)}
        since_s, until_s = (_seconds(query, name, default) for name, default in (("since", -math.inf), ("until", math.inf)))
        return cls(**chosen, since_s=since_s, until_s=until_s)

    @property
    def fields(self) -> dict[str, str]:
        """The fields that are compared, by name."""
        return {name: value for name in FIELDS if (value := getattr(self, name)) is not None}

    def fits(self, what: What) -> bool:
        """Return whether events with this in common pass, without regard to their time."""
        return all(getattr(what, name) == value for name, value in self.fields.items())


class EventPage(NamedTuple):
    """Some events, the latest first, and where the next page begins: the value of `before`, or None after the last one."""

    events: list[Event]
    ids: list[str]
    next: str | None


class EventArchive(Protocol):
    """Where events are looked up. Every method may be called in any thread, and raises DataError if nothing can be read."""

    source: str
    """Where they are, in words for the page."""

    def page(self, wanted: EventFilter, *, before: str = "", limit: int) -> EventPage:
        """Return the latest events, or those before a place that an earlier page told. Raises ValueError for another text."""
        ...

    def groups(self) -> list[What]:
        """Return all that events have in common, sorted."""
        ...

    def hours(self, wanted: EventFilter, since_s: float, count: int) -> dict[str, list[int]]:
        """Return how many events of each camera began in each of the `count` hours from `since_s` on."""
        ...

    def find(self, event_id: str) -> Event | None:
        """Return one event, or None if it is not there."""
        ...


def limit_of(query: Mapping[str, str]) -> int:
    """Return how many events are asked for. Raises ValueError with one line."""
    text = query.get("limit", "100")
    if not (text.isascii() and text.isdigit() and len(text) <= 4 and 1 <= int(text) <= MOST_AT_ONCE):
        raise ValueError(f"limit must be 1 to {MOST_AT_ONCE}")
    return int(text)


def hours_of(query: Mapping[str, str]) -> tuple[float, int]:
    """Return the beginning and the number of hours that are asked for. Raises ValueError with one line."""
    since_s, until_s = _seconds(query, "since", math.nan), _seconds(query, "until", math.nan)
    count = (until_s - since_s) / HOUR_S
    if not (0 < count <= MOST_HOURS):
        raise ValueError(f"since and until must be seconds since 1970, at most {MOST_HOURS} hours apart")
    return since_s, math.ceil(count)


def _seconds(query: Mapping[str, str], name: str, default: float) -> float:
    text = query.get(name, "")
    if not text:
        return default
    try:
        seconds = float(text)
    except ValueError:
        seconds = math.nan
    if not math.isfinite(seconds):
        raise ValueError(f"{name} must be seconds since 1970")
    return seconds
