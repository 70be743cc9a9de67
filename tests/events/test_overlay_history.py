"""Tests of what is drawn besides labels: totals of lines, objects in zones, tracks and their paths."""

from __future__ import annotations

from edgecls.event import Moment
from edgecls.events.detector import CameraEvents
from edgecls.events.rules import CountingLine, Rules, Zone
from edgecls.frame import MOTION, Box, Detection
from edgecls.regions.geometry import Line, Polygon
from tests.run.world import said

RULES = Rules(
    zones=(Zone("right half", Polygon.rectangle(0.5, 0.0, 0.5, 1.0), look="objects"),),
    lines=(CountingLine("middle", Line((0.5, 0.0), (0.5, 1.0)), left="in", right="out"),),
)
HIGH, WIDE = 200, 400


def driven(camera: CameraEvents, xs, label: str = "car") -> None:
    """Move a box of 40x40 pixels along y = 100, to one x per frame."""
    for i, x in enumerate(xs):
        box = Box(x, 80, x + 40, 120)
        camera.step(
            Moment(i, i / 25), (HIGH, WIDE), [Detection(box, said("green"), "lamp"), Detection(box, said(label), MOTION)]
        )


def test_totals_tracks_and_paths_are_those_of_the_frames():
    """A car that crosses the middle from left to right is counted once, is in the right half, and has a path."""
    camera = CameraEvents("gate", RULES)
    driven(camera, range(20, 320, 10))
    overlay = camera.overlay()
    line, zone = overlay.lines[0], overlay.areas[0]
    assert (line.name, line.left, line.left_note, line.right, line.right_note) == ("middle", "in", "1", "out", "0")
    assert (zone.name, zone.look, zone.note) == ("right half", "objects", "1")
    assert overlay.marks[0] is None  # the lamp is no track
    mark = overlay.marks[1]
    assert mark is not None
    assert (mark.track_id, mark.label, mark.is_ignored) == (1, "car", False)
    assert mark.path[0][0] < 0.2
    assert mark.path[-1][0] > 0.7
    assert {round(y, 1) for _, y in mark.path} == {0.5}


def test_ignored_objects_are_marked_and_not_counted():
    """Their boxes are drawn, but not as objects."""
    camera = CameraEvents("gate", RULES)
    driven(camera, range(20, 320, 10), "background")
    overlay = camera.overlay()
    assert overlay.marks[1] is not None
    assert overlay.marks[1].is_ignored
    assert (overlay.lines[0].left_note, overlay.areas[0].note) == ("0", "0")


def test_paths_end_with_their_tracks_and_totals_stay():
    """After a gap of many seconds there is another track, with its own path."""
    camera = CameraEvents("gate", RULES)
    driven(camera, range(20, 320, 10))
    camera.step(Moment(1000, 40.0), (HIGH, WIDE), [])
    overlay = camera.overlay()
    assert overlay.marks == ()
    assert (overlay.lines[0].left_note, overlay.areas[0].note) == ("1", "0")
