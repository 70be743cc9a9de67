"""Runs in which a detector finds the objects: from cameras.toml to events, recordings and other configurations."""

from __future__ import annotations

import json
import re
import threading
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import onnx
import pytest

from edgecls import ConfigError, DetectorSettings, Line, ModelError, MotionSettings, Polygon, Run, adopt_detector, read_config
from edgecls.events.rules import CountingLine, Zone
from edgecls.events.tracker import TrackSettings
from edgecls.run.camera import Camera
from edgecls.run.config import Config
from edgecls.sink import JsonlSettings, ListSink
from tests.detect.tiny import ULTRALYTICS, color_graph, painted
from tests.drawn import write_video
from tests.tiny import color_model

if TYPE_CHECKING:
    from pathlib import Path

FRAMES, SIZE_HW = 75, (128, 192)
MIDDLE = CountingLine("middle", Line((0.5, 0.0), (0.5, 1.0)))


@pytest.fixture(scope="module")
def world(tmp_path_factory) -> Path:
    """A folder with a detector of colours, a classifier of colours, and a video in which red drives from left to right."""
    folder = tmp_path_factory.mktemp("detected")
    onnx.save(color_graph(ULTRALYTICS), folder / "theirs.onnx")
    adopt_detector(folder / "theirs.onnx", folder / "colors.onnx")
    (folder / "kinds.onnx").write_bytes(color_model())
    lefts = np.linspace(0, SIZE_HW[1] - 40, FRAMES).astype(int)
    write_video(folder / "red.avi", [painted(SIZE_HW, red=(left, 40, left + 40, 90)) for left in lefts])
    return folder


def config(world, model: str = "", **changes) -> Config:
    """One camera with a line in the middle and a detector; changes are those of its settings or of the camera."""
    own = {name: changes.pop(name) for name in list(changes) if name in DetectorSettings.__slots__}
    detector = DetectorSettings(str(world / "colors.onnx"), **{"names": "detector", "fps": 12.5, **own})
    camera = Camera("gate", **{"source": str(world / "red.avi"), "line": (MIDDLE,), "detector": detector, **changes})
    return Config(str(world / model) if model else "", (camera,), device="cpu", quiet=True)


def ran(config: Config):
    """Return the results and the events of a run."""
    results, events = [], []
    with Run(config, say=lambda _: None) as run:
        for result, some in run:
            results.append(result)
            events += some
        run.finish()
        return results, events + run.last_events


def crossings(events) -> list[tuple[str, str]]:
    return [(event.label, event.direction) for event in events if event.kind == "crossing"]


def test_a_detector_finds_tracks_and_counts_without_a_classifier(world):
    """Red crosses the line once; every second frame is looked at, and its box is where red is."""
    results, events = ran(config(world))
    assert len(results) == FRAMES
    looked = [i for i, result in enumerate(results) if result.detections]
    assert looked == list(range(0, FRAMES, 2))
    for i in looked:
        (found,) = results[i].detections
        left = int(np.linspace(0, SIZE_HW[1] - 40, FRAMES)[i])
        assert np.abs(np.subtract(found.box, (left, 40, left + 40, 90))).max() <= 4
        assert (found.region, found.prediction.label) == ("motion", "red")
        assert found.box_score == found.prediction.score > 0.9
    assert crossings(events) == [("red", "left")]
    objects = {event.track_id for event in events if event.kind == "object"}
    assert (len(objects), {event.model for event in events}) == (1, {"colors"})


@pytest.mark.parametrize(("names", "label"), [("classifier", "car"), ("both", "red/car")])
def test_a_classifier_names_what_the_detector_found(names, label, world):
    """Or both do: the name of the detector, and the kind within it."""
    results, events = ran(config(world, "kinds.onnx", names=names))
    assert {d.prediction.label for result in results for d in result.detections} == {label}
    assert crossings(events) == [(label, "left")]


