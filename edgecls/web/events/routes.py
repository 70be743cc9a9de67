"""The routes for events: pages of them, counts by hour, a CSV file, and of one event its clip, its snapshot and its correction.

Filters are the same everywhere: camera, kind, label, region, and since and until in seconds since 1970.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from starlette.responses import FileResponse, Response, StreamingResponse
from starlette.routing import Route

from edgecls.errors import DataError
from edgecls.labels.json_lines import event_record
from edgecls.sink.csv_file import COLUMNS, csv_row
from edgecls.sink.recordings.snapshot import ENDING
from edgecls.text.csv_cells import csv_line
from edgecls.web.answers import (
    NotPossibleError,
    NotThereError,
    answered,
    answering,
    author_of,
    content_of,
    json_answer,
    label_of,
)
from edgecls.web.events import wrong_label
from edgecls.web.events.query import FIELDS, MOST_AT_ONCE, EventFilter, hours_of, limit_of
from edgecls.web.events.recordings import CLIP_TYPES, PICTURE_TYPE, Recordings, recordings_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from starlette.requests import Request

    from edgecls.event import Event
    from edgecls.web.events.history import History
    from edgecls.web.events.query import EventArchive

UNKNOWN_EVENT = "there is no such event; it may have been deleted"


def event_routes(history: History) -> list[Route]:
    """Return the routes for events."""
    routes = _EventRoutes(history)
    event = "/api/events/{event:str}"
    return [
        Route("/api/events", answering(routes.page)),
        Route("/api/events.csv", answering(routes.table)),
        Route("/api/filters", answering(routes.filters)),
        Route("/api/hours", answering(routes.hours)),
        Route(event, answering(routes.event)),
        Route(f"{event}/clip", answering(routes.clip)),
        Route(f"{event}/snapshot", answering(routes.snapshot)),
        Route(f"{event}/wrong", routes.wrong, methods=["POST"]),
    ]


class _EventRoutes:
    def __init__(self, history: History) -> None:
        self._history = history

    def page(self, request: Request) -> Response:
        query = request.query_params
        archive = self._history.archive()
        found = archive.page(EventFilter.of(query), before=query.get("before", ""), limit=limit_of(query))
        events = [_record(event, event_id) for event, event_id in zip(found.events, found.ids, strict=True)]
        return json_answer({"events": events, "next": found.next, "source": archive.source})

    def filters(self, _request: Request) -> Response:
        groups = self._history.archive().groups()
        return json_answer({name: sorted({getattr(group, name) for group in groups}) for name in FIELDS})

    def hours(self, request: Request) -> Response:
        since_s, count = hours_of(request.query_params)
        cameras = self._history.archive().hours(EventFilter.of(request.query_params), since_s, count)
        return json_answer({"since": since_s, "cameras": dict(sorted(cameras.items()))})

    def table(self, request: Request) -> Response:
        wanted = EventFilter.of(request.query_params)
        archive = self._history.archive()
        first = archive.page(wanted, limit=MOST_AT_ONCE)
        headers = {"Content-Disposition": 'attachment; filename="events.csv"'}
        return StreamingResponse(_lines(archive, wanted, first), media_type="text/csv; charset=utf-8", headers=headers)

    def event(self, request: Request) -> Response:
        event, event_id = self._found(request)
        outs = self._history.outs()
        recordings = recordings_of(event, event_id, outs)
        has_snapshots = any(out.kind == "snapshot" for out in outs)
        return json_answer({
            **_record(event, event_id),
            "clip": recordings.clip is not None,
            "clips": any(out.kind == "clip" for out in outs),
            "snapshots": sorted(recordings.pictures, key=list(ENDING).index),
            "uncorrectable": wrong_label.why_not(recordings, outs, has_snapshots=has_snapshots),
        })  # fmt: skip

    def clip(self, request: Request) -> Response:
        clip = self._recordings(request).clip
        if clip is None:
            raise NotThereError("there is no clip of this event")
        return _file(clip, CLIP_TYPES[clip.suffix])

    def snapshot(self, request: Request) -> Response:
        pictures = self._recordings(request).pictures
        show = request.query_params.get("show") or next(iter(pictures), "")
        path = next((path for name, path in pictures.items() if name == show), None)
        if path is None:
            raise NotThereError("there is no such picture of this event")
        return _file(path, PICTURE_TYPE)

    async def wrong(self, request: Request) -> Response:
        body = await request.body()
        return await asyncio.to_thread(answered, self._wrong, request, body)

    def _wrong(self, request: Request, body: bytes) -> Response:
        label = label_of(content_of(body, '{"label": "the right label"}, or nothing'))
        event, event_id = self._found(request)
        outs = self._history.outs()
        recordings = recordings_of(event, event_id, outs)
        store = wrong_label.store_of(outs)
        if why := wrong_label.why_not(recordings, outs, has_snapshots=any(out.kind == "snapshot" for out in outs)):
            raise NotPossibleError(why)
        if store is None:
            raise DataError(wrong_label.NO_STORE)
        sent = wrong_label.send(event, event_id, recordings, store, label=label, author=author_of(request))
        return json_answer({"picture": sent.number, "was_there": sent.was_there, "label": label})

    def _found(self, request: Request) -> tuple[Event, str]:
        event_id = request.path_params["event"]
        event = self._history.archive().find(event_id)
        if event is None:
            raise NotThereError(UNKNOWN_EVENT)
        return event, event_id

    def _recordings(self, request: Request) -> Recordings:
        return recordings_of(*self._found(request), self._history.outs())


def _lines(archive: EventArchive, wanted: EventFilter, page: Any) -> Iterator[bytes]:
    """Yield a table in pieces. Between them nothing of the database is held, so a slow reader keeps nobody waiting."""
    yield csv_line(COLUMNS)
    while True:
        yield b"".join(
            csv_line((event_id, *csv_row(event)[1:])) for event, event_id in zip(page.events, page.ids, strict=True)
        )  # fmt: skip
        if page.next is None:
            return
        page = archive.page(wanted, before=page.next, limit=MOST_AT_ONCE)


def _file(path: Path, kind: str) -> Response:
    """Return a file, or the part of it that is asked for."""
    return FileResponse(
        path, media_type=kind, filename=path.name, content_disposition_type="inline", stat_result=path.stat()
    )  # fmt: skip


def _record(event: Event, event_id: str) -> dict[str, Any]:
    return {**event_record(event), "event": event_id}
