"""Drawing a result on a copy of its frame."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from edgecls.draw import plates as plates_of
from edgecls.draw.lettering import drawable
from edgecls.draw.results import FAULT, IGNORED, LINE, NEW, SURE, UNSURE, ZONE, draw
from edgecls.event import Moment
from edgecls.frame import MOTION, Box, Detection, Result, Timing, Unfit
from edgecls.overlay import Area, Mark, Overlay, OverlayLine, TrackView
from tests.run.world import frame, result, said


def test_the_frame_is_not_changed():
    """Drawing returns a new picture of the same size; the frame keeps its pixels."""
    one = frame(level=100, size_hw=(240, 320))
    before = one.bgr().copy()
    picture = draw(result(one))
    assert picture.shape == before.shape
    assert (picture != before).any()
    assert (one.bgr() == before).all()
    assert picture.flags.writeable


def test_a_track_that_is_carried_looks_like_a_detection():
    """On a frame that the detector did not look at: the box, clipped to the frame, the label and the path."""
    one = frame(level=100, size_hw=(240, 320))
    path = ((0.2, 0.5), (0.5, 0.5))
    view = TrackView(3, "car", 0.9, (100, 60, 400, 120), first_s=0, last_s=1, seen=9, settle=8, votes=(), path=path)
    carried = draw(replace(result(one), detections=(), overlay=Overlay(carried=(view,))))
    found = Detection(Box(100, 60, 320, 120), said("car", 0.9), MOTION)
    seen = draw(replace(result(one, found), overlay=Overlay(marks=(Mark(3, "car", 0.9, path),))))
    assert (carried == seen).all()
    assert (carried != one.bgr()).any()


def test_frames_are_read_only():
    """Neither the colour picture nor the gray picture of a frame is writeable."""
    one = frame()
    for picture in (one.bgr(), one.luma()):
        with pytest.raises(ValueError, match="read-only"):
            picture[0, 0] = 0


def test_a_zone_has_a_box_and_the_whole_frame_has_none():
    """A zone's rectangle is drawn exactly at its pixels; the whole frame only has its label."""
    one = frame(level=100, size_hw=(240, 320))
    boxed = draw(result(one, Detection(Box(100, 80, 200, 180), said(), "gate")))
    assert tuple(boxed[130, 100]) == tuple(boxed[130, 199]) == tuple(boxed[179, 150]) == ZONE
    assert tuple(boxed[130, 150]) == (100, 100, 100)
    whole = draw(result(one))
    assert tuple(whole[130, 0]) == tuple(whole[130, 319]) == (100, 100, 100)


def test_an_unsure_label_has_another_color():
    """A score of at least 0.5 is green, a lower one is orange."""
    one = frame(level=100, size_hw=(240, 320))
    sure = draw(result(one, Detection(Box(100, 80, 200, 180), said("stop", 0.5), "motion")))
    unsure = draw(result(one, Detection(Box(100, 80, 200, 180), said("stop", 0.49), "motion")))
    assert tuple(sure[130, 100]) == SURE
    assert tuple(unsure[130, 100]) == UNSURE


def test_without_detections_only_the_stamp_is_drawn():
    """The camera and the time, at the bottom."""
    one = frame(level=100, size_hw=(240, 320))
    picture = draw(Result(one, (), Timing(0, 0, 0)))
    assert (picture[:200] == 100).all()
    assert (picture[200:] != 100).any()


@pytest.mark.parametrize("size_hw", [(1, 1), (2, 3), (17, 31), (1080, 1920)])
@pytest.mark.parametrize("label", ["stop", "a very long label " * 20, "Größe", "停", ""])
def test_any_size_and_any_label_can_be_drawn(size_hw, label):
    """Frames of any size, and labels of any length and script."""
    one = frame(level=100, size_hw=size_hw)
    height, width = size_hw
    whole = Detection(Box(0, 0, width, height), said(label), "frame")
    corner = Detection(Box(width - 1, height - 1, width, height), said(label), "corner")
    picture = draw(result(one, whole, corner))
    assert picture.shape == (height, width, 3)
    assert picture.dtype == np.uint8


