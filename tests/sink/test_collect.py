"""The sink that keeps pictures worth a label."""

from __future__ import annotations

import time

import numpy as np
import pytest

import edgecls
from edgecls import image
from edgecls.collect import SelectionSettings
from edgecls.event import Event, Moment
from edgecls.frame import MOTION, Box, Detection, Result, Timing, Unfit
from edgecls.overlay import Mark, Overlay
from edgecls.sink import parse_sink
from edgecls.sink.collect import MOST_WAITING, CollectSettings, CollectSink
from edgecls.sink.recordings.quota import QuotaSettings
from edgecls.store import Store
from tests.run.world import said


def seen(index, *detections, overlay=None, seed=None, unfit=None):
    """A result of a picture like no other, 20 s after the one before."""
    picture = np.random.default_rng(index if seed is None else seed).integers(0, 256, (60, 80, 3), np.uint8)
    frame = image.as_frame(picture, "gate", index, time_s=20.0 * index, captured_at=time.monotonic())
    return Result(frame, detections, Timing(0.1, 0.2, 1.0), unfit, overlay)


def zone(label="open", score=0.95):
    """A zone called door with a label."""
    return Detection(Box(10, 20, 30, 40), said(label, score), "door")


@pytest.fixture
def folder(tmp_path):
    """Where the store will be."""
    return tmp_path / "store"


def entries(folder):
    """What the store has."""
    with Store(folder, create=False) as store:
        return list(store.entries())


def test_a_zone_is_kept_with_a_margin_at_the_resolution_of_the_camera(folder):
    """0.2 of 20 pixels on each side; with what the model said."""
    with CollectSink(CollectSettings(str(folder), choice=SelectionSettings(random=0))) as sink:
        sink.write(result := seen(0, zone()))
    (entry,) = entries(folder)
    assert np.array_equal(image.load(entry.path), result.frame.bgr()[16:44, 6:34])
    origin = entry.origin
    assert (origin.camera, origin.region, origin.prediction, origin.score) == ("gate", "door", "open", 0.95)
    assert (origin.time_s, origin.reason, origin.event) == (0.0, "new", "")


def test_the_reason_is_what_makes_it_worth_a_label(folder):
    """Unknown, doubtful, or new."""
    with CollectSink(CollectSettings(str(folder), choice=SelectionSettings(random=0))) as sink:
        for i, detection in enumerate((zone("unknown", 0.6), zone(score=0.5), zone())):
            sink.write(seen(i, detection))
            drain(sink)
    assert [entry.origin.reason for entry in entries(folder)] == ["unknown", "doubtful", "new"]


def drain(sink):
    """Wait until the thread of the sink has taken everything."""
    deadline = time.monotonic() + 20
    while not sink._queue.empty():
        assert time.monotonic() < deadline
        time.sleep(0.01)
    time.sleep(0.05)


def test_pictures_alike_are_kept_once_in_several_runs(folder):
    """A second run knows what the first one kept."""
    for _ in range(2):
        with CollectSink(CollectSettings(str(folder), choice=SelectionSettings(random=0))) as sink:
            for i in range(5):
                sink.write(seen(i, zone(), seed=7))
                drain(sink)
    assert len(entries(folder)) == 1


def test_an_object_is_kept_once_with_its_event_and_final_label(folder):
    """It is cut out where its track is in the frame that reports it, not where another object is."""
    other, mine = (Detection(box, said("car"), MOTION) for box in (Box(0, 0, 20, 20), Box(40, 20, 60, 40)))
    overlay = Overlay(marks=(Mark(3, "car", 0.9), Mark(4, "car", 0.9)))
    begin = Event("object", "gate", MOTION, "car", 0.9, Moment(0, 0.0), track_id=4, model="street")
    with CollectSink(CollectSettings(str(folder), choice=SelectionSettings(random=0), margin=0)) as sink:
        sink.write(result := seen(1, other, mine, overlay=overlay))
        sink.write_event(begin)
        sink.write_event(begin)
        sink.write_event(
            Event("object", "gate", MOTION, "van", 0.8, Moment(0, 0.0), end=Moment(9, 0.4), track_id=4, model="street")
        )
    (entry,) = entries(folder)
    assert np.array_equal(image.load(entry.path), result.frame.bgr()[20:40, 40:60])
    origin = entry.origin
    assert (origin.event, origin.track, origin.model) == (begin.id, 4, "street")
    assert (origin.prediction, origin.score) == ("van", 0.8)


def test_an_object_that_its_frame_does_not_show_is_not_kept(folder):
    """No other picture is taken for it."""
    with CollectSink(CollectSettings(str(folder))) as sink:
        sink.write(seen(1, overlay=Overlay()))
        sink.write_event(Event("object", "gate", MOTION, "car", 0.9, Moment(0, 0.0), track_id=4))
    assert entries(folder) == []


def test_pictures_that_cannot_be_trusted_are_not_kept(folder):
    """Such as those of a covered camera."""
    with CollectSink(CollectSettings(str(folder))) as sink:
        sink.write(seen(0, zone(), unfit=Unfit("covered", Moment(0, 0.0), Moment(0, 0.0))))
    assert entries(folder) == []


def test_a_labelled_picture_is_never_replaced_or_removed_by_the_quota(folder):
    """A quota of two pictures: the labelled one stays, the others make room; without any left, one line says so."""
    size = 28 * 28 * 3
    quota = QuotaSettings(most_gb=3 * size / 1e9)
    lines = []
    with CollectSink(CollectSettings(str(folder), choice=SelectionSettings(random=0), quota=quota), say=lines.append) as sink:
        sink.write(seen(0, zone()))
        drain(sink)
        with Store(folder) as store:
            store.label([1], "open")
        for i in range(1, 6):
            sink.write(seen(i, zone()))
            drain(sink)
        kept = [entry.id for entry in entries(folder)]
        assert kept[0] == 1
        assert len(kept) <= 3
        with Store(folder) as store:
            store.label(kept, "open")
        for i in range(6, 9):
            sink.write(seen(i, zone()))
            drain(sink)
        assert [entry.id for entry in entries(folder)] == kept
        assert sink.backlog.dropped == 3
    assert len([line for line in lines if "the quota is reached" in line]) == 1


def test_a_slow_disk_delays_no_frame(folder, monkeypatch):
    """Pictures that come too fast are dropped and counted."""
    with CollectSink(CollectSettings(str(folder), choice=SelectionSettings(random=0, apart_s=0, unlike=1))) as sink:
        add = sink._store.add
        monkeypatch.setattr(sink._store, "add", lambda *args: (time.sleep(0.05), add(*args))[1])
        began = time.monotonic()
        for i in range(3 * MOST_WAITING):
            sink.write(seen(i, zone()))
        assert time.monotonic() - began < 0.05 * 3 * MOST_WAITING / 2
        assert sink.backlog.dropped > 0


def test_a_folder_that_cannot_be_a_store_is_refused_at_the_start(tmp_path):
    """Another program's database, for instance."""
    (tmp_path / "store.sqlite").write_bytes(b"something else" * 100)
    with pytest.raises(edgecls.SinkError, match="is damaged or no database"):
        CollectSink(CollectSettings(str(tmp_path)))


def test_the_specification_names_its_settings():
    """As those of other sinks."""
    out = parse_sink("collect:pictures?per_day=50&random=0.1&most_gb=2&margin=0.3")
    assert out == CollectSettings(
        "pictures", margin=0.3, choice=SelectionSettings(per_day=50, random=0.1), quota=QuotaSettings(most_gb=2)
    )
