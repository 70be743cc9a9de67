"""Past events: pages of a database that is read while it is written, counts, clips, pictures, tables and corrections."""

from __future__ import annotations

import csv
import io
import itertools
import sqlite3
from contextlib import closing
from dataclasses import replace

import cv2
import numpy as np
import pytest

from edgecls import read_cell
from edgecls.event import Moment, View
from edgecls.sink import open_sink, parse_sink
from edgecls.sink.recordings.folder import RecordingFolder
from edgecls.sink.recordings.snapshot import ShotSettings, SnapshotSink
from edgecls.sink.sqlite import SqliteSink
from edgecls.store import Store
from edgecls.web.events import database as event_database
from edgecls.web.events.database import EventDatabase
from edgecls.web.events.query import FIELDS, EventFilter
from edgecls.web.events.recordings import recordings_of
from tests.run.world import event, frame, result
from tests.web.served import served

MIDNIGHT = 1_763_769_600.0
"""2025-11-22T00:00:00Z."""


def _one_of(rng: np.random.Generator, values: list[str]) -> str:
    return values[int(rng.integers(len(values)))]


def some_events(count: int = 300) -> list:
    """Return events of three cameras, many of which began at the same moment."""
    rng = np.random.default_rng(1)
    found = []
    for i in range(count):
        at = MIDNIGHT + 600.0 * (i // 3)
        fields = {"label": _one_of(rng, ["car", "bus", "van"]), "kind": _one_of(rng, ["object", "crossing"])}
        region = _one_of(rng, ["entry", "exit"])
        made = event(i, camera=_one_of(rng, ["gate", "yard", "Größe"]), region=region, **fields)
        found.append(replace(made, start=Moment(i, float(i), at), end=Moment(i + 5, i + 0.2, at + 0.2)))
    return found


@pytest.fixture(scope="module")
def database(tmp_path_factory):
    """A database with these events, and the events."""
    path = tmp_path_factory.mktemp("events") / "events.db"
    events = some_events()
    with SqliteSink(path) as sink:
        for one in events:
            sink.write_event(one)
    return path, events


@pytest.mark.parametrize("walk", [4000, 7])
@pytest.mark.parametrize("fields", [(), ("camera",), ("kind", "label"), FIELDS])
def test_pages_of_any_filter_have_every_event_once_in_order(database, monkeypatch, fields, walk):
    """Whether few or many fit, and although many began at the same moment: as the whole list, filtered and sorted."""
    monkeypatch.setattr(event_database, "WALK", walk)
    path, events = database
    archive = EventDatabase(path)
    for chosen in itertools.islice({tuple(getattr(one, name) for name in fields) for one in events}, 4):
        wanted = EventFilter(**dict(zip(fields, chosen, strict=True)), since_s=MIDNIGHT + 6000, until_s=MIDNIGHT + 40_200)
        fitting = [one for one in events if all(getattr(one, name) == value for name, value in wanted.fields.items())]
        fitting = [one for one in fitting if wanted.since_s <= one.start.at_s < wanted.until_s]
        fitting.sort(key=lambda one: (one.start.at_s, one.id), reverse=True)
        found, before = [], ""
        while before is not None:
            page = archive.page(wanted, before=before, limit=10)
            assert len(page.events) <= 10
            found += page.ids
            before = page.next
        assert found == [one.id for one in fitting]
        assert fitting


def test_an_event_from_the_database_is_that_of_the_run(database):
    """With all that the page shows; `view` alone is not stored."""
    path, events = database
    page = EventDatabase(path).page(EventFilter(), limit=1000)
    by_id = {one.id: one for one in events}
    assert len(page.ids) == len(events)
    assert page.next is None
    assert all(found == replace(by_id[number], view=None) for number, found in zip(page.ids, page.events, strict=True))


@pytest.mark.parametrize(
    ("statement", "count", "index"),
    [
        (event_database.NEWEST, 4, "events_by_start"),
        (event_database.OF_ONE_GROUP, 7, "events_by_group"),
        (event_database.LATEST_GROUPS.format(fits="g.label = ?"), 5, "events_by_group"),
        (event_database.HOURS.format(fits="g.camera = ?"), 4, "events_by_group"),
    ],
)
def test_every_statement_uses_an_index(database, statement, count, index):
    """None reads the table of events from its beginning, or sorts it."""
    with closing(sqlite3.connect(database[0])) as db:
        plan = [row[3] for row in db.execute(f"EXPLAIN QUERY PLAN {statement}", ["1"] * count)]
    assert any(index in step for step in plan), plan
    assert not [step for step in plan if step.startswith("SCAN") and "event_groups" not in step and " g" not in step], plan
    if statement in (event_database.NEWEST, event_database.OF_ONE_GROUP):
        assert not [step for step in plan if "TEMP B-TREE" in step], plan


def test_groups_follow_the_events(tmp_path):
    """Also when the label of an event changes at its end; those without events are gone with them."""
    path = tmp_path / "events.db"
    begun = event(1, ended=False, label="car")
    with SqliteSink(path) as sink:
        sink.write_event(begun)
        sink.write_event(replace(event(1), label="bus"))
    assert {group.label for group in EventDatabase(path).groups()} == {"car", "bus"}
    assert EventDatabase(path).page(EventFilter(label="bus"), limit=5).ids == [begun.id]
    with SqliteSink(path, keep_days=1e-9):
        assert EventDatabase(path).groups() == []


def test_the_page_reads_the_database_of_the_run(database):
    """With filters, counts by hour, and a place at which the next page begins."""
    path, events = database
    with served("gate", sinks=[f"sqlite:{path}"]) as page:
        first = page.ask("/api/events?limit=7&camera=Gr%C3%B6%C3%9Fe").json()
        second = page.ask(f"/api/events?limit=7&camera=Gr%C3%B6%C3%9Fe&before={first['next']}").json()
        assert (len(first["events"]), first["source"]) == (7, "database")
        assert {one["camera"] for one in first["events"]} == {"Größe"}
        assert first["events"][-1]["start"]["at_s"] >= second["events"][0]["start"]["at_s"]
        assert page.ask("/api/filters").json()["label"] == ["bus", "car", "van"]
        hours = page.ask(f"/api/hours?since={MIDNIGHT}&until={MIDNIGHT + 86400}&kind=object").json()["cameras"]
        assert sum(map(sum, hours.values())) == sum(one.kind == "object" for one in events if one.start.at_s < MIDNIGHT + 86400)
        assert sum(count[3] for count in hours.values()) == sum(one.kind == "object" for one in events[54:72])
        one = page.ask(f"/api/events/{events[5].id}").json()
        assert (one["event"], one["label"], one["clip"], one["snapshots"]) == (events[5].id, events[5].label, False, [])


@pytest.mark.parametrize(
    "query",
    ["limit=0", "limit=1001", "limit=x", "limit=²", "since=x", "until=nan", "since=inf", "before=x", "before=1e999x,a"],
)
def test_a_query_that_means_nothing_is_refused(database, query):
    """In one line."""
    with served("gate", sinks=[f"sqlite:{database[0]}"]) as page:
        answer = page.ask(f"/api/events?{query.replace('²', '%C2%B2')}")
        assert (answer.status, answer.body.count(b"\n")) == (400, 1)
        assert page.ask("/api/hours?since=0&until=1e12").status == 400


def test_the_latest_events_are_counted_without_a_database():
    """And come in pages too."""
    with served("gate") as page:
        for i in range(5):
            page.view.write_event(event(i))
        first = page.ask("/api/events?limit=3").json()
        second = page.ask(f"/api/events?limit=3&before={first['next']}").json()
        assert [one["track_id"] for one in first["events"] + second["events"]] == [4, 3, 2, 1, 0]
        assert (first["source"], second["next"]) == ("memory", None)
        at = event(0).start.at_s
        hours = page.ask(f"/api/hours?since={at - 7200}&until={at + 7200}").json()["cameras"]
        assert hours == {"gate": [0, 0, 5, 0]}
        assert page.ask("/api/filters").json()["camera"] == ["gate"]


@pytest.mark.parametrize("content", [None, b"", b"no database at all, but long enough to be one" * 90])
def test_a_database_that_cannot_be_read_is_said(tmp_path, content):
    """The rest of the page goes on."""
    path = tmp_path / "events.db"
    if content is not None:
        path.write_bytes(content)
    with served("gate", sinks=[f"sqlite:{path}"]) as page:
        answer = page.ask("/api/events")
        assert (answer.status, answer.body.startswith(str(path).encode()), answer.body.count(b"\n")) == (503, True, 1)
        assert page.ask("/api/cameras").status == 200


def test_a_table_has_every_event_and_no_formula(tmp_path):
    """Labels and names that a spreadsheet would compute are texts; it comes in pieces."""
    path = tmp_path / "events.db"
    with SqliteSink(path) as sink:
        for i in range(3):
            sink.write_event(event(i, label="=HYPERLINK(1)", region="@zone" if i else "+1"))
    with served("gate", sinks=[f"sqlite:{path}"]) as page:
        answer = page.ask("/api/events.csv?region=%40zone")
        rows = list(csv.DictReader(io.StringIO(answer.body.decode())))
        assert answer.headers["content-disposition"] == 'attachment; filename="events.csv"'
        assert [(row["label"], row["region"]) for row in rows] == [("'=HYPERLINK(1)", "'@zone")] * 2
        assert [read_cell(row["label"]) for row in rows] == ["=HYPERLINK(1)"] * 2
        assert rows[0]["start"] == "2025-11-22T15:03:09.000Z"
        assert page.ask("/api/events.csv").body.count(b"\n") == 4


@pytest.fixture
def recorded(tmp_path):
    """A database, snapshots, clips and a store, with one event that has all of them."""
    for name in ("clips", "shots", "other"):
        (tmp_path / name).mkdir()
    seen = replace(event(0), view=View(3, 0.12, (20, 10, 40, 30), (48, 64)))
    with SnapshotSink(tmp_path / "shots", ShotSettings(shows=("frame", "annotated"))) as shots:
        for i in range(4):
            shots.write(result(frame(i)))
        shots.write_event(seen)
    folder = RecordingFolder(tmp_path / "clips", "clips", quota=None, say=print)
    name = folder.name(seen)
    clip = folder.write(f"{name}.mp4", bytes(range(256)) * 4)
    folder.put(name, [clip], seen, {"clip": {}})
    with SqliteSink(tmp_path / "events.db") as sink:
        sink.write_event(seen)
        sink.write_event(event(1))
    sinks = ["sqlite:{}/events.db", "clip:{}/clips", "snapshot:{}/shots?shows=frame,annotated", "collect:{}/store?margin=0.1"]
    return tmp_path, seen, [sink.format(tmp_path) for sink in sinks]


def test_the_clip_and_the_pictures_of_an_event_are_served(recorded):
    """The clip in parts, as players ask for it."""
    _, seen, sinks = recorded
    with served("gate", sinks=sinks) as page:
        about = page.ask(f"/api/events/{seen.id}").json()
        assert (about["clip"], about["snapshots"], about["uncorrectable"]) == (True, ["frame", "annotated"], "")
        clip = page.ask(f"/api/events/{seen.id}/clip")
        assert (clip.status, clip.headers["content-type"], len(clip.body)) == (200, "video/mp4", 1024)
        part = page.ask(f"/api/events/{seen.id}/clip", Range="bytes=250-259")
        assert (part.status, part.body) == (206, bytes([250, 251, 252, 253, 254, 255, 0, 1, 2, 3]))
        assert part.headers["content-range"] == "bytes 250-259/1024"
        assert page.ask(f"/api/events/{seen.id}/clip", Range="bytes=2000-").status == 416
        shown = page.ask(f"/api/events/{seen.id}/snapshot?show=annotated")
        assert (shown.headers["content-type"], cv2.imdecode(np.frombuffer(shown.body, np.uint8), 1).shape) == (
            "image/jpeg",
            (48, 64, 3),
        )
        assert page.ask(f"/api/events/{seen.id}/snapshot?show=crop").status == 404
        assert page.ask(f"/api/events/{event(1).id}/clip").status == 404


def test_nothing_but_recordings_of_events_is_served(recorded):
    """No address names a file, no link is followed, and a sidecar is not believed when it names other files."""
    folder, seen, sinks = recorded
    secret = folder / "other" / "secret.mp4"
    secret.write_bytes(b"secret")
    with served("gate", sinks=sinks) as page:
        for name in ("../events.db", "..%2fevents.db", "%2e%2e/%2e%2e/etc/passwd", f"{seen.id}%2f..", "%00", "secret.mp4"):
            for what in ("clip", "snapshot"):
                answer = page.ask(f"/api/events/{name}/{what}")
                assert (answer.status, b"secret" in answer.body) == (404, False)
        for show in ("../../other/secret", "..", "%00", "frame/../frame"):
            assert page.ask(f"/api/events/{seen.id}/snapshot?show={show}").status == 404
        clip = next((folder / "clips").glob("*.mp4"))
        sidecar = clip.with_suffix(".json")
        sidecar.write_text(sidecar.read_text().replace(clip.name, "../other/secret.mp4"))
        clip.unlink()
        assert page.ask(f"/api/events/{seen.id}/clip").status == 404
        clip.symlink_to(secret)
        assert page.ask(f"/api/events/{seen.id}/clip").status == 404


def test_a_wrong_label_puts_the_picture_into_the_store(recorded):
    """With a margin, what the model said, and the right label if somebody knows it; a second time it is not doubled."""
    folder, seen, sinks = recorded
    with served("gate", sinks=sinks) as page:
        first = page.ask(f"/api/events/{seen.id}/wrong", "POST")
        assert (first.status, first.json()["was_there"]) == (200, False)
        second = page.ask(f"/api/events/{seen.id}/wrong", "POST", body='{"label": "Bus"}')
        assert (second.json()["picture"], second.json()["was_there"]) == (first.json()["picture"], True)
    with Store(folder / "store", create=False) as store:
        (entry,) = store.entries()
    origin = entry.origin
    assert (entry.label, entry.size_hw, origin.box) == ("Bus", (24, 24), (2, 2, 22, 22))
    assert (origin.event, origin.prediction, origin.reason, origin.camera) == (seen.id, "car", "wrong", "gate")


@pytest.mark.parametrize(
    ("kept", "why"),
    [
        (slice(0, 3), "Add a sink for one"),
        (slice(0, 4), "There is no picture of this event."),
        (slice(3, 4), "snapshot:snapshots"),
    ],
)
def test_what_is_missing_for_a_correction_is_said(recorded, kept, why):
    """A store, a snapshot of this event, or snapshots at all."""
    _, _, sinks = recorded
    with served("gate", sinks=sinks[kept]) as page:
        page.view.write_event(event(1))
        assert why in page.ask(f"/api/events/{event(1).id}").json()["uncorrectable"]
        answer = page.ask(f"/api/events/{event(1).id}/wrong", "POST")
        assert (answer.status, why in answer.body.decode()) == (409, True)


@pytest.mark.parametrize("body", ["{", "[]", '{"label": "two\\nlines"}', '{"label": "' + "x" * 256 + '"}'])
def test_a_label_that_is_none_is_refused(recorded, body):
    """And nothing is stored."""
    folder, seen, sinks = recorded
    with served("gate", sinks=sinks) as page:
        assert page.ask(f"/api/events/{seen.id}/wrong", "POST", body=body).status == 400
        assert page.ask("/api/events/0000000000000000/wrong", "POST").status == 404
    assert not (folder / "store").exists()


def test_a_real_clip_is_found_by_its_event(tmp_path):
    """Under the name that the sink gives it, also if the label changed while the event went on."""
    folder = RecordingFolder(tmp_path, "clips", quota=None, say=print)
    begun, ended = event(0, ended=False, label="ca r"), event(0, label="bus")
    name = folder.name(begun)
    folder.put(name, [folder.write(f"{name}.mkv", b"x")], ended, {})
    other = replace(begun, track_id=7)
    name = folder.name(other)
    folder.put(name, [folder.write(f"{name}.mp4", b"y")], other, {})
    with open_sink(f"clip:{tmp_path}"):
        pass
    found = recordings_of(ended, ended.id, [parse_sink(f"clip:{tmp_path}")])
    assert found.clip is not None
    assert (found.clip.suffix, found.clip.read_bytes()) == (".mkv", b"x")
    assert recordings_of(event(3), event(3).id, [parse_sink(f"clip:{tmp_path}")]).clip is None
