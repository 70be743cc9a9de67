"""Tests of what passes behind something."""

from __future__ import annotations

import pytest

from edgecls import CountingLine, Line, Moment, Rules, TrackSettings
from edgecls.events.center_box import CenterBox
from edgecls.events.detector import CameraEvents
from edgecls.events.hidden import Seen, hiding, off_time
from edgecls.frame import Box, Detection, Prediction

FPS, WIDE, HIGH = 12.5, 640, 360
CAR = Prediction("car", 0.9, 0, (("car", 0.9),))


def seen(boxes, *, from_s=0.0, top=100, bottom=160):
    """Return boxes given as (left, right), one per frame."""
    sized = [CenterBox((left + right) / 2, (top + bottom) / 2, right - left, bottom - top) for left, right in boxes]
    return [Seen(from_s + n / FPS, box) for n, box in enumerate(sized)]


def shown(left, width, wall):
    """Return the parts (left, right) of what is to be seen of an object behind which a wall (left, right) is not."""
    parts = [(left, min(left + width, wall[0])), (max(left, wall[1]), left + width)]
    return [(max(0, a), min(WIDE, b)) for a, b in parts if min(WIDE, b) - max(0, a) >= 6]


def events_of(paths, wall, *, lines=(), seconds=12.0, height=60):
    """Return the events of objects that pass behind a wall: each is a function from seconds to its left side, and its width."""
    camera, told = CameraEvents("c", Rules(lines=lines, track=TrackSettings(), health=False)), []
    for index in range(int(seconds * FPS)):
        found = [
            Detection(Box(round(a), 100, round(b), 100 + height), CAR, "motion")
            for left_of, width in paths
            for a, b in shown(left_of(index / FPS), width, wall)
        ]
        told += [(index, event) for event in camera.step(Moment(index, round(index / FPS, 3)), (HIGH, WIDE), found)]
    return told + [(None, event) for event in camera.close()]


def objects(told):
    """Return the objects that have ended, and the frames in which that was said."""
    return [(index, event) for index, event in told if event.kind == "object" and event.end]


@pytest.mark.parametrize("wall", [(300, 308), (300, 340), (300, 420)])
@pytest.mark.parametrize(("width", "speed"), [(24, 40), (24, 90), (24, -60), (150, 30), (150, 250), (150, -90), (150, -250)])
def test_what_comes_out_on_the_other_side_is_the_same_object(wall, speed, width):
    """A person and a car, slow and fast, behind a pole, a pillar and a wall, both sides seen at once or none for a while."""
    start = 20 if speed > 0 else 600 - width
    told = events_of([(lambda s: start + speed * s, width)], wall, seconds=620 / abs(speed))
    assert len(objects(told)) == 1


def test_a_line_behind_a_wall_is_crossed_once():
    """By the object as a whole, when it comes out."""
    line = CountingLine("line", Line((0.55, 0.0), (0.55, 1.0)))
    told = events_of([(lambda s: 20 + 60 * s, 24)], (300, 400), lines=(line,))
    assert [event.kind for _, event in told if event.kind == "crossing"] == ["crossing"]


def test_two_who_pass_behind_a_wall_in_opposite_directions_stay_two():
    """They are behind it at the same time."""
    told = events_of([(lambda s: 20 + 60 * s, 24), (lambda s: 640 - 60 * s, 24)], (290, 370), seconds=11)
    assert len(objects(told)) == 2


def test_what_does_not_come_out_has_ended_when_it_was_last_seen():
    """It is said four seconds later, because it might have come out."""
    told = events_of([(lambda s: 20 + 60 * s, 24)], (300, 640), seconds=14)
    ((index, event),) = objects(told)
    assert event.end.time_s == pytest.approx((300 - 24 - 20) / 60 + 0.4, abs=0.3)
    assert index / FPS - event.end.time_s == pytest.approx(4, abs=0.2)


def test_what_leaves_the_frame_is_not_waited_for():
    """It has ended after `lost_s`."""
    ((index, event),) = objects(events_of([(lambda s: 420 + 60 * s, 24)], (0, 0)))
    assert index / FPS - event.end.time_s == pytest.approx(1, abs=0.2)


APPROACH = [(100 + 5 * n, min(140 + 5 * n, 240)) for n in range(26)]
"""An object 40 pixels wide, at 62.5 a second, whose front comes to 240."""