def test_a_recording_replays_to_the_same_events(world, tmp_path, edgecls):
    """With the scores of the boxes."""
    (tmp_path / "cameras.toml").write_text(
        f'''
model = "{world / "kinds.onnx"}"
device = "cpu"
sinks = ["jsonl:out.jsonl"]
quiet = true
[[camera]]
name = "gate"
source = "{world / "red.avi"}"
[camera.detector]
model = "{world / "colors.onnx"}"
fps = 12.5
names = "both"
classes = {{ vehicle = ["red", "blue"] }}
[[camera.line]]
name = "middle"
line = [[0.5, 0.0], [0.5, 1.0]]
labels = ["vehicle/car"]
''',
        "utf-8",
    )
    assert edgecls("run", "--config", "cameras.toml").stderr.count("error") == 0
    lines = [json.loads(line) for line in (tmp_path / "out.jsonl").read_text("utf-8").splitlines()]
    frames, events = [line for line in lines if "frame" in line], [line for line in lines if "event" in line]
    assert {one["box_score"] > 0.9 for line in frames for one in line["detections"]} == {True}
    assert "crossing" in {event["kind"] for event in events}
    replayed = edgecls("replay", "out.jsonl", "--config", "cameras.toml")
    again = [json.loads(line) for line in replayed.stdout.splitlines()]
    assert [event for event in again if "event" in event] == events


def test_a_program_gives_the_detector_as_an_argument(world):
    """Its file, or its settings; not together with a cameras.toml."""
    line = {"middle": (0.5, 0.0, 0.5, 1.0)}
    for model, label in ((None, "red"), (world / "kinds.onnx", "red/car")):
        with Run(detector=world / "colors.onnx", model=model, sources=[world / "red.avi"], lines=line, say=print) as run:
            assert crossings([event for _, events in run for event in events]) == [(label, "left")]
    with pytest.raises(ConfigError, match=r"sources, zones, lines, motion and detector cannot be combined with config"):
        Run(config(world), detector=world / "colors.onnx")
    with pytest.raises(ConfigError, match=r"detector must be the path of an \.onnx file, or DetectorSettings\(\.\.\.\), not 7"):
        Run(detector=7, sources=[world / "red.avi"])
    with pytest.raises(ConfigError, match="expected a config, or a model and sources"):
        Run(detector=world / "colors.onnx")


def test_a_gate_opens_when_something_moves(world):
    """The detector rests until then; with when = "motion" so does everything."""
    shots = [painted(SIZE_HW)] * 50 + [painted(SIZE_HW, green=(left, 40, left + 40, 90)) for left in range(0, 140, 6)]
    wall = np.random.default_rng(0).integers(65, 115, (16, 24, 1)).repeat(8, 0).repeat(8, 1).repeat(3, 2).astype(np.uint8)
    shots = [np.where((shot == 90).all(2, keepdims=True), wall, shot) for shot in shots]
    write_video(world / "later.avi", shots)
    for change in ({"gate": "motion"}, {"when": "motion"}):
        found = config(world, source=str(world / "later.avi"), motion=MotionSettings(warm_up_s=1.0), **change)
        looked = [i for i, result in enumerate(ran(found)[0]) if result.detections]
        assert len(looked) >= 8
        assert min(looked) in (50, 51, 52)


def test_objects_are_drawn_on_the_frames_between(world):
    """Where the tracker expects them, until the detector has looked and not found them."""
    sink = ListSink()
    with Run(config(world, fps=5.0), say=print) as run:
        run.sinks.append(sink)
        for _ in run:
            pass
    for result in sink.results[40:60]:
        (track,) = result.overlay.carried or result.overlay.marks
        assert track.label == "red"
        if result.overlay.carried:
            assert not result.detections
            left = np.linspace(0, SIZE_HW[1] - 40, FRAMES)[result.frame.index]
            assert abs(track.box[0] - left) < 12


def test_what_stands_still_is_found_and_reported_if_wanted(world):
    """Motion cannot see it. By default a track is reported when it has moved."""
    write_video(world / "still.avi", [painted(SIZE_HW, blue=(60, 40, 100, 90))] * 50)
    for travel, expected in ((0.0, [("object", "blue")]), (0.5, [])):
        track = TrackSettings(travel=travel)
        _, events = ran(config(world, source=str(world / "still.avi"), track=track, line=()))
        assert [(event.kind, event.label) for event in events if event.end is None] == expected


