"""Tests of pictures of events."""

from __future__ import annotations

import json
from dataclasses import replace

import cv2
import numpy as np
import pytest

from edgecls import ConfigError, SinkError
from edgecls.draw.results import draw
from edgecls.event import Event, Moment, View
from edgecls.frame import Box, Detection, Unfit
from edgecls.labels.json_lines import event_record
from edgecls.sink import ShotSettings, SnapshotSink
from edgecls.source import ReadingSettings, open_source
from tests.run.footage import KEEP, event, level, play, write_footage
from tests.run.world import frame, result, said


@pytest.fixture
def pictures(tmp_path):
    """Return an empty folder for snapshots."""
    folder = tmp_path / "pictures"
    folder.mkdir()
    return folder


def luma(path) -> int:
    """Return the luma level of a plain JPEG, in a video's range."""
    return round(float(cv2.imread(str(path), cv2.IMREAD_GRAYSCALE).mean()) * 219 / 255 + 16)


@pytest.mark.parametrize(("bframes", "ending"), [(0, "mp4"), (2, "mp4"), (2, "mkv"), (0, "ts")])
def test_it_is_the_first_frame_of_the_event(tmp_path, pictures, bframes, ending):
    """Reported 30 frames later, with several key frames in between or none, the picture is that of frame 110 or 124."""
    path = write_footage(tmp_path / f"v.{ending}", bframes=bframes)
    play(path, SnapshotSink(pictures), {140: [event(110)], 155: [event(110, 150), event(124, 126, label="bus")]})
    (bus,), (truck,) = pictures.glob("*-bus-*.jpg"), pictures.glob("*-truck-*.jpg")
    assert luma(truck) == pytest.approx(level(110), abs=1)
    assert luma(bus) == pytest.approx(level(124), abs=1)
    assert truck.name == f"gate-000004.400s-truck-{event(110).id}.jpg"


def test_the_sidecar_learns_how_the_event_ended(tmp_path, pictures):
    """It is written with the picture, and updated with the end."""
    path = write_footage(tmp_path / "v.mp4")
    sink = SnapshotSink(pictures)
    with sink, open_source(f"gate={path}", reading=KEEP) as source:
        for one in source:
            sink.write(result(one))
            if one.index in (120, 150):
                sink.write_event(event(110, None if one.index == 120 else 145))
                (sidecar,) = pictures.glob("*.json")
                said = json.loads(sidecar.read_text())
                assert said["event"] == event_record(event(110, None if one.index == 120 else 145))
    picture = sidecar.with_suffix(".jpg")
    assert said["files"].keys() == {picture.name}
    assert said["snapshot"] == {"frame": 110, "time_s": 4.4, "size_hw": [48, 64], "box": None}
    assert {p.name for p in pictures.iterdir()} == {picture.name, sidecar.name}


def test_frame_drawing_and_crop(pictures):
    """If requested, there are three pictures: the frame, the annotated frame, and a crop of the event's region."""
    one = frame(7, size_hw=(96, 128))
    seen = [Detection(Box(10, 20, 50, 60), said("truck"), "zone"), Detection(Box(60, 20, 90, 60), said("bus"), "other")]
    with SnapshotSink(pictures, ShotSettings(shows=("frame", "annotated", "crop"), quality=100)) as sink:
        sink.write(result(one, *seen))
        sink.write_event(event(7, 9))
    name = f"gate-000000.280s-truck-{event(7).id}"
    read = {path.name.removeprefix(name): cv2.imread(str(path)) for path in pictures.glob("*.jpg")}
    assert read.keys() == {".jpg", "-annotated.jpg", "-crop.jpg"}
    assert np.abs(read[".jpg"].astype(int) - one.bgr()).max() <= 2
    assert np.abs(read["-annotated.jpg"].astype(int) - draw(result(one, *seen))).mean() < 5
    assert read["-crop.jpg"].shape == (40, 40, 3)
    assert json.loads((pictures / f"{name}.json").read_text())["snapshot"]["box"] == [10, 20, 50, 60]


def test_a_fault_of_the_camera_is_drawn(pictures):
    """As in the video."""
    one, fault = frame(7, size_hw=(96, 128)), replace(event(7, 9, label="black"), kind="health")
    with SnapshotSink(pictures, ShotSettings(shows=("annotated",), quality=100)) as sink:
        sink.write(result(one))
        sink.write_event(fault)
    (picture,) = pictures.glob("*.jpg")
    drawn = draw(replace(result(one), unfit=Unfit("black", fault.start, fault.start)))
    assert np.abs(cv2.imread(str(picture)).astype(int) - drawn).mean() < 3
    assert np.abs(draw(result(one)).astype(int) - drawn).mean() > 3


