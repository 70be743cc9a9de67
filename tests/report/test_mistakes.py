"""The pictures of the most confident mistakes."""

from __future__ import annotations

import base64
from dataclasses import replace

import cv2
import numpy as np

from edgecls.input_spec import InputSpec
from edgecls.report.mistakes import LARGEST_PX, MOST_SHOWN, mistakes
from tests.report.made import ANSWERS, SPEC, Reader, report


def pictures(read):
    """Return the decoded pictures of a page, BGR or gray."""
    data = [source.removeprefix("data:image/png;base64,") for source in read.of("img", "src")]
    return [cv2.imdecode(np.frombuffer(base64.b64decode(d), np.uint8), cv2.IMREAD_UNCHANGED) for d in data]


def test_the_most_confident_mistake_comes_first():
    """The order is 0.99, 0.7, each with both scores and its file; right answers are not shown."""
    read = Reader(mistakes(report(ANSWERS), SPEC))
    assert "Mistakes: 2, the most confident first" in read.text
    assert read.text.index("dim 0.005 taken for dark 0.990 dim/4.png") < read.text.index("dark 0.150 taken for dim")
    assert read.of("img", "alt") == ["dim, taken for dark", "dark, taken for dim"]


def test_the_picture_is_what_the_model_sees():
    """The colours are right for models with RGB and with BGR input, and a gray model shows one level."""
    found = report(ANSWERS)
    for color in ("rgb", "bgr"):
        shown = pictures(Reader(mistakes(found, InputSpec(4, 6, color))))[0]
        assert shown.shape == (4, 6, 3)
        assert shown[0, 0].tolist() == [4, 20, 10]
    assert pictures(Reader(mistakes(found, SPEC)))[0].shape == (4, 6)


def test_large_inputs_are_shown_small():
    """Sides have at most 96 pixels, and the aspect ratio stays the same."""
    shown = pictures(Reader(mistakes(report(ANSWERS), InputSpec(480, 640, "rgb"))))[0]
    assert shown.shape == (72, LARGEST_PX, 3)


def test_no_more_than_a_page_can_show():
    """48 of 60 are shown, with the total number."""
    read = Reader(mistakes(report([(0, 1, 0.9)] * 60), SPEC))
    assert read.tags.count("figure") == MOST_SHOWN
    assert "The 48 with the highest scores of 60" in read.text


def test_a_missing_picture_is_replaced_by_a_message(tmp_path):
    """The file was removed since the evaluation; the page is written all the same."""
    found = report(ANSWERS)
    gone = tuple(replace(item, pixels=None, file=tmp_path / "gone.png") for item in found.items)
    read = Reader(mistakes(replace(found, items=gone), SPEC))
    assert "cannot be read any more" in read.text
    assert "img" not in read.tags