def test_areas_to_ignore_and_zones_of_objects_work_as_with_motion(world):
    """By the middle of the box."""
    results, events = ran(config(world, line=(), ignore=(Polygon.rectangle(0.5, 0, 0.5, 1),)))
    assert max(d.box.left for result in results for d in result.detections) < 80
    zone = Zone("right", Polygon.rectangle(0.5, 0, 0.5, 1), look="objects")
    _, events = ran(config(world, line=(), zone=(zone,)))
    assert {(event.kind, event.region, event.label) for event in events} >= {("presence", "right", "red")}


def test_a_zone_with_a_state_needs_a_classifier(world):
    """Its label is that of the classifier."""
    zone = Zone("left", Polygon.rectangle(0, 0, 0.3, 1))
    results, _ = ran(config(world, "kinds.onnx", zone=(zone,)))
    assert {d.prediction.label for result in results for d in result.detections} >= {"red", "background"}
    with pytest.raises(ConfigError, match=r'camera\[0\]\.detector: without a model expected names = "detector" and no zone'):
        config(world, zone=(zone,))
    with pytest.raises(ConfigError, match="without a model expected names"):
        config(world, names="both")


@pytest.mark.parametrize(("change", "message"), [
    ({"motion": MotionSettings()}, r"motion has no effect, because \[camera\.detector\] finds the objects"),
    ({"detector": None}, "^there is no model; expected the .onnx file of a classifier"),
])  # fmt: skip
def test_settings_that_contradict_one_another_are_refused(change, message, world):
    """Instead of being ignored."""
    with pytest.raises(ConfigError, match=message):
        config(world, **change)


def test_files_of_the_wrong_sort_are_refused(world):
    """A classifier as detector, and a detector as classifier."""
    wrong = config(world, model="")
    camera = replace(wrong.camera[0], detector=replace(wrong.camera[0].detector, model=str(world / "kinds.onnx")))
    with pytest.raises(ModelError, match=r"kinds\.onnx: it is a classifier, expected a detector"):
        Run(replace(wrong, camera=(camera,)), say=lambda _: None)
    with pytest.raises(ModelError, match=r"colors\.onnx: it is a detector, expected a classifier"):
        Run(config(world, "colors.onnx", names="both"), say=lambda _: None)


TOML = """
model = "{world}/kinds.onnx"
[[camera]]
name = "gate"
source = "{world}/red.avi"
[camera.detector]
model = "{world}/{file}"
names = "{names}"
{more}
[[camera.line]]
name = "middle"
line = [[0.5, 0.0], [0.5, 1.0]]
labels = ["{label}"]
"""


@pytest.mark.parametrize(("change", "message"), [
    ({"more": 'classes = ["reds"]'}, r"^error: cameras\.toml:9: .*detector\.classes: .*colors\.onnx has no class 'reds'"),
    ({"more": 'classes = { a = "zebra" }'}, "has no class 'zebra'; it has red, green, blue"),
    ({"more": 'classify = ["zebra"]', "names": "both"}, "classify: .*colors.onnx finds no 'zebra'; it finds blue, green, red"),
    ({"label": "car"}, "has no label 'car'"),
    ({"label": "red/cars", "names": "both"}, "has no label 'red/cars'; did you mean 'red/car'"),
    ({"file": "kinds.onnx"}, "detector.model: .*it is a classifier, expected a detector"),
    ({"file": "none.onnx"}, "detector.model: .*the model cannot be read"),
])  # fmt: skip
def test_what_does_not_fit_is_said_with_its_line(change, message, world, tmp_path, edgecls):
    """By check-config, and by a run."""
    given = {"file": "colors.onnx", "names": "detector", "more": "", "label": "red", "world": world, **change}
    (tmp_path / "cameras.toml").write_text(TOML.format(**given), "utf-8")
    done = edgecls("check-config", "cameras.toml")
    assert done.returncode == 1
    (line,) = [line for line in done.stderr.splitlines() if line.startswith("error: ")]
    assert re.search(message, line), line
    with pytest.raises((ConfigError, ModelError)):
        Run(read_config(tmp_path / "cameras.toml"), say=lambda _: None)


def test_check_config_shows_the_detector(world, tmp_path, edgecls):
    """As text and as JSON."""
    text = TOML.format(file="colors.onnx", names="both", more='gate = "motion"', label="red/car", world=world)
    (tmp_path / "cameras.toml").write_text(text, "utf-8")
    shown = edgecls("check-config", "cameras.toml")
    assert shown.returncode == 0, shown.stderr
    assert f"objects by {world / 'colors.onnx'} at 5 fps, while something moves, named by both" in shown.stdout
    record = json.loads(edgecls("check-config", "cameras.toml", "--json").stdout)
    assert record["cameras"][0]["detector"] == str(world / "colors.onnx")


