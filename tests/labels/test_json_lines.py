"""A result as one line of JSON."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import pytest

from edgecls.errors import DataError
from edgecls.event import Event, Moment, View
from edgecls.events.observation import observe
from edgecls.frame import WHOLE_FRAME, Box, Detection, Prediction, Result, StateChange, Timing, Unfit
from edgecls.labels.json_lines import (
    event_line,
    read_line,
    state_line,
    to_event,
    to_line,
    to_state,
)
from tests.run.world import event, frame, result, said


def record_of(one: Result) -> dict[str, Any]:
    """What the line of a result says."""
    return json.loads(to_line(one))


def test_a_whole_frame_is_seven_fields():
    """A frame of a camera says camera, frame, time, age, label, score and top, and nothing more."""
    assert record_of(result(frame(12), age_ms=3.14)) == {
        "camera": "gate",
        "frame": 12,
        "time_s": 0.48,
        "age_ms": 3.1,
        "label": "stop",
        "score": 0.9,
        "top": [["stop", 0.9], ["other", 0.1]],
    }


def test_a_frame_of_a_folder_says_its_file():
    """A picture of a folder adds its name under the folder."""
    assert record_of(result(frame(file="day/1.jpg")))["file"] == "day/1.jpg"
    assert "file" not in record_of(result(frame()))


def test_no_detections_are_a_line_with_null():
    """A frame in which nothing was looked at has label and score null, top and detections empty."""
    record = json.loads(to_line(Result(frame(3), (), Timing(0, 0, 0))))
    assert (record["frame"], record["label"], record["score"]) == (3, None, None)
    assert record["top"] == record["detections"] == []


def test_zones_are_listed_with_their_boxes_in_pixels():
    """Each zone is a detection with region, box, label, score and top; the first one is the frame's label."""
    left = Detection(Box(0, 0, 32, 48), said("stop", 0.75), "left")
    right = Detection(Box(32, 0, 64, 48), said("yield", 0.5), "right")
    record = record_of(result(frame(), left, right))
    assert record["label"] == "stop"
    assert record["detections"] == [
        {"region": "left", "box": [0, 0, 32, 48], "label": "stop", "score": 0.75, "top": [["stop", 0.75], ["other", 0.25]]},
        {"region": "right", "box": [32, 0, 64, 48], "label": "yield", "score": 0.5, "top": [["yield", 0.5], ["other", 0.5]]},
    ]  # fmt: skip


def test_a_single_zone_is_listed_too():
    """One zone is not the whole frame, so its box is said."""
    record = record_of(result(frame(), Detection(Box(0, 0, 32, 48), said(), "left")))
    assert [d["box"] for d in record["detections"]] == [[0, 0, 32, 48]]
    assert "detections" not in record_of(result(frame(), Detection(Box(0, 0, 64, 48), said(), WHOLE_FRAME)))


def test_scores_keep_what_a_comparison_to_1e_6_needs():
    """Scores are rounded to 7 digits, so lines of two runs can be compared to 1e-6."""
    exact = 0.123456789
    prediction = Prediction("stop", exact, 0, (("stop", exact),))
    record = json.loads(to_line(result(frame(), Detection(Box(0, 0, 64, 48), prediction, WHOLE_FRAME))))
    assert record["score"] == 0.1234568
    assert record["top"] == [["stop", 0.1234568]]


@pytest.mark.parametrize("anyway", [False, True])
def test_a_line_says_why_there_is_no_label(anyway):
    """The fault, since when and when it was last seen, to a millisecond; and that it was classified anyway. It comes back."""
    unfit = Unfit("black", Moment(1, 0.0401, 12.00049), Moment(2, 0.08), classified=anyway)
    one = Result(frame(3), (), Timing(0, 0, 0), unfit)
    since = {"frame": 1, "time_s": 0.04, "at_s": 12.0}
    said = {"fault": "black", "since": since, "last": {"frame": 2, "time_s": 0.08, "at_s": None}}
    record = json.loads(to_line(one))
    assert record["unfit"] == said | ({"classified": True} if anyway else {})
    assert observe(one) == read_line(to_line(one), "line 1")
    assert observe(one).unfit == Unfit("black", Moment(1, 0.04, 12.0), Moment(2, 0.08), classified=anyway)
    assert "unfit" not in record_of(result(frame()))


def test_lines_of_states_are_read_too():
    """A change of a camera's state, and nothing for an event, even of the kind state."""
    change = StateChange("gate", "lost", "cut", 12.345)
    assert read_line(state_line(change), "line 1") == change
    assert read_line(event_line(event(kind="state")), "line 1") is None
    with pytest.raises(DataError, match=r"line 7: not a line of edgecls run \(KeyError: 'why'\)"):
        read_line('{"camera": "gate", "state": "lost"}', "line 7")


@pytest.mark.parametrize("ended", [False, True])
def test_an_event_comes_back_from_its_line(ended):
    """What a line says of an event is the event: the same id and phase, every field."""
    one = event(3, ended=ended, counts={"car": 2}, camera="caf\udce9", view=View(75, 3.0, Box(1, 2, 30, 40), (48, 64)))
    again = to_event(json.loads(event_line(one)))
    assert again == one
    assert (again.id, again.phase) == (one.id, "end" if ended else "begin")
    bare = Event("state", "gate", "frame", "open", 0.123456789, Moment(7, 0.2801, file="night.mp4"))
    assert to_event(json.loads(event_line(bare))).id == bare.id
    assert to_event(json.loads(event_line(bare))).start.file == "night.mp4"


def test_a_change_of_state_comes_back_from_its_line():
    """What a line says of a change is the change, to a millisecond."""
    change = StateChange("gate", "lost", "cut; gone", 12.345)
    assert to_state(json.loads(state_line(change))) == change


@pytest.mark.parametrize("label", ["Größe", "停", 'a "quoted"\nname', "\u2028", "🚗", "caf\udce9"])
def test_any_name_is_one_line_of_utf_8(label):
    """Labels and file names of any kind, even one that is not Unicode, are one line that UTF-8 can hold and JSON reads."""
    line = to_line(result(frame(file=label), Detection(Box(0, 0, 64, 48), said(label), WHOLE_FRAME)))
    record = json.loads(line.encode("utf-8"))
    assert "\n" not in line
    assert record["label"] == record["file"] == label


def test_the_line_needs_no_opencv():
    """Reading and writing lines loads neither OpenCV nor ONNX Runtime."""
    code = "import sys, edgecls.labels.json_lines; assert not {'cv2', 'onnxruntime', 'keras', 'tensorflow'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
