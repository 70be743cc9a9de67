"""Tests of archives: the same labels and events as a run, once, whatever happens in between."""

from __future__ import annotations

import json
import os
import re
from contextlib import ExitStack
from datetime import UTC, datetime

import duckdb
import fsspec
import pyarrow.parquet as pq
import pytest

from edgecls.archive import parts
from edgecls.archive.archive import Archive
from edgecls.archive.naming import Naming
from edgecls.archive.parts import parts_by_recording, read_stamp
from edgecls.archive.rules import plain_config
from edgecls.archive.schema import event_row, observations
from edgecls.errors import ConfigError, DataError, EdgeclsError, SinkError
from edgecls.events.observation import observe
from edgecls.regions.motion import MotionSettings
from edgecls.run.run import Run
from tests import tiny
from tests.archive.inline import Inline, archived, files, lamp, rows
from tests.conftest import ROOT
from tests.drawn import write_video
from tests.run.drawn_road import FPS, LINE, road

NAMING = Naming("{camera}/%Y%m%d-%H%M%S")


@pytest.fixture
def nas(tmp_path):
    """Recordings of two cameras on two days."""
    for name in ("door/20261128-074501", "door/20261129-235959", "yard/20261128-120000"):
        lamp(tmp_path / "nas" / f"{name}.avi", dark=int(name[-1]) + 35)
    return tmp_path / "nas"


@pytest.fixture
def out(tmp_path):
    """The folder of the archive."""
    return tmp_path / "out"


def test_labels_and_events_are_those_of_a_run(light_model, tmp_path, out):
    """Frame for frame, with boxes, scores and ranks; an event is one row, when it has ended."""
    (tmp_path / "street").mkdir()
    video = write_video(tmp_path / "street" / "1.avi", [picture for _, picture in road(3, 14).pictures()], fps=FPS)
    lines = {"gate": (LINE, 0.0, LINE, 1.0)}
    archived(light_model, video, out=out, config=plain_config(light_model, motion=MotionSettings(), lines=lines))
    with Run(model=light_model, sources=[f"street={video}"], motion=True, lines=lines) as run:
        pairs = list(run)
    events = [event for _, found in pairs for event in found] + run.last_events
    (part,) = (out / "labels").rglob("*.parquet")
    seen = list(observations("street", str(video), pq.ParquetFile(part).read().to_pylist()))
    assert seen == [observe(result) for result, _ in pairs]
    assert any(len(one.detections) for one in seen)
    assert not all(len(one.detections) for one in seen)
    began_us = read_stamp(part).began_us
    expected = [event_row(event, began_us) for event in events if event.end is not None]
    found = rows(out, "events")
    assert [row["event"] for row in found] == [row[1] for row in expected]
    assert [row["start_s"] for row in found] == [row[7] for row in expected]


def test_tables_are_partitioned_by_camera_and_day(light_model, nas, out):
    """The day is that of the begin of the recording in UTC; each frame has its own time."""
    progress, _, _ = archived(light_model, nas, out=out, naming=NAMING)
    assert (progress.recordings, progress.done, progress.unreadable) == (3, 3, 0)
    found = rows(out)
    assert {(row["camera"], row["day"]) for row in found} == {
        ("door", "2026-11-28"), ("door", "2026-11-29"), ("yard", "2026-11-28"),
    }  # fmt: skip
    second = [row for row in found if row["day"] == "2026-11-29"][1]
    assert second["taken_at"] == datetime(2026, 11, 29, 23, 59, 59, 40_000, UTC)
    assert {row["label"] for row in found} == {"dark", "bright"}
    events = rows(out, "events")
    assert [(row["kind"], row["label"]) for row in events if row["camera"] == "yard"] == [
        ("state", "dark"),
        ("state", "bright"),
    ]
    assert progress.frames == len(found)
    assert progress.events == len(events)


def test_without_names_the_file_says_when_it_was_recorded(light_model, tmp_path, out):
    """A file without a time of creation began its length before it was written."""
    video = lamp(tmp_path / "nas" / "yard" / "a.avi", 35, 40)
    os.utime(video, (1_795_851_901, 1_795_851_901))
    archived(light_model, tmp_path / "nas", out=out)
    assert rows(out)[0]["taken_at"] == datetime.fromtimestamp(1_795_851_898, UTC)


