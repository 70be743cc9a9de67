"""The surest mistakes as pictures."""

from __future__ import annotations

import base64
from dataclasses import replace

import cv2
import numpy as np

from edgecls.card import InputSpec
from edgecls.report.mistakes import LARGEST_PX, MOST_SHOWN, mistakes
from tests.report.made import ANSWERS, SPEC, Reader, report


def pictures(read):
    """The pictures of a page, decoded as they are shown: blue-green-red or gray."""
    data = [source.removeprefix("data:image/png;base64,") for source in read.of("img", "src")]
    return [cv2.imdecode(np.frombuffer(base64.b64decode(d), np.uint8), cv2.IMREAD_UNCHANGED) for d in data]


def test_the_surest_comes_first_with_both_scores_and_its_file():
    """0.99 before 0.7; what is right is not shown."""
    read = Reader(mistakes(report(ANSWERS), SPEC))
    assert "Mistakes: 2, the surest first" in read.text
    assert read.text.index("dim 0.005 taken for dark 0.990 dim/4.png") < read.text.index("dark 0.150 taken for dim")
    assert read.of("img", "alt") == ["dim, taken for dark", "dark, taken for dim"]


def test_the_picture_is_what_the_model_sees():
    """Red 10, green 20, blue 4 is (4, 20, 10) in colour whatever order the model takes, and one level in gray."""
    found = report(ANSWERS)
    for color in ("rgb", "bgr"):
        shown = pictures(Reader(mistakes(found, InputSpec(4, 6, color))))[0]
        assert shown.shape == (4, 6, 3)
        assert shown[0, 0].tolist() == [4, 20, 10]
    assert pictures(Reader(mistakes(found, SPEC)))[0].shape == (4, 6)


def test_large_inputs_are_shown_small():
    """A page does not grow with the input of the model: sides of at most 96 pixels, in the same shape."""
    shown = pictures(Reader(mistakes(report(ANSWERS), InputSpec(480, 640, "rgb"))))[0]
    assert shown.shape == (72, LARGEST_PX, 3)


def test_no_more_than_a_page_can_show():
    """48 of 60, and the number of all."""
    read = Reader(mistakes(report([(0, 1, 0.9)] * 60), SPEC))
    assert read.tags.count("figure") == MOST_SHOWN
    assert "The 48 with the highest scores of 60" in read.text


def test_a_picture_that_is_gone_leaves_its_place(tmp_path):
    """A file that was removed since is said in the place of the picture; the page is written."""
    found = report(ANSWERS)
    gone = tuple(replace(item, pixels=None, file=tmp_path / "gone.png") for item in found.items)
    read = Reader(mistakes(replace(found, items=gone), SPEC))
    assert "cannot be read any more" in read.text
    assert "img" not in read.tags
