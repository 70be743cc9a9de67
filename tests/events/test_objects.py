"""Tests of what becomes an object and what crosses a line, from boxes as motion delivers them: in parts, merged, unsteady."""

from __future__ import annotations

import numpy as np
import pytest

from edgecls.event import Moment
from edgecls.events.detector import Events
from edgecls.events.observation import Observation
from edgecls.events.rules import CountingLine, Rules
from edgecls.events.tracker import TrackSettings
from edgecls.frame import MOTION, Box, Detection, Prediction
from edgecls.regions.geometry import Line

PERSON = Prediction("person", 0.9, -1, (("person", 0.9),))


def drive(boxes_of_frames, rule=None, fps=25, lines=(), box_score=None):
    """Return the events of frames with these boxes, as (left, top, right, bottom) in a picture of 640x360."""
    rules = Rules(lines=lines, track=rule or TrackSettings(), health=False)
    events, told = Events(rules), []
    for index, boxes in enumerate(boxes_of_frames):
        seen = tuple(Detection(Box(*map(round, box)), PERSON, MOTION, box_score) for box in boxes)
        told += events.step(Observation("c", Moment(index, round(index / fps, 3)), (360, 640), seen))
    return told + events.close()


def objects(told):
    """Return the number of objects that were reported."""
    return len({event.track_id for event in told if event.kind == "object"})


def crossings(told):
    """Return the direction of each crossing."""
    return [event.direction for event in told if event.kind == "crossing"]


def walking(left, top=100, wide=30, high=80, speed=4.0, frames=80):
    """Return the box of somebody who walks to the right, in each frame."""
    return [(left + speed * i, top, left + speed * i + wide, top + high) for i in range(frames)]


def test_head_and_legs_are_one_object():
    """They are seen as two boxes above each other, now and then as one."""
    frames = []
    for i, (left, top, right, bottom) in enumerate(walking(50)):
        parts = [(left + 8, top, right - 8, top + 20), (left, top + 24, right, bottom)]
        frames.append([(left, top, right, bottom)] if i % 5 == 0 else parts)
    assert objects(drive(frames)) == 1


@pytest.mark.parametrize("gap", [2, 10])
def test_what_is_always_above_a_larger_object_is_a_part_of_it(gap):
    """A box of its own in each frame does not make it an object."""
    frames = [[(b[0] + 5, b[1] - gap - 25, b[2] - 5, b[1] - gap), b] for b in walking(50)]
    assert objects(drive(frames)) == 1


def test_an_inner_box_is_no_second_object():
    """What moves behind the window of a van."""
    frames = [[b, (b[0] + 20, b[1] + 10, b[0] + 50, b[1] + 30)] for b in walking(50, wide=120)]
    assert objects(drive(frames)) == 1


def test_two_who_walk_beside_each_other_are_two():
    """With a gap of a few pixels."""
    frames = [[one, two] for one, two in zip(walking(50), walking(90), strict=True)]
    assert objects(drive(frames)) == 2


def test_two_who_pass_each_other_stay_two():
    """In one box while they meet, and each goes on in its direction."""
    line = CountingLine("middle", Line((0.5, 0.0), (0.5, 1.0)), left="right", right="left")
    frames = []
    for one, two in zip(walking(60, frames=120), walking(560, speed=-4.0, frames=120), strict=True):
        meet = one[0] < two[2] and two[0] < one[2]
        frames.append([(min(one[0], two[0]), 100, max(one[2], two[2]), 180)] if meet else [one, two])
    told = drive(frames, lines=(line,))
    assert objects(told) == 2
    assert sorted(crossings(told)) == ["left", "right"]


def test_a_flag_that_waves_is_no_object():
    """It moves to and fro by a third of its size for ten seconds."""
    frames = [[(300 + 10 * np.sin(i / 3), 50, 330 + 10 * np.sin(i / 3), 80)] for i in range(250)]
    assert objects(drive(frames)) == 0
    assert objects(drive(frames, TrackSettings(travel=0.0))) == 1


def test_a_box_that_grows_over_a_line_crosses_nothing():
    """Somebody who stands at a line is joined by another one's shadow: the center moves, but one side stays."""
    line = CountingLine("middle", Line((0.5, 0.0), (0.5, 1.0)))
    come = [[(200 + 2 * i, 100, 240 + 2 * i, 180)] for i in range(30)]
    grown = [[(260, 100, min(420, 300 + 20 * i), 180)] for i in range(50)]
    assert crossings(drive(come + grown, lines=(line,))) == []


def test_one_who_jitters_on_a_line_crosses_it_once():
    """He comes from the left and stays on it, with a box that changes its size in each frame."""
    line = CountingLine("middle", Line((0.5, 0.0), (0.5, 1.0)), left="right", right="left")
    come = [[(200 + 3 * i, 100, 240 + 3 * i, 180)] for i in range(36)]
    rng = np.random.default_rng(1)
    stay = [[(304 + rng.normal(0, 5), 100, 346 + rng.normal(0, 5), 180)] for _ in range(200)]
    go = [[(304 + 3 * i, 100, 346 + 3 * i, 180)] for i in range(60)]
    assert crossings(drive(come + stay + go, lines=(line,))) == ["right"]


def test_the_time_of_a_crossing_is_that_of_the_box_that_was_seen():
    """Not of the smoothed one, which comes later where an object slows down."""
    line = CountingLine("middle", Line((0.5, 0.0), (0.5, 1.0)))
    told = drive([[box] for box in walking(100, speed=6.0)], lines=(line,))
    (crossing,) = [event for event in told if event.kind == "crossing"]
    assert crossing.start.time_s == pytest.approx((320 - 115) / 6 / 25, abs=0.05)


def test_boxes_of_a_detector_are_never_parts():
    """Somebody walks before a bus that drives as fast, and a head is above him: three objects. Of motion they would be one."""
    frames = []
    for bus, person in zip(walking(50, wide=200, high=120), walking(120, top=140, wide=30, high=80), strict=True):
        frames.append([bus, person, (person[0] + 8, 110, person[2] - 8, 136)])
    assert objects(drive(frames, box_score=0.8)) == 3
    assert objects(drive(frames)) == 1