def test_cameras_share_a_detector_and_a_run_switches_to_another(world, tmp_path):
    """One that is loaded stays; a file that was replaced, or another one, is loaded without a pause."""
    own = tmp_path / "own.onnx"
    own.write_bytes((world / "colors.onnx").read_bytes())
    before = config(world)
    cameras = tuple(replace(before.camera[0], name=name) for name in ("a", "b"))
    before = replace(before, camera=cameras, sink=(JsonlSettings(str(tmp_path / "out.jsonl")),))
    with Run(before, say=lambda _: None) as run:
        assert len(run._site._detectors._loaded) == 1
        (first,) = run._site._detectors._loaded.values()
        second = replace(cameras[1], detector=replace(cameras[1].detector, model=str(own), fps=25.0))
        after, told = replace(before, camera=(cameras[0], second)), []
        thread = threading.Thread(target=lambda: told.append(run.reload(after)))
        for i, (result, _) in enumerate(run):
            if i == 10:
                thread.start()
            if i > 10 and told:
                break
            assert result.frame.camera in "ab"
        thread.join()
        assert told == ["other settings: b"]
        loaded = run._site._detectors._loaded
        assert first in loaded.values()
        assert {str(key[0]) for key in loaded} == {str(world / "colors.onnx"), str(own)}


def test_options_run_a_detector_without_a_file(world, edgecls):
    """`--detector` alone names the objects; with --model both do."""
    alone = edgecls("run", "--detector", world / "colors.onnx", "--source", world / "red.avi", "--line", "middle=0.5,0,0.5,1")
    lines = [json.loads(line) for line in alone.stdout.splitlines()]
    assert [line["label"] for line in lines if line.get("kind") == "crossing"] == ["red"]
    both = edgecls(
        "run", "--detector", world / "colors.onnx", "--model", world / "kinds.onnx", "--source", world / "red.avi", "--line",
        "middle=0.5,0,0.5,1",
    )  # fmt: skip
    lines = [json.loads(line) for line in both.stdout.splitlines()]
    assert [line["label"] for line in lines if line.get("kind") == "crossing"] == ["red/car"]
    assert "--detector" in edgecls("run", "--config", "c.toml", "--detector", "d.onnx").stderr


def test_tracks_of_a_detector_have_settings_of_their_own(world):
    """They are reported after four of its frames and wait two seconds for the next box, unless the file says otherwise."""
    path = world / "tracks.toml"
    for said, expected in (
        ("", TrackSettings(settle=4, lost_s=2.0)),
        ("[camera.track]\nsettle = 8\ntravel = 0\n", TrackSettings(settle=8, lost_s=2.0, travel=0)),
        ("[camera.track]\nframes = 6\nlost_s = 1\n", TrackSettings(frames=6, settle=6, lost_s=1.0)),
    ):
        for table, tracks in (
            ("[camera.detector]\nmodel = 'd.onnx'\nnames = 'detector'\n", expected),
            ("[camera.motion]\n", None),
        ):
            path.write_text(f'model = "m.onnx"\n[[camera]]\nname = "a"\nsource = "a.mp4"\n{table}{said}')
            track = read_config(path).camera[0].track
            assert track == expected if tracks else track.settle in (6, 8)
    path.write_text('model = "m.onnx"\n[[camera]]\nname = "a"\nsource = 0\ntrack = 3\n[camera.detector]\nmodel = "d.onnx"\n')
    with pytest.raises(ConfigError, match="track"):
        read_config(path)


def test_options_report_what_a_detector_finds_after_few_frames(world):
    """Four of its frames, not eight: at its usual rate those are almost two seconds."""
    path, source = world / "colors.onnx", world / "red.avi"
    with Run(detector=path, sources=[source], say=lambda _: None) as run:
        assert run.config.camera[0].track == TrackSettings(settle=4, lost_s=2.0)
    with Run(model=world / "kinds.onnx", sources=[source], motion=True, say=lambda _: None) as run:
        assert run.config.camera[0].track == TrackSettings()
