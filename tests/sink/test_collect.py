"""The sink that keeps pictures worth a label."""

from __future__ import annotations

import os
import time

import numpy as np
import pytest

import edgecls
from edgecls import dataset, image
from edgecls.collect import BestViews, SelectionSettings
from edgecls.event import Event, Moment
from edgecls.files.backbones import kept
from edgecls.frame import MOTION, Box, Detection, Result, Timing, Unfit
from edgecls.overlay import Mark, Overlay
from edgecls.sink import parse_sink
from edgecls.sink.collect import CollectSettings, CollectSink
from edgecls.sink.keeper_thread import MOST_WAITING
from edgecls.sink.recordings.quota import QuotaSettings
from edgecls.store import Store
from tests.run.world import said


def seen(index, *detections, overlay=None, seed=None, unfit=None):
    """A result of a picture like no other, 20 s after the one before."""
    picture = np.random.default_rng(index if seed is None else seed).integers(0, 256, (60, 80, 3), np.uint8)
    frame = image.as_frame(picture, "gate", index, time_s=20.0 * index, captured_at=time.monotonic())
    return Result(frame, detections, Timing(0.1, 0.2, 1.0), unfit, overlay, "street")


def zone(label="open", score=0.95):
    """A zone called door with a label."""
    return Detection(Box(10, 20, 30, 40), said(label, score), "door")


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    """A cache without a network."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache" / "edgecls" / "backbones"


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
    assert (origin.time_s, origin.reason, origin.event, origin.model) == (0.0, "new", "", "street")
    assert origin.box == (4, 4, 24, 24)


def test_what_is_learned_is_what_the_run_sees(folder):
    """The zone without its margin; a crop without a margin as it is."""
    with CollectSink(CollectSettings(str(folder), choice=SelectionSettings(random=0))) as sink:
        sink.write(result := seen(0, zone()))
    with Store(folder) as store:
        store.label([entry.id for entry in store.entries()], "open")
    spec = edgecls.InputSpec(20, 20, "bgr")
    whole = dataset.decode(dataset.scan(folder, fewest_classes=1).items, spec)
    assert np.array_equal(whole.batch[0], result.frame.bgr()[20:40, 10:30])


def test_the_reason_is_what_makes_it_worth_a_label(folder):
    """Unknown, doubtful, or new."""
    with CollectSink(CollectSettings(str(folder), choice=SelectionSettings(random=0))) as sink:
        for i, detection in enumerate((zone("unknown", 0.6), zone(score=0.5), zone())):
            sink.write(seen(i, detection))
            drain(sink)
    assert [entry.origin.reason for entry in entries(folder)] == ["unknown", "doubtful", "new"]


def drain(sink):
    """Wait until the thread of the sink has done everything."""
    deadline = time.monotonic() + 60
    while sink.backlog.waiting:
        assert time.monotonic() < deadline
        time.sleep(0.005)


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


def follow(sink, i, box, track=4, region=MOTION):
    """Write a frame that shows an object with a track."""
    overlay = Overlay(marks=(Mark(track, "car", 0.9),))
    sink.write(shown := seen(i, Detection(Box(*box), said("car"), region), overlay=overlay))
    return shown.frame.bgr()


def car(end=None, track=4, label="car"):
    """The event of an object."""
    end = None if end is None else Moment(end, 20.0 * end)
    return Event("object", "gate", MOTION, label, 0.9, Moment(0, 0.0), end=end, track_id=track, model="street")


def test_an_object_is_kept_as_it_was_seen_best(folder):
    """Whole rather than cut off by the border, then large; reported with the first frame, kept when it has left."""
    with CollectSink(CollectSettings(str(folder), choice=SelectionSettings(random=0), margin=0)) as sink:
        follow(sink, 0, (0, 10, 40, 50))
        sink.write_event(car())
        best = follow(sink, 1, (10, 10, 40, 40))
        follow(sink, 1, (20, 10, 40, 30))
        drain(sink)
        assert entries(folder) == []
        sink.write_event(car(end=1))
    (entry,) = entries(folder)
    assert np.array_equal(image.load(entry.path), best[10:40, 10:40])
    assert entry.origin.time_s == 20.0


def test_an_object_that_stays_is_kept_while_it_is_there(folder):
    """After half a minute, once; the label that it has in the end is that of its picture."""
    with CollectSink(CollectSettings(str(folder), choice=SelectionSettings(random=0), margin=0)) as sink:
        for i in range(4):
            follow(sink, i, (10, 10, 40 + i, 40 + i))
            sink.write_event(car()) if i == 0 else None
        drain(sink)
        (early,) = entries(folder)
        assert early.origin.prediction == "car"
        sink.write_event(car(end=9, label="van"))
    (entry,) = entries(folder)
    assert (entry.id, entry.origin.prediction) == (early.id, "van")


def test_views_take_little_memory():
    """Of 100 objects, each in a frame of its own, as many frames are kept as fit; the others are forgotten."""
    views = BestViews(held_bytes=5 * 60 * 80 * 3)
    for i in range(100):
        overlay = Overlay(marks=(Mark(i, "car", 0.9),))
        views.see(seen(0, Detection(Box(10, 10, 20, 20), said("car"), MOTION), overlay=overlay, seed=i))
    assert [views.best("gate", i) is not None for i in (0, 94, 95, 99)] == [False, False, True, True]


def network(cache, name="efficientnet-lite0"):
    """Put a network into the cache whose embedding is the mean colour of a picture."""
    onnx = pytest.importorskip("onnx")
    helper, kinds = onnx.helper, onnx.TensorProto
    nodes = [
        helper.make_node("Cast", ["image"], ["levels"], to=kinds.FLOAT),
        helper.make_node("ReduceMean", ["levels"], ["embedding"], axes=[1, 2], keepdims=0),
    ]
    graph = helper.make_graph(
        nodes, name, [helper.make_tensor_value_info("image", kinds.UINT8, ["N", "H", "W", 3])],
        [helper.make_tensor_value_info("embedding", kinds.FLOAT, ["N", 3])],
    )  # fmt: skip
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    kept(name, "a" * 64, model.SerializeToString)
    assert list(cache.iterdir())


def of_color(i, color):
    """A result whose frame has one colour, with some noise."""
    picture = np.clip(np.random.default_rng(i).integers(-30, 30, (60, 80, 3)) + color, 0, 255).astype(np.uint8)
    frame = image.as_frame(picture, "gate", i, time_s=20.0 * i, captured_at=time.monotonic())
    return Result(frame, (zone(),), Timing(0.1, 0.2, 1.0))


def test_with_a_network_in_the_cache_embeddings_choose(folder, cache):
    """Noise of one colour is one picture, whatever its hash; the embedding is in the store, and the next run knows it."""
    network(cache)
    for _ in range(2):
        with CollectSink(CollectSettings(str(folder), choice=SelectionSettings(random=0))) as sink:
            for i, color in enumerate([(200, 40, 40), (200, 40, 40), (40, 40, 200), (40, 40, 200)]):
                sink.write(of_color(i, color))
                drain(sink)
    first, second = entries(folder)
    assert [first.origin.time_s, second.origin.time_s] == [0.0, 40.0]
    assert first.origin.embedded_by == "efficientnet-lite0"
    assert np.allclose(second.origin.embedding, (200, 40, 40), atol=8)


def test_the_network_can_be_left_alone(folder, cache):
    """Then hashes choose."""
    network(cache)
    with CollectSink(CollectSettings(str(folder), choice=SelectionSettings(random=0), embed=False)) as sink:
        for i in range(3):
            sink.write(of_color(i, (200, 40, 40)))
            drain(sink)
    assert len(entries(folder)) == 3
    assert entries(folder)[0].origin.embedding is None


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
        store = sink._thread.keeper.open()
        add = store.add
        monkeypatch.setattr(store, "add", lambda *args: (time.sleep(0.05), add(*args))[1])
        began = time.monotonic()
        for i in range(3 * MOST_WAITING):
            sink.write(seen(i, zone()))
        assert time.monotonic() - began < 0.05 * 3 * MOST_WAITING / 2
        assert sink.backlog.dropped > 0


def test_a_bug_in_the_thread_costs_one_picture(folder, monkeypatch):
    """It is reported and counted, and the next picture is stored."""
    lines: list[str] = []
    settings = CollectSettings(str(folder), choice=SelectionSettings(random=0, apart_s=0, unlike=1))
    with CollectSink(settings, say=lines.append) as sink:
        store, add = sink._thread.keeper.open(), Store.add
        monkeypatch.setattr(store, "add", lambda *args: add(store, *args) if lines else 1 / 0)
        sink.write(seen(0, zone()))
        drain(sink)
        assert sink.trouble == "ZeroDivisionError: division by zero"
        sink.write(seen(1, zone()))
        drain(sink)
        assert (sink.backlog.dropped, sink.trouble) == (1, "")
    assert len(entries(folder)) == 1


def test_what_a_killed_run_has_left_is_removed_by_the_next(folder):
    """A picture without a row, once it is old; others stay."""
    settings = CollectSettings(str(folder), choice=SelectionSettings(random=0, apart_s=0, unlike=1))
    with CollectSink(settings) as sink:
        sink.write(seen(0, zone()))
    (entry,) = entries(folder)
    left = entry.path.with_name("left.png")
    left.write_bytes(b"half")
    os.utime(left, (0, time.time() - 7200))
    CollectSink(settings).close()
    assert not left.exists()
    assert entry.path.exists()


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