def test_where_a_front_stops_and_its_back_follows_something_is_hidden():
    """Its speed is that of its front before."""
    where = hiding(seen(APPROACH), WIDE)
    assert (where.sign, where.at) == (1, 240)
    assert where.speed == pytest.approx(62.5, rel=0.05)
    assert where.since_s == pytest.approx(20 / FPS, abs=0.1)


@pytest.mark.parametrize("boxes", [
    pytest.param([(100, 140)] * 30, id="stands"),
    pytest.param([(100 + n, 140 + n) for n in range(5)], id="hardly seen"),
    pytest.param([(195 - 5 * abs(20 - n), 235 - 5 * abs(20 - n)) for n in range(32)], id="turns round"),
    pytest.param([(480 + 5 * n, min(520 + 5 * n, 640)) for n in range(30)], id="leaves the frame"),
    pytest.param([(100, 140 + 5 * n) for n in range(3)] + [(100 - 5 * n, 155) for n in range(20)], id="grows at its back"),
])  # fmt: skip
def test_others_are_not_hidden(boxes):
    """Nothing is waited for."""
    assert hiding(seen(boxes), WIDE) is None


COMES_OUT = [(280, 286 + 5 * n) for n in range(5)]
"""After a wall of 40 pixels: due 0.64 s after the front has disappeared, at 2.24 s."""


@pytest.mark.parametrize(("young", "fits"), [
    pytest.param(seen(COMES_OUT, from_s=2.4), True, id="in time"),
    pytest.param(seen(COMES_OUT, from_s=4.2), False, id="too late"),
    pytest.param(seen(COMES_OUT, from_s=1.6), False, id="too early"),
    pytest.param(seen(COMES_OUT, from_s=2.4, top=40), False, id="higher"),
    pytest.param(seen(COMES_OUT, from_s=2.4, top=140, bottom=200), False, id="lower down"),
    pytest.param(seen([(280, 400)] * 5, from_s=2.4), False, id="much wider"),
    pytest.param(seen(COMES_OUT[::-1], from_s=2.4), False, id="goes back"),
    pytest.param(seen([(150, 156 + 5 * n) for n in range(5)], from_s=2.4), False, id="before it"),
])  # fmt: skip
def test_what_fits_a_hidden_object(young, fits):
    """By time, size, place and direction."""
    old = seen(APPROACH)
    assert (off_time(young, old, hiding(old, WIDE), WIDE) is not None) == fits


def passing(*paths, frames=150, height=60):
    """Return the boxes of objects in front of each other: each is a function from seconds to its left side, and its width."""
    for index in range(frames):
        sides = sorted((left_of(index / FPS), left_of(index / FPS) + width) for left_of, width in paths)
        joined = sides[:1]
        for left, right in sides[1:]:
            joined = (
                [*joined[:-1], (joined[-1][0], max(right, joined[-1][1]))]
                if left <= joined[-1][1] + 3
                else [*joined, (left, right)]
            )
        yield [Detection(Box(round(a), 100, round(b), 100 + height), CAR, "motion") for a, b in joined if 0 <= a < b <= WIDE]


@pytest.mark.parametrize(("person", "car"), [(50, -50), (60, 110), (35, -140), (40, -35)])
def test_two_that_pass_in_front_of_each_other_stay_two(person, car):
    """They share a box for a while, and go on from there: two objects, and each crosses the line once."""
    line = CountingLine("line", Line((0.5, 0.0), (0.5, 1.0)))
    camera, told = CameraEvents("c", Rules(lines=(line,), health=False)), []
    for index, found in enumerate(passing((lambda s: 30 + person * s, 24), (lambda s: (0 if car > 0 else 490) + car * s, 110))):
        told += camera.step(Moment(index, round(index / FPS, 3)), (HIGH, WIDE), found)
    told += camera.close()
    assert len([event for event in told if event.kind == "object" and event.end]) == 2
    crossings = [event.direction for event in told if event.kind == "crossing"]
    assert sorted(crossings) == sorted("left" if speed > 0 else "right" for speed in (person, car))


def test_two_parts_that_are_longer_than_the_object_are_two_objects():
    """One whose front has stopped is to be seen on this side, and another one on the other side of a wide wall."""
    old = seen([*APPROACH[:22], *[(205, 240)] * 8])
    young = seen([(300, 306 + 5 * n) for n in range(5)], from_s=2.4)
    assert young[-1].time_s > old[-1].time_s or off_time(young, old, hiding(old, WIDE), WIDE) is None
