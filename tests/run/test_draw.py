"""A result drawn on a copy of its frame."""

from __future__ import annotations

import numpy as np
import pytest

from edgecls.event import Moment
from edgecls.frame import Box, Detection, Result, Timing, Unfit
from edgecls.run.draw import FAULT, SURE, UNSURE, draw
from tests.run.world import frame, result, said


def test_the_frame_is_left_as_it_is():
    """Drawing gives another picture of the same size; the frame keeps its pixels and stays read-only."""
    one = frame(level=100, size_hw=(240, 320))
    before = one.bgr().copy()
    picture = draw(result(one))
    assert picture.shape == before.shape
    assert (picture != before).any()
    assert (one.bgr() == before).all()
    assert picture.flags.writeable


def test_frames_are_read_only():
    """Neither the colour nor the gray picture of a frame can be written to."""
    one = frame()
    for picture in (one.bgr(), one.luma()):
        with pytest.raises(ValueError, match="read-only"):
            picture[0, 0] = 0


def test_a_zone_has_a_box_and_the_whole_frame_has_none():
    """A zone's rectangle is drawn at its own pixels; the whole frame gets only its label."""
    one = frame(level=100, size_hw=(240, 320))
    boxed = draw(result(one, Detection(Box(100, 80, 200, 180), said(), "gate")))
    assert tuple(boxed[130, 100]) == tuple(boxed[130, 199]) == tuple(boxed[179, 150]) == SURE
    assert tuple(boxed[130, 150]) == (100, 100, 100)
    whole = draw(result(one))
    assert tuple(whole[130, 0]) == tuple(whole[130, 319]) == (100, 100, 100)


def test_an_unsure_label_has_another_color():
    """A score of a half or more is green, one below is orange."""
    one = frame(level=100, size_hw=(240, 320))
    sure = draw(result(one, Detection(Box(100, 80, 200, 180), said("stop", 0.5), "gate")))
    unsure = draw(result(one, Detection(Box(100, 80, 200, 180), said("stop", 0.49), "gate")))
    assert tuple(sure[130, 100]) == SURE
    assert tuple(unsure[130, 100]) == UNSURE


def test_no_detections_draw_only_the_stamp():
    """Without detections only camera and time stand at the bottom."""
    one = frame(level=100, size_hw=(240, 320))
    picture = draw(Result(one, (), Timing(0, 0, 0)))
    assert (picture[:200] == 100).all()
    assert (picture[200:] != 100).any()


@pytest.mark.parametrize("size_hw", [(1, 1), (2, 3), (17, 31), (1080, 1920)])
@pytest.mark.parametrize("label", ["stop", "a very long label " * 20, "Größe", "停", ""])
def test_any_size_and_any_label_can_be_drawn(size_hw, label):
    """Frames of any size and labels of any length and script are drawn; what the font lacks becomes a question mark."""
    one = frame(level=100, size_hw=size_hw)
    height, width = size_hw
    whole = Detection(Box(0, 0, width, height), said(label), "frame")
    corner = Detection(Box(width - 1, height - 1, width, height), said(label), "corner")
    picture = draw(result(one, whole, corner))
    assert picture.shape == (height, width, 3)
    assert picture.dtype == np.uint8


def test_accents_are_dropped_not_lost():
    """A label with an accent is drawn as the letter without it."""
    one = frame(size_hw=(240, 320))
    box = Box(100, 80, 200, 180)
    pictures = [draw(result(one, Detection(box, said(label), "gate"))) for label in ("Größe", "Gro?e", "Grosse")]
    assert (pictures[0] == pictures[1]).all()
    assert (pictures[0] != pictures[2]).any()


def test_the_fault_of_a_camera_stands_in_the_picture():
    """At the top right, in a colour of its own; with its labels or without."""
    one, now = frame(level=100, size_hw=(240, 320)), Moment(0, 0.0)
    picture = draw(Result(one, (), Timing(0, 0, 0), Unfit("covered", now, now)))
    assert (picture[:20, 200:] == FAULT).all(axis=2).any()
    assert (picture[30:200] == 100).all()
