"""The debug video's pictures, by their pixels."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from edgecls import image
from edgecls.draw.explain import COUNTED, DIMMED, FLASH_S, FOREGROUND, RAW, TINT, UNWATCHED, Explainer, _track_texts
from edgecls.draw.results import FAULT, IGNORED, LINE, SURE
from edgecls.event import Moment
from edgecls.frame import MOTION, Box, Detection, Result, Timing, Unfit
from edgecls.overlay import Crossed, Overlay, OverlayLine, TrackView
from tests.run.world import said

HIGH, WIDE, LEVEL = 360, 640, 150
OBJECT = Box(200, 152, 280, 212)
FILTERED = (204, 158, 284, 218)
TRACK = TrackView(
    7, "car", 0.9, FILTERED, first_s=1.0, last_s=3.0, seen=40, settle=8, votes=(("car", 12.31), ("person", 0.82)),
    path=((0.1, 0.5), (0.3, 0.5)),
)  # fmt: skip
WHOLE = Box(0, 0, WIDE, HIGH)
STOP = OverlayLine("stop", (0.75, 0.1), (0.75, 0.9), "out", "in", "3", "0")


def shown(time_s=3.0, tracks=(TRACK,), crossings=(), unwatched="", unfit=None, boxes=(OBJECT,)):
    """A gray frame in which one object moves; the foreground is that of a picture a quarter as large."""
    frame = image.as_frame(
        np.full((HIGH, WIDE, 3), LEVEL, np.uint8), "road", round(time_s * 25), time_s=time_s, captured_at=0.0
    )
    frame.foreground = np.zeros((HIGH // 4, WIDE // 4), bool)
    frame.foreground[OBJECT.top // 4 : OBJECT.bottom // 4, OBJECT.left // 4 : OBJECT.right // 4] = True
    frame.unwatched = unwatched
    overlay = Overlay(lines=(STOP,), tracks=tuple(tracks), crossings=tuple(crossings))
    detections = tuple(Detection(box, said("car"), MOTION) for box in boxes)
    return Result(frame, detections, Timing(0, 0, 0), unfit, overlay)


def count(picture, color, box=WHOLE):
    """The number of pixels of this colour in a box."""
    return int((picture[box.top : box.bottom, box.left : box.right] == color).all(axis=2).sum())


def test_what_moves_is_tinted_and_the_rest_is_dimmed_and_gray():
    """Where the foreground is, and nowhere else."""
    picture = Explainer().draw(shown(tracks=()))
    gray = round(LEVEL * DIMMED)
    tinted = tuple(int(gray * (1 - TINT) + c * TINT) for c in FOREGROUND)
    inner = Box(OBJECT.left + 1, OBJECT.top + 1, OBJECT.right - 1, OBJECT.bottom - 1)
    assert count(picture, tinted, inner) == (inner.right - inner.left) * (inner.bottom - inner.top)
    assert count(picture, tinted) == count(picture, tinted, inner)
    assert count(picture, (gray, gray, gray)) > 0.8 * HIGH * WIDE
    assert picture.shape == (HIGH, WIDE, 3)


def test_the_boxes_of_the_frame_are_thin_and_those_of_tracks_have_the_colour_of_the_label():
    """One pixel of white around the moving box; the filtered box and the path in the colour of a certain label."""
    picture = Explainer().draw(shown())
    assert tuple(picture[OBJECT.bottom - 30, OBJECT.left]) == RAW
    assert tuple(picture[OBJECT.bottom - 30, OBJECT.left + 1]) != RAW
    assert tuple(picture[FILTERED[3] - 1, FILTERED[0] + 30]) == SURE
    assert tuple(picture[HIGH // 2, WIDE // 10 + 20]) == SURE
    ignored = Explainer().draw(shown(tracks=[TRACK._replace(is_ignored=True)]))
    assert tuple(ignored[FILTERED[3] - 1, FILTERED[0] + 30]) == IGNORED
    assert count(ignored, SURE) == 0


def test_a_crossing_flashes_at_its_line_and_its_track_for_a_while():
    """From the frame that counts it on, for 0.6 s of media time; another line and other tracks do not."""
    other = TRACK._replace(track_id=8, box=(20, 250, 80, 300), path=())
    explainer = Explainer()
    on_line = Box(round(0.75 * WIDE) - 1, 60, round(0.75 * WIDE) + 2, 140)
    assert count(explainer.draw(shown(3.0, [TRACK, other])), COUNTED) == 0
    for time_s in (3.04, 3.04 + FLASH_S - 0.05):
        crossings = [Crossed("stop", "out", 7)] if time_s == 3.04 else []
        picture = explainer.draw(shown(time_s, [TRACK, other], crossings))
        assert count(picture, COUNTED, on_line) > 100
        assert count(picture, COUNTED, Box(*FILTERED)) > 200
        assert count(picture, COUNTED, Box(*other.box)) == 0
    after = explainer.draw(shown(3.04 + FLASH_S, [TRACK, other]))
    assert count(after, COUNTED) == 0
    assert count(after, LINE, on_line) > 50


def test_a_time_that_begins_anew_ends_the_flash():
    """As at the start of another file."""
    explainer = Explainer()
    explainer.draw(shown(3.0, crossings=[Crossed("stop", "out", 7)]))
    assert count(explainer.draw(shown(0.0)), COUNTED) == 0


@pytest.mark.parametrize("why", UNWATCHED)
def test_a_frame_that_was_not_looked_at_says_why(why):
    """A red plate at the top, and nothing is tinted."""
    plate = Box(0, 0, WIDE, 30)
    assert count(Explainer().draw(shown()), FAULT, plate) == 0
    picture = Explainer().draw(shown(tracks=(), unwatched=why, boxes=()))
    assert count(picture, FAULT, plate) > 500
    assert len(np.unique(picture[100:, :400][:200].reshape(-1, 3), axis=0)) == 1


def test_a_faulty_camera_says_so():
    """Also where motion was not asked."""
    unfit = Unfit("covered", Moment(1, 0.04), Moment(2, 0.08))
    result = shown(tracks=(), unfit=unfit, boxes=())
    result.frame.foreground = None
    assert count(Explainer().draw(result), FAULT, Box(0, 0, WIDE, 30)) > 500


def test_the_text_of_a_track_has_its_age_its_votes_and_why_it_is_not_reported():
    """The longest first, so that short ones are left where there is no room."""
    assert _track_texts(TRACK, 3.0) == ["#7 2.0 s car 12.3 / person 0.8", "#7 car 12.3", "#7"]
    assert _track_texts(TRACK._replace(seen=5), 3.0)[0].endswith("(5 of 8 frames)")
    assert _track_texts(TRACK._replace(is_ignored=True), 3.5)[0].endswith("(ignored, not seen for 0.5 s)")


def test_a_result_without_rules_and_one_of_the_whole_frame_are_drawn():
    """A run without lines, zones or motion: the label, on the dimmed picture."""
    whole = replace(shown(boxes=()), detections=(Detection(Box(0, 0, WIDE, HIGH), said("car"), "frame"),), overlay=None)
    whole.frame.foreground = None
    picture = Explainer().draw(whole)
    assert count(picture, SURE, Box(0, 0, 200, 60)) > 100
