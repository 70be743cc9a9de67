"""Tests of invalid rules: too many zones or lines, and labels that the model does not have."""

from __future__ import annotations

import pytest

from edgecls.errors import ConfigError
from edgecls.events.detector import Events
from edgecls.events.rules import CountingLine, Rules, Zone
from edgecls.events.states import StateSettings
from edgecls.events.tracker import TrackSettings
from edgecls.regions.geometry import Line, Polygon
from edgecls.regions.regions import zones
from edgecls.run.camera import Camera
from edgecls.run.config import Config
from edgecls.sink import JsonlSettings

AREA = Polygon.rectangle(0.1, 0.1, 0.2, 0.2)
DOWN = Line((0.5, 0.1), (0.5, 0.9))
LABELS = ("car", "person", "background")

WRONG = {
    "state.labels": Rules(state=StateSettings(labels=("persn",))),
    'zone "bay": state.labels': Rules(zones=(Zone("bay", AREA, state=StateSettings(labels=("car", "persn"))),)),
    'line "gate": labels': Rules(lines=(CountingLine("gate", DOWN, labels=("persn",)),)),
    "track.ignore": Rules(track=TrackSettings(ignore=("persn",))),
}


@pytest.mark.parametrize("setting", WRONG)
def test_a_label_that_the_model_does_not_have_is_refused_in_python_too(setting):
    """Its events would never occur. The message names the rule, the model and the nearest label."""
    with pytest.raises(ConfigError, match=f"^{setting}: street has no label 'persn'; did you mean 'person'?"):
        Events(WRONG[setting], model="street", labels=LABELS)
    with pytest.raises(ConfigError, match=f"^camera \"north\": {setting}: street has no label 'persn'"):
        Events({"south": Rules(), "north": WRONG[setting]}, model="street", labels=LABELS)


def test_labels_that_the_model_has_and_unknown_are_fine():
    """The default rules name no label; a model need not have their `background`."""
    Events(Rules(state=StateSettings(labels=("car", "unknown"))), labels=LABELS)
    Events(Rules(), labels=("stop", "yield"))


def test_there_is_a_limit_to_what_one_camera_watches_for():
    """The message names the limit and what was found."""
    many_zones = tuple(Zone(f"z{i}", AREA) for i in range(101))
    many_lines = tuple(CountingLine(f"l{i}", DOWN) for i in range(101))
    for what, make in {
        "zones": lambda: Rules(zones=many_zones),
        "lines": lambda: Rules(lines=many_lines),
        "areas to ignore": lambda: Camera("north", 0, ignore=(AREA,) * 101),
    }.items():
        with pytest.raises(ConfigError, match=f"expected at most 100 {what}, found 101"):
            make()
    with pytest.raises(ConfigError, match="expected at most 100 zones, found 10,000"):
        zones({f"z{i}": (0.1, 0.1, 0.2, 0.2) for i in range(10_000)})
    Rules(zones=many_zones[:100], lines=many_lines[:100])


def test_there_is_a_limit_to_the_cameras_and_sinks_of_a_file():
    """As above."""
    cameras = tuple(Camera(f"c{i}", i) for i in range(257))
    with pytest.raises(ConfigError, match=r"expected at most 256 \[\[camera\]\], found 257"):
        Config("m.onnx", cameras)
    with pytest.raises(ConfigError, match=r"expected at most 256 \[\[sink\]\], found 300"):
        Config("m.onnx", cameras[:1], sink=tuple(JsonlSettings(f"{i}.jsonl") for i in range(300)))


def test_gates_is_the_former_name_of_lines():
    """Programs for version 0.2.0 use it to create and read rules. They get a warning."""
    line = CountingLine("stop", DOWN)
    with pytest.warns(DeprecationWarning, match=r"Rules\(gates=...\) is called Rules\(lines=...\) now"):
        rules = Rules(gates=(line,))
    assert rules == Rules(lines=(line,))
    with pytest.warns(DeprecationWarning, match="Rules.gates is called Rules.lines now"):
        assert rules.gates == (line,)