def test_of_several_objects_the_one_with_the_label_is_cropped(pictures):
    """Of two moving objects, the crop shows the truck; with two of the same label there is none, and the loss is reported."""
    truck, bus = Detection(Box(0, 0, 10, 10), said("truck"), "motion"), Detection(Box(20, 0, 40, 20), said("bus"), "motion")
    lines: list[str] = []
    with SnapshotSink(pictures, ShotSettings(shows=("crop",)), say=lines.append) as sink:
        sink.write(result(frame(1), truck, bus))
        sink.write_event(Event("object", "gate", "motion", "bus", 0.9, Moment(1, 0.04), track_id=1))
        sink.write(result(frame(2), truck, truck))
        sink.write_event(Event("object", "gate", "motion", "truck", 0.9, Moment(2, 0.08), track_id=2))
    (crop,) = pictures.glob("*.jpg")
    assert cv2.imread(str(crop)).shape == (20, 20, 3)
    assert lines == ["camera gate: no crop, because motion has no box of its own in the frame"]
    assert sink.lost == 1


def test_an_object_is_shown_where_it_is_seen_best(pictures):
    """The picture is that of the event's view, not of its start. At the end a better one replaces it and the .json."""
    shot = ShotSettings(shows=("frame", "crop"), quality=100)
    thing = Event("object", "gate", "motion", "car", 0.9, Moment(1, 0.04), track_id=1)
    with SnapshotSink(pictures, shot) as sink:
        for i in range(30):
            sink.write(result(frame(i, level=100 + i), Detection(Box(0, 0, 4, 4), said("background"), "motion")))
            if i == 10:
                sink.write_event(replace(thing, view=View(8, 0.32, (5, 6, 25, 16), (48, 64))))
        shown = _shown(pictures)
        sink.write_event(replace(thing, end=Moment(28, 1.12), view=View(20, 0.8, (5, 6, 45, 46), (48, 64))))
    assert shown == {"frame": 8, "box": [5, 6, 25, 16], "levels": [108, 108], "crop": (10, 20), "end": None}
    assert _shown(pictures) == {"frame": 20, "box": [5, 6, 45, 46], "levels": [120, 120], "crop": (40, 40), "end": 28}
    assert len(list(pictures.iterdir())) == 3


def test_the_better_frame_may_be_gone(pictures):
    """Then the first picture stays, and its .json still gets the end."""
    thing = Event("object", "gate", "motion", "car", 0.9, Moment(1, 0.04), track_id=1)
    with SnapshotSink(pictures, ShotSettings(shows=("frame", "crop"), held_bytes=10 * 3 * 48 * 64)) as sink:
        for i in range(50):
            sink.write(result(frame(i, level=100 + i)))
            if i == 10:
                sink.write_event(replace(thing, view=View(8, 0.32, (5, 6, 25, 16), (48, 64))))
        sink.write_event(replace(thing, end=Moment(28, 1.12), view=View(20, 0.8, (5, 6, 45, 46), (48, 64))))
    assert (_shown(pictures)["frame"], _shown(pictures)["end"], sink.lost) == (8, 28, 0)


@pytest.mark.parametrize("kind", ["presence", "crossing"])
def test_the_crop_of_a_presence_or_a_crossing_is_its_object(pictures, kind):
    """The zone or line has no box in the frame, but the object has."""
    with SnapshotSink(pictures, ShotSettings(shows=("crop",))) as sink:
        sink.write(result(frame(3), Detection(Box(5, 6, 25, 16), said("car"), "motion")))
        view = View(3, 0.12, (5, 6, 25, 16), (48, 64))
        sink.write_event(Event(kind, "gate", "yard", "car", 0.9, Moment(3, 0.12), track_id=1, view=view))
    (crop,) = pictures.glob("*-crop.jpg")
    assert cv2.imread(str(crop)).shape == (10, 20, 3)


def _shown(pictures):
    """Return the snapshots of the only event."""
    (sidecar,) = pictures.glob("*.json")
    read = json.loads(sidecar.read_text())
    shots = [cv2.imread(str(sidecar.with_name(sidecar.stem + ending))) for ending in (".jpg", "-crop.jpg")]
    end = read["event"]["end"]
    return {
        "frame": read["snapshot"]["frame"],
        "box": read["snapshot"]["box"],
        "levels": [round(float(shot.mean())) for shot in shots],
        "crop": shots[1].shape[:2],
        "end": None if end is None else end["frame"],
    }


