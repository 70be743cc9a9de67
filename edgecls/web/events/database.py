"""The events in the database that a run writes (`edgecls.sink.sqlite`), read without ever waiting for the run.

A filter may fit every other event or a few among millions, so no single index serves all filters. A page is therefore looked
up in two steps. First the latest events are walked through, `WALK` at most, which is enough for filters that fit many. Among
older ones, the latest event of each group that fits is looked up; a group is a camera, kind, label and region (`event_groups`).
Only the groups with the latest events can be on the page, and they are merged by time. Both steps use an index, and a page goes
on at a time and an id, never at an offset, so the last page takes as long as the first.
"""

from __future__ import annotations

import heapq
import math
import sqlite3
from contextlib import contextmanager
from itertools import islice
from typing import TYPE_CHECKING, Any

from edgecls.errors import DataError
from edgecls.event import Event, Moment
from edgecls.sink.sqlite import GROUP
from edgecls.text.strict_json import loads
from edgecls.web.events.query import HOUR_S, EventFilter, EventPage, What

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

BUSY_WAIT_S = 2.0
AT_ONCE = 400
"""Rows in one statement."""
WALK = 4000
SAME_GROUP = " AND ".join(f"e.{name} = g.{name}" for name in GROUP)
OF_GROUP = " AND ".join(f"{name} = ?" for name in GROUP)
EARLIER = "(start, id) < (?, ?) AND start >= ? ORDER BY start DESC, id DESC"
NEWEST = f"SELECT start, id, {', '.join(GROUP)} FROM events WHERE {EARLIER} LIMIT ?"  # noqa: S608 - constants, as below
OF_ONE_GROUP = f"SELECT start, id FROM events WHERE {OF_GROUP} AND {EARLIER}"  # noqa: S608
GROUPS = f"SELECT {', '.join(GROUP)} FROM event_groups AS g"  # noqa: S608
LATEST_GROUPS = f"""
    SELECT {", ".join(f"g.{name}" for name in GROUP)} FROM event_groups AS g CROSS JOIN events AS newest ON newest.rowid = (
        SELECT e.rowid FROM events AS e WHERE {SAME_GROUP} AND (e.start, e.id) < (?, ?) AND e.start >= ?
        ORDER BY e.start DESC, e.id DESC LIMIT 1
    ) WHERE {{fits}} ORDER BY newest.start DESC, newest.id DESC LIMIT ?
"""  # noqa: S608
HOURS = f"""
    SELECT g.camera, CAST((e.start - ?) / {HOUR_S} AS INTEGER) AS hour, COUNT(*) FROM event_groups AS g CROSS JOIN events AS e
    ON {SAME_GROUP} AND e.start >= ? AND e.start < ? WHERE {{fits}} GROUP BY g.camera, hour
"""  # noqa: S608
Place = tuple[float, str]
"""The time and the id of an event."""
END: Place = (math.inf, "")


class EventDatabase:
    """Reads the events in a database. Each call opens it anew, so it may be replaced at any time."""

    source = "database"

    def __init__(self, path: Path) -> None:
        """Read from this file."""
        self._path = path

    def page(self, wanted: EventFilter, *, before: str = "", limit: int) -> EventPage:
        """Return a page of events, the latest first."""
        place = min(_place(before) if before else END, (wanted.until_s, ""))
        with self._open() as db:
            found = list(islice(_latest(db, wanted, place, limit + 1), limit + 1))
            events = _rows(db, [event_id for _, event_id in found[:limit]])
        shown = [event_id for _, event_id in found[:limit] if event_id in events]
        at, last = found[limit - 1] if len(found) > limit else (0.0, "")
        return EventPage([events[one] for one in shown], shown, f"{at!r},{last}" if last else None)

    def groups(self) -> list[What]:
        """Return all that events have in common, sorted."""
        with self._open() as db:
            return [What(*row) for row in db.execute(GROUPS)]

    def hours(self, wanted: EventFilter, since_s: float, count: int) -> dict[str, list[int]]:
        """Return how many events of each camera began in each hour."""
        fits, values = _fitting(wanted)
        first_s, end_s = max(since_s, wanted.since_s), min(since_s + count * HOUR_S, wanted.until_s)
        found: dict[str, list[int]] = {}
        with self._open() as db:
            for camera, hour, number in db.execute(HOURS.format(fits=fits), (since_s, first_s, end_s, *values)):
                found.setdefault(camera, [0] * count)[hour] += number
        return found

    def find(self, event_id: str) -> Event | None:
        """Return one event."""
        with self._open() as db:
            return _rows(db, [event_id]).get(event_id)

    @contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
        """Open the database for reading, at one moment of its history."""
        try:
            db = sqlite3.connect(f"{self._path.absolute().as_uri()}?mode=ro", uri=True, timeout=BUSY_WAIT_S)
            try:
                db.execute("BEGIN")
                yield db
            finally:
                db.close()
        except sqlite3.Error as error:
            raise DataError(f"{self._path}: cannot be read ({error})") from error


def _latest(db: sqlite3.Connection, wanted: EventFilter, place: Place, limit: int) -> Iterator[Place]:
    """Yield the times and ids of events before a place, the latest first, at least `limit` if there are so many."""
    walked = 0
    for at, event_id, *what in db.execute(NEWEST, (*place, wanted.since_s, WALK if wanted.fields else limit)):
        walked, place = walked + 1, (at, event_id)
        if wanted.fits(What(*what)):
            yield place
    if walked == WALK:
        fits, values = _fitting(wanted)
        groups = db.execute(LATEST_GROUPS.format(fits=fits), (*place, wanted.since_s, *values, limit)).fetchall()
        yield from heapq.merge(
            *(db.execute(OF_ONE_GROUP, (*group, *place, wanted.since_s)) for group in groups), reverse=True
        )  # fmt: skip


def _fitting(wanted: EventFilter) -> tuple[str, list[str]]:
    """Return the condition for groups, and its values."""
    return " AND ".join(["1", *(f"g.{name} = ?" for name in wanted.fields)]), list(wanted.fields.values())


def _rows(db: sqlite3.Connection, ids: list[str]) -> dict[str, Event]:
    """Return events by their ids."""
    found: dict[str, Event] = {}
    for first in range(0, len(ids), AT_ONCE):
        part = ids[first : first + AT_ONCE]
        cursor = db.execute(f"SELECT * FROM events WHERE id IN ({', '.join('?' * len(part))})", part)  # noqa: S608
        cursor.row_factory = sqlite3.Row
        found |= {row["id"]: _event(row) for row in cursor}
    return found


def _event(row: sqlite3.Row) -> Event:
    return Event(
        kind=row["kind"], camera=row["camera"], region=row["region"], label=row["label"], score=row["score"],
        start=_moment(row["start_frame"], row["start_time_s"], row["start"], row["file"]),
        end=None if row["end"] is None else _moment(row["end_frame"], row["end_time_s"], row["end"], ""),
        track_id=row["track_id"], direction=row["direction"], counts=_counts(row["counts"]), occupancy=row["occupancy"],
        model=row["model"],
    )  # fmt: skip


def _moment(frame: int, time_s: float, at_s: float, file: str) -> Moment:
    return Moment(frame, time_s, None if at_s == time_s else at_s, file)  # a recording has no time of day


def _counts(text: str) -> Any:
    try:
        counts = loads(text)
    except ValueError:
        return {}
    return counts if isinstance(counts, dict) else {}


def _place(text: str) -> Place:
    at, _, event_id = text.partition(",")
    try:
        return float(at), event_id
    except ValueError as error:
        raise ValueError("before must be the value of next of an earlier page") from error