@pytest.mark.parametrize(
    ("label", "latin", "with_font"),
    [
        ("Größe", "Grosse", "Größe"),
        ("łódź", "lodz", "łódź"),
        ("Стоп", "Stop", "Стоп"),
        ("Ωμέγα", "Omega", "Ωμέγα"),
        ("とまれ", "tomare", "とまれ"),
        ("停", "[505c]", "停"),
        ("\N{AUTOMOBILE}", "[automobile]", "[automobile]"),
        ("a\nb", "a b", "a b"),
    ],
)
def test_characters_that_the_font_lacks_are_replaced(label, latin, with_font):
    """The font of OpenCV 4 has only ASCII, that of OpenCV 5 most scripts. With neither, text becomes question marks."""
    assert drawable(label, has_font=False) == latin
    assert drawable(label, has_font=True) == with_font


def test_unknown_has_a_color_of_its_own():
    """It does not depend on the score."""
    one = frame(level=100, size_hw=(240, 320))
    for score in (0.2, 0.9):
        picture = draw(result(one, Detection(Box(100, 80, 200, 180), said("unknown", score), "motion")))
        assert tuple(picture[130, 100]) == NEW


@pytest.mark.parametrize("with_overlay", [False, True])
def test_the_color_of_a_zone_does_not_depend_on_its_label(with_overlay):
    """Nor does the plate with its name; the plate of the label has the colour of the label."""
    one = frame(level=100, size_hw=(240, 320))
    square = ((0.3125, 1 / 3), (0.625, 1 / 3), (0.625, 0.75), (0.3125, 0.75))
    overlay = Overlay((Area("gate", square, "state"),)) if with_overlay else None
    for label, score, behind in (("stop", 0.9, SURE), ("go", 0.3, UNSURE), ("unknown", 0.6, NEW)):
        picture = draw(replace(result(one, Detection(Box(100, 80, 200, 180), said(label, score), "gate")), overlay=overlay))
        assert tuple(picture[130, 100]) == tuple(picture[150, 200 if with_overlay else 199]) == ZONE
        above = picture[60:80].reshape(-1, 3)
        found = {color for color in (SURE, UNSURE, NEW) if (above == color).all(axis=1).any()}
        assert found == {behind}
        assert tuple(picture[78, 101]) == ZONE  # the name


@pytest.fixture
def texts(monkeypatch):
    """Record all texts that are drawn."""
    found = []
    monkeypatch.setattr(plates_of, "put_text", lambda _picture, text, *_where: found.append(text))
    return found


def test_labels_without_room_are_counted(texts):
    """In a grid of boxes, many labels would touch several boxes; the number of hidden ones is shown beside the stamp."""
    boxes = [Box(x, y, x + 20, y + 20) for x in range(0, 200, 24) for y in range(48, 200, 24)]
    draw(result(frame(size_hw=(240, 320)), *(Detection(box, said(), "motion") for box in boxes)))
    labels = sum(text.startswith("stop") for text in texts)
    assert 10 < labels < 40
    assert texts[-1] == f"{len(boxes) - labels} labels hidden"


def test_zones_lines_totals_and_paths_are_drawn(texts):
    """With their names and numbers; the box of a track has the id and the label of the track."""
    one = frame(level=100, size_hw=(432, 768))
    overlay = Overlay(
        (Area("bay", ((0.1, 0.5), (0.3, 0.5), (0.3, 0.9)), "objects", "2"),),
        (OverlayLine("stop", (0.1, 0.4), (0.9, 0.4), "up", "down", "12", "7"),),
        (Mark(3, "person", 0.8, ((0.5, 0.7), (0.6, 0.7))), Mark(4, "background", 0.9, (), is_ignored=True)),
    )
    boxes = [Detection(Box(500, 260, 560, 340), said("car"), "motion"), Detection(Box(600, 260, 640, 300), said("x"), "motion")]
    picture = draw(replace(result(one, *boxes), overlay=overlay))
    assert set(texts) == {"gate 0.00 s", "stop", "up 12", "down 7", "bay: 2", "#3 person 80%"}
    assert tuple(picture[173, 100]) == LINE
    assert tuple(picture[302, 430]) == SURE  # the path
    assert tuple(picture[280, 600]) == IGNORED


def test_the_fault_of_a_camera_is_drawn():
    """At the top right, in its own colour, even without labels."""
    one, now = frame(level=100, size_hw=(240, 320)), Moment(0, 0.0)
    picture = draw(Result(one, (), Timing(0, 0, 0), Unfit("covered", now, now)))
    assert (picture[:20, 200:] == FAULT).all(axis=2).any()
    assert (picture[30:200] == 100).all()