def test_a_second_call_does_only_what_is_missing(light_model, nas, out):
    """Nothing is read or written again; a new recording is added, and a part that is gone is made again."""
    archived(light_model, nas, out=out, naming=NAMING)
    before = files(out)
    progress, read, _ = archived(light_model, nas, out=out, naming=NAMING)
    assert (read, progress.before, progress.done) == ([], 3, 3)
    assert files(out) == before
    lamp(nas / "yard" / "20261128-130000.avi")
    next((out / "labels").rglob("20261129*.parquet")).unlink()
    _, read, _ = archived(light_model, nas, out=out, naming=NAMING)
    assert read == ["20261129-235959.avi", "20261128-130000.avi"]
    assert before.items() <= files(out).items()


def test_a_recording_that_has_changed_is_done_again(light_model, nas, out):
    """Its old part is replaced. If only its time has changed, the part stays, and it is not looked at any more."""
    archived(light_model, nas, out=out, naming=NAMING)
    video = nas / "yard" / "20261128-120000.avi"
    before = rows(out)
    os.utime(video, (1, 1))
    progress, read, _ = archived(light_model, nas, out=out, naming=NAMING)
    assert (read, progress.frames, rows(out)) == ([video.name], 0, before)
    assert archived(light_model, nas, out=out, naming=NAMING)[1] == []
    lamp(video, 3, 4)
    assert archived(light_model, nas, out=out, naming=NAMING)[1] == [video.name]
    assert len([row for row in rows(out) if row["camera"] == "yard"]) == 7


def test_other_names_move_a_recording(light_model, nas, out):
    """A recording that is of another camera or time now is done again, and is in the table once."""
    archived(light_model, nas / "yard", out=out)
    archived(light_model, nas / "yard", out=out, naming=NAMING)
    assert {(row["camera"], row["day"]) for row in rows(out)} == {("yard", "2026-11-28")}
    archived(light_model, nas / "yard", out=out, naming=Naming("%Y%m%d-%H%M%S", camera="roof"))
    assert {row["camera"] for row in rows(out)} == {"roof"}
    assert [path.name for path in (out / "labels").iterdir()] == ["camera=roof"]


