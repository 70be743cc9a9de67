"""What is worth a look in a configuration, and what is not."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from edgecls import CountingLine, Line, MotionSettings, Polygon, ReadingSettings, TrackSettings, Zone, read_config
from edgecls.run.camera import Camera
from edgecls.run.config import Config
from edgecls.run.notes import UnknownObjects, notes_on
from tests.run.world import event

STREET = ("background", "person", "vehicle")
LINE = CountingLine("x", Line((0.0, 0.5), (1.0, 0.5)))
YARD = Zone("yard", Polygon.rectangle(0.1, 0.1, 0.3, 0.3), look="objects")
SIGN = Zone("sign", Polygon.rectangle(0.1, 0.1, 0.3, 0.3))
TOP, ALL = Polygon.rectangle(0, 0, 1, 0.6), Polygon.rectangle(0, 0, 1, 1)


def notes(labels=STREET, source="road.mp4", **settings):
    """The notes on one camera with these settings."""
    return notes_on(Config("street.onnx", (Camera("a", source, **settings),)), labels)


@pytest.mark.parametrize(
    ("settings", "note"),
    [
        ({}, "whole pictures are classified, but street.onnx has a class background"),
        ({"source": 0}, "whole pictures are classified"),
        ({"when": "motion"}, "whole pictures are classified"),
        (
            {"line": (LINE,), "reading": ReadingSettings(keyframes=True)},
            "`keyframes` gives about 1 fps, and .* 8 frames .* 8 s in",
        ),
        ({"line": (LINE,), "reading": ReadingSettings(fps=2.0)}, "`fps` gives 2 fps, and .* here after 4 s in sight"),
        ({"line": (LINE,), "reading": ReadingSettings(every=10)}, "`every` gives about 2.5 fps, and .* here after 3.2 s"),
        ({"zone": (YARD,), "reading": ReadingSettings(keyframes=True)}, "`keyframes` gives about 1 fps"),
        ({"line": (LINE,), "ignore": (ALL,)}, "ignore covers the whole picture"),
        ({"line": (LINE,), "ignore": (TOP, Polygon.rectangle(0, 0.6, 1, 0.4))}, "ignore covers the whole picture"),
        ({"line": (LINE,), "ignore": (TOP,)}, "the line lies in ignored areas"),
        ({"zone": (YARD,), "ignore": (TOP,)}, "the zone lies in ignored areas"),
        ({"line": (replace(LINE, labels=("person", "background")),)}, "labels: background will not be counted"),
        ({"labels": ("stop",), "count_every_s": 60.0}, "count_every_s has no effect"),
        ({"labels": ("stop",), "ignore": (TOP,)}, "ignore has no effect"),
    ],
)
def test_what_is_hardly_meant_is_noted(settings, note):
    """One line, which begins with the camera."""
    (line,) = notes(**settings)
    assert line.startswith("camera a: ")
    assert re.search(note, line)


@pytest.mark.parametrize(
    "settings",
    [
        {"labels": ("stop", "yield")},
        {"source": "tests"},
        {"zone": (SIGN,)},
        {"motion": MotionSettings()},
        {"line": (LINE,), "reading": ReadingSettings(fps=5.0)},
        {"line": (LINE,), "reading": ReadingSettings(every=4)},
        {"line": (LINE,), "reading": ReadingSettings(fps=2.0), "track": TrackSettings(frames=2, settle=3)},
        {"line": (LINE,), "ignore": (Polygon.rectangle(0, 0, 0.5, 1),)},
        {"zone": (replace(YARD, area=Polygon.rectangle(0.1, 0.5, 0.3, 0.3)),), "ignore": (TOP,)},
        {"zone": (SIGN,), "line": (LINE,), "ignore": (Polygon.rectangle(0, 0, 1, 0.4),)},
        {"zone": (SIGN,), "reading": ReadingSettings(keyframes=True)},
        {"labels": ("stop",), "when": "motion", "ignore": (TOP,)},
        {"line": (LINE,), "count_every_s": 60.0},
    ],
)
def test_what_may_well_be_meant_is_not(settings):
    """A model of signs, a folder of pictures, a zone of a state, enough frames, areas that leave a part of a line."""
    assert notes(**settings) == []


def test_a_quiet_run_without_a_sink_writes_nothing(tmp_path):
    """With a sink it is what is meant, and without `quiet` stdout has the lines."""
    config = Config("signs.onnx", (Camera("a", "road.mp4"),), quiet=True)
    (line,) = notes_on(config, ("stop",))
    assert line.startswith("`quiet` without a sink: the results are written nowhere")
    assert notes_on(replace(config, sinks=("csv:e.csv",)), ("stop",)) == notes_on(replace(config, quiet=False), ("stop",)) == []
    path = tmp_path / "cameras.toml"
    path.write_text("model = 'signs.onnx'\nquiet = true\n[[camera]]\nname = 'a'\nsource = 'road.mp4'\n")
    (line,) = notes_on(read_config(path), ("stop",))
    assert line.startswith(f"{path}:2: quiet without a sink")


def test_a_note_on_a_file_has_its_line(tmp_path):
    """And names settings as they are written there."""
    path = tmp_path / "cameras.toml"
    path.write_text(
        'model = "street.onnx"\n[[camera]]\nname = "a"\nsource = 0\n[camera.reading]\nkeyframes = true\n[[camera.line]]\n'
        'name = "x"\nline = [[0, 0.5], [1, 0.5]]\n[[camera]]\nname = "b"\nsource = 0\n'
    )
    few, whole = notes_on(read_config(path), STREET)
    assert few.startswith(f'{path}:6: camera "a": reading.keyframes gives about 1 fps')
    assert whole.startswith(f'{path}:12: camera "b": whole pictures are classified')
    assert whole.endswith("add [camera.motion] or a [[camera.line]]")


def test_objects_that_the_model_does_not_know_are_noted_at_the_end():
    """If there were some, and most of them were unknown; each counts once, when it has ended."""
    counted = UnknownObjects()
    for i in range(3):
        for ended in (False, True):
            counted.add([event(i, kind="object", label="unknown", ended=ended), event(i, label="unknown")])
            counted.add([event(i, kind="object", label="car", ended=ended, camera="yard")])
    counted.add([event(9, kind="object", label="unknown", camera="lane")])
    assert counted.notes("signs") == [
        "camera gate: 3 of 3 objects were unknown to signs, and lines without labels count them too; is it the model for what "
        "moves there?"
    ]
