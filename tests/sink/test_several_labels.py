"""What the outputs make of several labels a picture: lines, MQTT, Home Assistant, Prometheus, pictures."""

from __future__ import annotations

import json

import numpy as np
import pytest

from edgecls import Classifier, ConfigError, Pipeline, Run, open_source
from edgecls.draw.results import draw
from edgecls.event import Event, Moment
from edgecls.events.observation import observe
from edgecls.labels.json_lines import event_record, read_line, to_event, to_line
from edgecls.sink import homeassistant
from edgecls.sink.frame_selection import FrameSelection
from tests.drawn import write_video
from tests.tiny import paint_model

RED, PURPLE, BLACK = (0, 0, 255), (255, 0, 255), (0, 0, 0)


@pytest.fixture(scope="module")
def film(tmp_path_factory):
    """A model of red, green and blue, and a video: 10 frames black, 20 red, 20 red and blue, 10 black."""
    folder = tmp_path_factory.mktemp("paint")
    (folder / "paint.onnx").write_bytes(paint_model())
    colors = [BLACK] * 10 + [RED] * 20 + [PURPLE] * 20 + [BLACK] * 10
    write_video(folder / "film.avi", [np.full((32, 32, 3), color, np.uint8) for color in colors], 10)
    return folder


@pytest.fixture(scope="module")
def results(film):
    """A result for each frame of the video."""
    classifier = Classifier.load(film / "paint.onnx", device="cpu")
    with open_source(str(film / "film.avi")) as source:
        return list(Pipeline(classifier).over(source))


def test_a_line_has_all_labels_and_is_read_back_as_it_was(results):
    """`label` is the best one or none, so readers of one label go on working."""
    black, red, purple = (json.loads(to_line(results[i])) for i in (0, 20, 40))
    assert (black["label"], black["labels"]) == ("none", [])
    assert (red["label"], [name for name, _ in red["labels"]]) == ("red", ["red"])
    assert {name for name, _ in purple["labels"]} == {"red", "blue"}
    for result in results:
        assert read_line(to_line(result), "line") == observe(result)


@pytest.mark.parametrize("labels", ['"red"', '[["red", 2]]', "[[1, 0.5]]"])
def test_a_line_with_other_labels_is_refused(results, labels):
    """With what was expected."""
    line = to_line(results[0]).replace('"labels": []', f'"labels": {labels}')
    with pytest.raises(ValueError, match="labels: expected"):
        read_line(line, "x.jsonl:1")


def test_a_run_reports_each_label_by_itself(film):
    """Red from 1.0 to 4.9 s, blue from 3.0 to 4.9 s; a replayed line gives the same."""
    with Run(model=film / "paint.onnx", sources=[str(film / "film.avi")]) as run:
        events = [event for _, found in run for event in found]
    ended = {event.label: event for event in events if event.end is not None}
    assert {event.kind for event in events} == {"label"}
    assert {name: (e.start.time_s, e.end.time_s) for name, e in ended.items()} == {"red": (1.0, 4.9), "blue": (3.0, 4.9)}


def test_a_log_of_changes_has_a_line_for_each_change_of_labels(results):
    """Scores alone change nothing."""
    selection = FrameSelection(on_change=True, every_s=0)
    assert [i for i, result in enumerate(results) if selection.select(result) is not None] == [0, 10, 30, 50]


def test_a_label_event_survives_its_record():
    """With its kind, and an id that depends on the label."""
    event = Event("label", "gate", "bay", "car", 0.9, Moment(3, 0.3), Moment(9, 0.9), model="m")
    other = Event("label", "gate", "bay", "person", 0.9, Moment(3, 0.3), model="m")
    assert to_event(event_record(event)) == event
    assert event.id != other.id


def test_home_assistant_gets_a_binary_sensor_for_each_label():
    """Two labels of a region have ids of their own, and one is on while its label is shown."""
    topics = {
        "status": "e/status",
        "region": "e/gate/bay/car/shown",
        "available": "e/a",
        "state": "",
        "health": "",
        "event": "",
    }
    one, two = (homeassistant.of_label("gate", "bay", label, topics) for label in ("car", "person"))
    assert one.keys().isdisjoint(two)
    (config,) = one.values()
    assert config["name"] == "bay car"
    assert "value_json.shown" in config["value_template"]


def test_all_labels_are_drawn(results):
    """A picture with two labels has more text on it than one with one."""
    changed = [int((draw(results[i]) != results[i].frame.bgr()).any(axis=2).sum()) for i in (20, 40)]
    assert changed[0] > 0


def test_objects_that_are_followed_are_refused(film):
    """In one line, which says what to do."""
    with pytest.raises(ConfigError, match="gives several labels for a picture, and an object that is followed needs one"):
        Run(model=film / "paint.onnx", sources=[str(film / "film.avi")], motion=True)
