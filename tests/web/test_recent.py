"""What other rules would have made of the last minutes."""

from __future__ import annotations

from dataclasses import replace

import pytest

from edgecls.events.rules import CountingLine, Zone
from edgecls.frame import GONE, Box, Detection, StateChange
from edgecls.regions.geometry import Line, Polygon
from edgecls.regions.left import LeftSettings
from edgecls.run.camera import Camera
from edgecls.run.config import Config
from edgecls.web.config import recent as module
from edgecls.web.config.recent import Recent, try_out
from tests.run.world import frame, result, said

LINE = CountingLine("middle", Line((0.5, 0.0), (0.5, 1.0)), "out", "in")
DOOR = Zone("door", Polygon.rectangle(0.25, 0.25, 0.5, 0.5))
CAMERA = Camera("gate", "rtsp://u:secret@h/1", line=(LINE,))


def lines_of(*found_of_each, camera="gate"):
    """The lines of frames with these detections."""
    recent = Recent()
    for index, found in enumerate(found_of_each):
        recent.write(result(frame(index, camera=camera, size_hw=(240, 320)), *found))
    return recent.lines(camera)


def passing():
    """A car that goes from left to right."""
    return [(Detection(Box(4 * i, 100, 4 * i + 60, 160), said("car"), "motion"),) for i in range(60)]


def tried(lines, now, changed):
    """The kinds of the events, and the answer."""
    answer = try_out(lines, "gate", Config("m.onnx", (now,)), Config("m.onnx", (changed,)))
    return [(one["kind"], one["region"]) for one in answer["events"]], answer


def test_a_line_elsewhere_would_have_counted():
    """As the present one does, and one at the edge does not."""
    lines = lines_of(*passing())
    kinds, answer = tried(lines, CAMERA, CAMERA)
    assert (kinds, answer["before"]) == ([("object", "motion"), ("crossing", "middle")], 2)
    assert (answer["frames"], answer["seconds"], answer["notes"]) == (60, 2.4, [])
    at_edge = replace(CAMERA, line=(replace(LINE, line=Line((0.99, 0.0), (0.99, 1.0))),))
    kinds, answer = tried(lines, CAMERA, at_edge)
    assert (kinds, answer["before"]) == ([("object", "motion")], 2)


def test_other_rules_for_objects():
    """A zone where they stay, and labels that are not reported."""
    lines = lines_of(*passing())
    bay = Zone("bay", Polygon.rectangle(0.3, 0.0, 0.3, 1.0), look="objects", dwell_s=0.2)
    assert ("presence", "bay") in tried(lines, CAMERA, replace(CAMERA, zone=(bay,)))[0]
    assert tried(lines, CAMERA, replace(CAMERA, track=replace(CAMERA.track, ignore=("car",))))[0] == []


def test_a_new_ignored_area_holds_for_the_past_and_a_removed_one_is_noted():
    """What moved in it is not known."""
    lines = lines_of(*passing())
    sky = Polygon.rectangle(0.0, 0.0, 1.0, 1.0)
    assert tried(lines, CAMERA, replace(CAMERA, ignore=(sky,)))[0] == []
    notes = tried(lines, replace(CAMERA, ignore=(sky,)), CAMERA)[1]["notes"]
    assert notes == ["What moved in areas that were ignored is not known."]


def test_private_areas_and_areas_for_left_objects_hold_for_the_past():
    """What was found in a private area would not have been; left objects are those of their areas, if they were looked for."""
    lines = lines_of(*passing())
    everything, corner = Polygon.rectangle(0.0, 0.0, 1.0, 1.0), Polygon.rectangle(0.0, 0.0, 0.1, 0.1)
    assert tried(lines, CAMERA, replace(CAMERA, private=(everything,)))[0] == []
    notes = tried(lines, replace(CAMERA, private=(everything,)), CAMERA)[1]["notes"]
    assert notes == ["What was in private areas is not known."]
    bag = (Detection(Box(100, 100, 140, 140), said("bag"), "left object"),)
    watching = replace(CAMERA, left=LeftSettings())
    lines = lines_of(*[bag] * 60)
    assert tried(lines, watching, watching)[0] == [("left", "left object")]
    assert tried(lines, watching, replace(watching, left=LeftSettings(area=(corner,))))[0] == []
    assert tried(lines, CAMERA, watching)[1]["notes"] == ["Left objects were not looked for so far, so the past has none."]


def test_a_zone_with_other_settings_is_tried_and_one_elsewhere_noted():
    """Its labels of the past are those of its place."""
    now = Camera("gate", 0, zone=(DOOR,))
    lines = lines_of(*[(Detection(Box(80, 60, 240, 180), said("open", 0.7), "door"),) for _ in range(60)])
    assert tried(lines, now, now)[0] == [("state", "door")]
    strict = replace(DOOR, state=replace(DOOR.state, enter=0.8))
    assert tried(lines, now, replace(now, zone=(strict,)))[0] == []
    kinds, answer = tried(lines, now, replace(now, zone=(replace(DOOR, area=Polygon.rectangle(0, 0, 0.5, 0.5)),)))
    assert (kinds, answer["notes"]) == ([], ["Zone door is new there, so the past has no labels of it."])


def test_what_was_not_looked_at_is_noted():
    """Objects where the whole picture was classified, and the other way round."""
    whole = Camera("gate", 0)
    kinds, answer = tried(lines_of(*[()] * 60), whole, CAMERA)
    assert (kinds, answer["before"]) == ([], 1)
    assert answer["notes"] == ["Moving objects were not followed so far, so the past has none."]
    kinds, answer = tried(lines_of(*passing()), CAMERA, whole)
    assert (kinds, answer["before"]) == ([], 2)
    assert answer["notes"] == ["The whole picture was not classified so far, so the past has no labels of it."]


def test_only_the_last_minutes_are_kept(monkeypatch):
    """Of each camera by itself; those that are gone are forgotten."""
    recent, now = Recent(), [0.0]
    monkeypatch.setattr(module.time, "monotonic", lambda: now[0])
    for index in range(10):
        now[0] = index * 60.0
        recent.write(result(frame(index)))
    recent.write(result(frame(0, camera="yard")))
    assert (len(recent.lines("gate")), len(recent.lines("yard")), recent.lines("nobody")) == (6, 1, [])
    recent.write_state(StateChange("gate", "ended", GONE, 1.0))
    assert recent.lines("gate") == []
    recent.close()
    assert recent.lines("yard") == []


def test_many_busy_cameras_do_not_fill_the_memory(monkeypatch):
    """Each keeps fewer minutes then, and at least its newest line."""
    recent = Recent()
    recent.write(result(frame(0, camera="yard")))
    monkeypatch.setattr(module, "MOST_CHARACTERS", 10 * len(recent.lines("yard")[0]))
    for index in range(30):
        recent.write(result(frame(index)))
    assert 6 < len(recent.lines("gate")) < 11
    recent.write(result(frame(1, camera="yard")))
    assert recent.lines("yard")[0].startswith('{"camera": "yard", "frame": 1,')


@pytest.mark.parametrize("count", [0, 1])
def test_few_pictures_are_no_fault(count):
    """As at the start of a run."""
    assert tried(lines_of(*[()] * count), CAMERA, CAMERA)[1]["frames"] == count