def test_a_camera_without_packets(pictures):
    """A limited number of its frames is kept: a recent event gets its picture, an older one is lost, which is reported once."""
    lines: list[str] = []
    with SnapshotSink(pictures, ShotSettings(held_bytes=10 * 3 * 48 * 64), say=lines.append) as sink:
        for i in range(50):
            sink.write(result(frame(i, level=100 + i)))
        sink.write_event(event(41, label="bus"))
        sink.write_event(event(39))
        sink.write_event(event(38))
    (bus,) = pictures.glob("*.jpg")
    assert cv2.imread(str(bus)).mean() == pytest.approx(141, abs=1)
    assert sink.lost == 2
    assert len(lines) == 1
    assert lines[0].startswith("camera gate: no snapshot, because the frame that shows the event is no longer kept")


def test_a_frame_whose_packets_are_gone_is_lost(tmp_path, pictures):
    """An event reported after its packets are dropped has no picture, and never that of another frame."""
    lines: list[str] = []
    sink = SnapshotSink(pictures, say=lines.append)
    play(write_footage(tmp_path / "v.mp4"), sink, {200: [event(20)]}, reading=ReadingSettings(keep_s=1.0))
    assert list(pictures.iterdir()) == []
    assert (sink.lost, len(lines)) == (1, 1)


def test_no_decoded_frame_is_kept_where_there_are_packets(tmp_path, pictures):
    """Only the detections of a stream are kept."""
    path = write_footage(tmp_path / "v.mp4")
    sink = SnapshotSink(pictures)
    with sink, open_source(f"gate={path}", reading=ReadingSettings(keep_s=3.0)) as source:
        for one in source:
            sink.write(result(one))
        recent = sink._cameras["gate"]
        assert len(recent._frames) == 0
        assert len(recent._seen) == 250  # 10 s
        seen = recent._seen[-5]
        again = recent.frame_at(Moment(seen.frame, seen.time_s))
        assert (again.camera, again.index) == ("gate", seen.frame)  # as its picture says
        assert one.packets.kept_bytes < 3 * 48 * 64 * 25


def test_boxes_fit_a_picture_that_was_decoded_larger(tmp_path, pictures):
    """If a run decodes JPEGs at a quarter, the snapshot still has full size, and its region is scaled."""
    path = write_footage(tmp_path / "v.avi", 60, codec="mjpeg", size_hw=(720, 1280))
    sink = SnapshotSink(pictures, ShotSettings(shows=("crop",)))
    with sink, open_source(f"gate={path}", reading=ReadingSettings(keep_s=3.0, needed_hw=(32, 32))) as source:
        for one in source:
            assert one.size_hw == (180, 320)
            sink.write(result(one, Detection(Box(10, 20, 30, 60), said("truck"), "zone")))
            if one.index == 20:
                sink.write_event(event(10))
                break
    (crop,) = pictures.glob("*.jpg")
    assert cv2.imread(str(crop)).shape == (160, 80, 3)


def test_counts_and_repeated_events(pictures):
    """A count has no picture, and an event delivered again has only one."""
    with SnapshotSink(pictures) as sink:
        sink.write(result(frame(3)))
        sink.write_event(Event("count", "gate", "line", "", 0.0, Moment(0, 0.0), Moment(3, 0.12), counts={"car": 3}))
        for _ in range(3):
            sink.write_event(event(3, 5))
    assert len(list(pictures.iterdir())) == 2


def test_a_picture_that_cannot_be_written_is_counted_and_reported(pictures, monkeypatch):
    """A full disk is one message when it begins and one when it is over; no partial file is left."""
    lines: list[str] = []
    with SnapshotSink(pictures, say=lines.append) as sink:
        sink.write(result(frame(3)))
        with monkeypatch.context() as patch:
            patch.setattr("pathlib.Path.write_text", _full)
            for start in (1, 2, 3):
                sink.write(result(frame(start)))
                sink.write_event(event(start))
        assert list(pictures.iterdir()) == []
        sink.write_event(event(3, label="bus", track_id=1))
    assert sink.lost == 3
    assert len(lines) == 2
    assert "No space left on device" in lines[0]
    assert lines[1] == f"{pictures}: snapshots are written again; 3 were lost"
    assert len(list(pictures.iterdir())) == 2


def _full(*_args, **_options):
    raise OSError(28, "No space left on device")


def test_a_missing_folder_is_an_error(tmp_path):
    """When the sink is opened."""
    with pytest.raises(SinkError, match=r"missing: the folder for snapshots does not exist; create it first"):
        SnapshotSink(tmp_path / "missing")


@pytest.mark.parametrize(("settings", "message"), [
    ({"shows": ()}, "shows must be some of frame, annotated, crop"), ({"shows": ("all",)}, "shows must be some of"),
    ({"quality": 0}, "quality must be 1 to 100"), ({"late_s": -1}, "late_s must be 0 or more"),
])  # fmt: skip
def test_invalid_settings_are_rejected(settings, message):
    """The error says what is expected."""
    with pytest.raises(ConfigError, match=message):
        ShotSettings(**settings)
