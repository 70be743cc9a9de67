"""A frame: pixels made when they are asked for, once, and read-only."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from edgecls.event import Event, Moment
from edgecls.frame import Box, Frame, Prediction, StateChange


def counting_frame():
    """A frame of 4x6 and how often its colour and its luma were made."""
    made = {"bgr": 0, "luma": 0}

    def bgr():
        made["bgr"] += 1
        return np.zeros((4, 6, 3), np.uint8)

    def luma():
        made["luma"] += 1
        return np.zeros((4, 6), np.uint8)

    return Frame("door", 7, time_s=0.28, captured_at=1.0, size_hw=(4, 6), bgr=bgr, plane=luma), made


def test_pixels_are_made_once_and_only_when_asked_for():
    """Asking twice for luma makes it once, and never makes colour."""
    frame, made = counting_frame()
    assert made == {"bgr": 0, "luma": 0}
    assert frame.luma() is frame.luma()
    assert made == {"bgr": 0, "luma": 1}
    assert frame.bgr() is frame.bgr()
    assert made == {"bgr": 1, "luma": 1}


@pytest.mark.parametrize("plane", ["bgr", "luma"])
def test_the_pixels_of_a_frame_are_read_only(plane):
    """Whoever draws must draw on a copy: writing raises."""
    picture = getattr(counting_frame()[0], plane)()
    with pytest.raises(ValueError, match="read-only"):
        picture[0, 0] = 1


def test_levels_of_a_video_are_stretched_to_full_range():
    """A limited plane has 16 for black and 235 for white; luma has 0 and 255, and clips what lies outside."""
    plane = np.array([[0, 16, 125, 235, 255]], np.uint8)
    frame = Frame("a", 0, time_s=0, captured_at=0, size_hw=(1, 5), bgr=lambda: plane, plane=lambda: plane, limited=True)
    assert frame.luma().tolist() == [[0, 0, 127, 255, 255]]
    assert frame.plane().tolist() == plane.tolist()


def test_a_source_keeps_its_own_array_writable():
    """The frame locks its view, not the array of the source that made it."""
    pixels = np.zeros((2, 2, 3), np.uint8)
    frame = Frame("a", 0, time_s=0, captured_at=0, size_hw=(2, 2), bgr=lambda: pixels, plane=lambda: pixels[..., 0])
    frame.bgr()
    pixels[0, 0] = 9
    assert frame.bgr()[0, 0].tolist() == [9, 9, 9]


def test_a_frame_names_itself():
    """Its repr has camera, index, time and width x height."""
    assert repr(counting_frame()[0]) == "Frame('door', 7, time_s=0.280, 6x4)"


def test_nouns_do_not_change():
    """A prediction is frozen and equal to one with the same values; a box is a tuple."""
    one = Prediction("stop", 0.9, 14, (("stop", 0.9),))
    assert one == Prediction("stop", 0.9, 14, (("stop", 0.9),))
    with pytest.raises(dataclasses.FrozenInstanceError):
        one.label = "go"
    assert Box(1, 2, 3, 4) == (1, 2, 3, 4)


@pytest.mark.parametrize(
    ("state", "why", "line"),
    [
        ("connecting", "", "gate: connecting"),
        ("live", "", "gate: live"),
        ("lost", "camera 0: cannot be opened", "gate: lost (camera 0: cannot be opened); trying again until pictures come"),
        ("stalled", "no frame for 10 s", "gate: stalled (no frame for 10 s); trying again until pictures come"),
        ("ended", "the end of the file", "gate: ended (the end of the file)"),
    ],
)
def test_a_lost_camera_says_that_it_is_tried_again(state, why, line):
    """Whoever reads that a camera is lost knows whether the run waits for it."""
    assert str(StateChange("gate", state, why, 0.0)) == line


def test_the_seconds_of_an_event_have_no_digits_beyond_milliseconds():
    """The difference of two times that are rounded to milliseconds is one itself."""
    event = Event("object", "gate", "motion", "x", 0.5, Moment(3, 4.32), end=Moment(99, 8.16))
    assert repr(event.duration_s) == "3.84"