def test_unreadable_recordings_are_listed_and_stop_nothing(light_model, nas, out):
    """With the reason; they are not tried again until they change, or are to be."""
    (nas / "door" / "20261128-080000.mp4").write_bytes(b"")
    whole = (nas / "yard" / "20261128-120000.avi").read_bytes()
    (nas / "yard" / "20261128-130000.avi").write_bytes(whole[: len(whole) * 2 // 3])
    progress, _, said = archived(light_model, nas, out=out, naming=NAMING)
    assert (progress.done, progress.unreadable) == (5, 2)
    empty, cut = map(json.loads, (out / "unreadable.jsonl").read_text().splitlines())
    assert (empty["camera"], empty["frames"]) == ("door", 0)
    assert empty["why"].startswith("is empty (0 bytes)")
    assert 0 < cut["frames"] < 60
    assert "cut off" in cut["why"] or "damaged" in cut["why"]
    assert any("20261128-080000.mp4: is empty" in line for line in said)
    assert len([row for row in rows(out) if row["recording"].endswith("130000.avi")]) == cut["frames"]
    progress, read, _ = archived(light_model, nas, out=out, naming=NAMING)
    assert (read, progress.unreadable, progress.before) == ([], 0, 5)
    assert len(archived(light_model, nas, out=out, naming=NAMING, retry=True)[1]) == 2
    lamp(nas / "yard" / "20261128-130000.avi")
    assert archived(light_model, nas, out=out, naming=NAMING)[1] == ["20261128-130000.avi"]
    assert len((out / "unreadable.jsonl").read_text().splitlines()) == 1


def test_a_recording_that_grows_meanwhile_waits(light_model, nas, out, monkeypatch):
    """What is still being recorded gets no part; the next call does it."""
    video = nas / "yard" / "20261128-120000.avi"
    label = Inline.wait

    def grow(self, timeout_s):
        os.utime(video, (5, 5))
        return label(self, timeout_s)

    monkeypatch.setattr(Inline, "wait", grow)
    assert archived(light_model, nas / "yard", out=out, naming=NAMING)[0].unreadable == 1
    assert "it changed while it was read" in (out / "unreadable.jsonl").read_text()
    assert rows(out) == []
    monkeypatch.undo()
    assert archived(light_model, nas / "yard", out=out, naming=NAMING)[0].unreadable == 0
    assert not (out / "unreadable.jsonl").exists()


def test_another_model_or_other_rules_are_refused(light_model, nas, out, tmp_path):
    """In one line, and nothing changes. Other cameras may be added."""
    archived(light_model, nas / "yard", out=out)
    before = files(out)
    other = tmp_path / "other.onnx"
    other.write_bytes(tiny.light_model(about="another"))
    with pytest.raises(ConfigError, match=r"are by the model light \(.{12}\), not by other \(.{12}\); choose another"):
        archived(other, nas / "yard", out=out)
    with pytest.raises(ConfigError, match="its labels of the camera 'yard' are by other rules"):
        archived(light_model, nas / "yard", out=out, config=plain_config(light_model, zones={"gate": (0, 0, 1, 1)}))
    assert files(out) == before
    renamed = tmp_path / "renamed.onnx"
    renamed.write_bytes(light_model.read_bytes())
    assert archived(renamed, nas, out=out)[0].before == 1


def test_parts_of_another_version_are_refused(light_model, nas, out, monkeypatch):
    """Both by the description of the archive, and by a part that came into the folder."""
    monkeypatch.setattr(parts, "VERSION", 7)
    monkeypatch.setattr(parts.Stamp.__init__, "__defaults__", (*parts.Stamp.__init__.__defaults__[:-1], 7))
    archived(light_model, nas / "yard", out=out)
    monkeypatch.undo()
    with pytest.raises(DataError, match="is of version 7 of the tables, this edgecls writes version 1; choose another"):
        archived(light_model, nas / "yard", out=out)
    about = json.loads((out / "archive.json").read_text())
    (out / "archive.json").write_text(json.dumps({"schema": 7, "edgecls": "9.0"}))
    with pytest.raises(ConfigError, match=r"its tables are of version 7, .* or go on with edgecls 9\.0"):
        archived(light_model, nas / "yard", out=out)
    (out / "archive.json").write_text("{}" + json.dumps(about))
    with pytest.raises(DataError, match="does not describe an archive"):
        archived(light_model, nas / "yard", out=out)


def test_rules_are_those_of_the_camera(light_model, nas, out, tmp_path):
    """By its name; without rules nothing is begun."""
    config = tmp_path / "cameras.toml"
    text = 'model = "x.onnx"\nsinks = ["jsonl:not-written.jsonl"]\n[[camera]]\nname = "yard"\nsource = "rtsp://10.0.0.1/1"\n'
    config.write_text(text + '[[camera.zone]]\nname = "left half"\narea = [[0, 0], [0.5, 0], [0.5, 1], [0, 1]]\n')
    with pytest.raises(ConfigError, match=r"has no camera 'door'; it has yard; set .*door/20261128-074501\.avi"):
        archived(light_model, nas, out=out, config=config)
    assert not out.exists()
    archived(light_model, nas / "yard", out=out, config=config)
    assert {row["region"] for row in rows(out)} == {"left half"}
    assert rows(out)[0]["box"] == {"left": 0, "top": 0, "right": 32, "bottom": 48}
    assert not (tmp_path / "not-written.jsonl").exists()


def test_two_at_a_time_are_refused(light_model, nas, out):
    """The second one says so; the first one goes on."""
    with Archive(light_model, [nas], out=out, executor=Inline, workers=1) as first:
        with pytest.raises(SinkError, match="another edgecls archive is working on it"):
            Archive(light_model, [nas], out=out, executor=Inline, workers=1)
        while first.step() is not None:
            pass
    assert archived(light_model, nas, out=out)[0].before == 3


@pytest.mark.parametrize("stop_at", ["labels", "events"])
def test_a_full_disk_is_one_line_and_the_next_call_goes_on(light_model, nas, out, monkeypatch, stop_at):
    """What is done stays; nothing half written stays."""
    finish, count = parts.PartWriter.finish, []

    def full(self, stamp):
        count.append(self._path)
        if stop_at in str(self._path) and len(count) > 2:
            raise SinkError(f"{self._path}: cannot be written (No space left on device)")
        finish(self, stamp)

    monkeypatch.setattr(parts.PartWriter, "finish", full)
    with pytest.raises(SinkError, match="No space left"):
        archived(light_model, nas, out=out, naming=NAMING)
    monkeypatch.undo()
    assert [path for path in out.rglob(".*") if path.suffix == ".tmp"] == []
    progress, _, _ = archived(light_model, nas, out=out, naming=NAMING)
    assert progress.before == 1
    undisturbed = out.with_name("undisturbed")
    archived(light_model, nas, out=undisturbed, naming=NAMING)
    assert rows(out) == rows(undisturbed)
    assert rows(out, "events") == rows(undisturbed, "events")


def test_a_write_error_names_what_to_do(out, monkeypatch):
    """A full disk asks for room."""
    with ExitStack() as stack:
        writer = stack.enter_context(parts.PartWriter(out / "labels" / "a" / "b" / "x.parquet", "labels"))
        monkeypatch.setattr(parts.os, "fsync", lambda _: (_ for _ in ()).throw(OSError(28, "No space left on device")))
        stamp = parts.Stamp("x", 1, 1, "", "door", 0, is_named=False, model="", rules="")
        with pytest.raises(SinkError, match="nothing that is done is lost: make room, and run the same command again"):
            writer.finish(stamp)
    assert list(out.rglob("*.*")) == []


def test_leftovers_are_removed(light_model, nas, out):
    """What a killed process has half written is hidden, and gone after the next call."""
    archived(light_model, nas, out=out)
    part = next((out / "labels").rglob("*.parquet"))
    leftover = part.with_name(f".{part.name}.123-abcd.tmp")
    leftover.write_bytes(b"half")
    archived(light_model, nas, out=out)
    assert not leftover.exists()
    assert set(parts_by_recording(out)) == {path.stem.rpartition("-")[2] for path in (out / "labels").rglob("*.parquet")}


def test_recordings_at_addresses(light_model, nas, out):
    """They are copied for as long as they are read, and are known by their address."""
    memory = fsspec.filesystem("memory")
    memory.pipe("/bucket/yard/20261128-120000.avi", (nas / "yard" / "20261128-120000.avi").read_bytes())
    try:
        archived(light_model, "memory://bucket", out=out, naming=NAMING)
        assert archived(light_model, "memory://bucket", out=out, naming=NAMING)[0].before == 1
    finally:
        memory.rm("/bucket", recursive=True)
    local = out.with_name("local")
    archived(light_model, nas / "yard", out=local, naming=NAMING)
    there, here = rows(out), rows(local)
    assert {row.pop("recording") for row in there} == {"memory:///bucket/yard/20261128-120000.avi"}
    assert {row.pop("recording") for row in here} == {str(nas / "yard" / "20261128-120000.avi")}
    assert there == here


def test_rows_are_written_while_a_recording_is_read(light_model, tmp_path, out, monkeypatch):
    """So memory does not grow with its length: a part has several groups of rows."""
    monkeypatch.setattr(parts, "ROWS", 8)
    archived(light_model, lamp(tmp_path / "yard" / "a.avi"), out=out)
    (path,) = (out / "labels").rglob("*.parquet")
    assert pq.ParquetFile(path).num_row_groups >= 3
    assert [row["frame"] for row in rows(out)] == list(range(80))


def test_an_archive_without_recordings_is_one_line(light_model, tmp_path, out):
    """And no folder is made."""
    (tmp_path / "empty").mkdir()
    with pytest.raises(EdgeclsError, match="empty: no recordings found; expected files such as"):
        archived(light_model, tmp_path / "empty", out=out)
    assert not out.exists()


def test_the_queries_of_the_page_work(light_model, nas, tmp_path, monkeypatch):
    """Those in docs/archive.md, by DuckDB: tables as they are read from outside."""
    monkeypatch.chdir(tmp_path)
    archived(light_model, nas, out=tmp_path / "labels", naming=NAMING)
    (block,) = re.findall(r"^```sql\n(.*?)^```$", (ROOT / "docs" / "archive.md").read_text(), re.DOTALL | re.MULTILINE)
    labels, crossings = (duckdb.sql(query).fetchall() for query in block.split(";") if query.strip())
    assert {(camera, label) for camera, label, *_ in labels} == {
        (c, one) for c in ("door", "yard") for one in ("dark", "bright")
    }
    assert crossings == []
    (row,) = duckdb.sql("select min(taken_at), count(distinct recording) from 'labels/labels/**/*.parquet'").fetchall()
    assert row == (datetime(2026, 11, 28, 7, 45, 1, tzinfo=UTC), 3)
