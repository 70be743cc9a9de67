"""Tests of long recordings, which several workers label in spans: the same tables, whatever happens in between."""

from __future__ import annotations

import os

import pytest

from edgecls.archive import labeller
from edgecls.archive.executor import Lost
from edgecls.archive.rules import plain_config
from edgecls.regions.motion import MotionSettings
from edgecls.source.spans import SpanError
from tests.archive.inline import Inline, archived, files, lamp, rows
from tests.drawn import write_video
from tests.run.drawn_road import FPS, road

SPLIT = {"split_s": 1.0}


@pytest.fixture
def day(tmp_path):
    """A recording of 5 s, in which a lamp goes on."""
    return lamp(tmp_path / "nas" / "yard" / "day.avi", 60, 65)


@pytest.fixture
def whole(light_model, day, tmp_path):
    """The tables if it is not split."""
    archived(light_model, day, out=tmp_path / "whole", split_s=0)
    return [rows(tmp_path / "whole", kind) for kind in ("labels", "events")]


def tables(out):
    return [rows(out, kind) for kind in ("labels", "events")]


def test_labels_and_events_are_those_of_the_whole(light_model, day, tmp_path, whole):
    """Each span has a file of labels; events, which go across them, are found from all labels in order."""
    out = tmp_path / "out"
    progress, read, _ = archived(light_model, day, out=out, **SPLIT)
    assert len(read) == 1 + 5 + 1  # it is looked at, labelled, and joined
    assert tables(out) == whole
    assert len(whole[1]) == 2
    names = [path.name.partition(".")[2] for path in sorted((out / "labels").rglob("*.parquet"))]
    assert names == [f"000{i}-of-0005.parquet" for i in range(5)]
    assert (progress.done, progress.frames, progress.events) == (1, 125, 2)
    assert progress.media_s == pytest.approx(124 / 25)
    assert archived(light_model, day, out=out, **SPLIT)[1] == []
    assert archived(light_model, day, out=out, split_s=0)[1] == []


def test_a_second_call_labels_the_missing_spans(light_model, day, tmp_path, whole):
    """As after a kill: what is there stays."""
    out = tmp_path / "out"
    archived(light_model, day, out=out, **SPLIT)
    before = files(out)
    for path in (*(out / "labels").rglob("*.0002-of-*"), *(out / "events").rglob("*.parquet")):
        path.unlink()
    assert len(archived(light_model, day, out=out, **SPLIT)[1]) == 3
    assert tables(out) == whole
    assert {name: data for name, data in files(out).items() if "labels" in name} == {
        n: d for n, d in before.items() if "labels" in n
    }
    next((out / "events").rglob("*.parquet")).unlink()
    assert len(archived(light_model, day, out=out, **SPLIT)[1]) == 2
    assert tables(out) == whole


def test_a_recording_that_has_changed_replaces_all_spans(light_model, day, tmp_path):
    """By others, by a whole one, or by none if only its time has changed."""
    out = tmp_path / "out"
    archived(light_model, day, out=out, **SPLIT)
    before = rows(out)
    os.utime(day, (1, 1))
    assert archived(light_model, day, out=out, **SPLIT)[0].frames == 0
    assert rows(out) == before
    assert archived(light_model, day, out=out, **SPLIT)[1] == []
    lamp(day, 50, 50)
    os.utime(day, (2, 2))
    archived(light_model, day, out=out, **SPLIT)
    assert [row["frame"] for row in rows(out)] == list(range(100))
    lamp(day, 30, 40)
    os.utime(day, (2, 2))
    archived(light_model, day, out=out, split_s=0)
    assert [row["frame"] for row in rows(out)] == list(range(70))
    assert [row["label"] for row in rows(out, "events")] == ["dark", "bright"]


def test_a_span_that_cannot_be_read_makes_it_whole(light_model, day, tmp_path, whole, monkeypatch):
    """Because pictures are missing, or because workers end at it."""
    open_span = labeller.SpanSource.open

    def refused(path, name, reading, span):
        if span.index == 3:
            raise SpanError("a span has 20 frames, not 25")
        return open_span(path, name, reading, span)

    monkeypatch.setattr(labeller.SpanSource, "open", refused)
    progress, _, _ = archived(light_model, day, out=tmp_path / "a", **SPLIT)
    assert (progress.done, progress.unreadable, tables(tmp_path / "a")) == (1, 0, whole)
    monkeypatch.undo()
    label = Inline.wait

    def lose(self, timeout_s):
        if self._tasks[0].span is not None and self._tasks[0].span.index == 1:
            return Lost(self._tasks.popleft(), "its worker was ended")
        return label(self, timeout_s)

    monkeypatch.setattr(Inline, "wait", lose)
    progress, _, _ = archived(light_model, day, out=tmp_path / "b", **SPLIT)
    assert (progress.done, progress.unreadable, tables(tmp_path / "b")) == (1, 0, whole)


def test_motion_is_split_only_with_a_warm_up(light_model, tmp_path):
    """Without one a recording is labelled as a whole. With one its frames are all there, once."""
    (tmp_path / "street").mkdir()
    video = write_video(tmp_path / "street" / "1.avi", [picture for _, picture in road(3, 8).pictures()], fps=FPS)
    config = plain_config(light_model, motion=MotionSettings())
    assert len(archived(light_model, video, out=tmp_path / "whole", config=config, split_s=3)[1]) == 1
    assert len(archived(light_model, video, out=tmp_path / "split", config=config, split_s=3, warm_up_s=4)[1]) > 2
    frames = [list(dict.fromkeys(row["frame"] for row in rows(tmp_path / out))) for out in ("whole", "split")]
    assert frames[0] == frames[1] == list(range(100))
    alike = [set(map(str, rows(tmp_path / out))) for out in ("whole", "split")]
    assert len(alike[0] & alike[1]) > 0.6 * len(alike[0])
