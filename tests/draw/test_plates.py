"""Labels on drawn scenes: it is clear which box each belongs to, and they stay in place from frame to frame."""

from __future__ import annotations

import itertools
from typing import NamedTuple

import numpy as np
import pytest

from edgecls import image
from edgecls.draw import plates as plates_of
from edgecls.draw.lettering import text_px
from edgecls.draw.results import draw
from edgecls.draw.steady import FORGET_S, HIDDEN, PATIENCE_S, Steady
from edgecls.frame import Box, Detection, Result, Timing
from edgecls.overlay import Mark, Overlay
from tests.run.world import said

SIZES = [(180, 320), (360, 640), (480, 640), (720, 1280), (1080, 1920), (1280, 720)]


class Shown(NamedTuple):
    """A label as it was drawn, and the line to its box if there is one."""

    text: str
    at: Box
    line: Box | None


class Drawn:
    """The labels of the last drawn picture."""

    def __init__(self) -> None:
        """Start without any labels."""
        self.labels: dict[int, Shown] = {}
        self.others: list[Shown] = []

    def take(self, plates: plates_of.Plates) -> None:
        """Record the position of each label, and the line that ends at its plate."""
        self.labels, self.others = {}, []
        lines = [line for line, _ in plates._lines]
        for text, _, left, top, width in plates._plates:
            at = Box(left, top, left + width, top + plates.height)
            shown = Shown(text, at, next((line for line in lines if touch(line, at)), None))
            if text.startswith("#"):
                self.labels[int(text.split()[0][1:])] = shown
            else:
                self.others.append(shown)

    @property
    def all(self) -> list[Shown]:
        """All plates of the picture."""
        return [*self.labels.values(), *self.others]


@pytest.fixture
def drawn(monkeypatch) -> Drawn:
    """Record the labels of the last call of `draw`."""
    found = Drawn()
    finish = plates_of.Plates.finish

    def note(self: plates_of.Plates) -> None:
        found.take(self)
        finish(self)

    monkeypatch.setattr(plates_of.Plates, "finish", note)
    return found


def overlap(a: Box, b: Box) -> bool:
    """Whether two boxes share a pixel."""
    return a.left < b.right and b.left < a.right and a.top < b.bottom and b.top < a.bottom


def touch(a: Box, b: Box) -> bool:
    """Whether two boxes share an edge or a pixel."""
    return a.left <= b.right and b.left <= a.right and a.top <= b.bottom and b.top <= a.bottom


def tracks(boxes: list[Box], size_hw: tuple[int, int], *, time_s: float = 0.0, label: str = "person") -> Result:
    """Return the result for a frame in which each of these boxes is a track, with ids from 1."""
    frame = image.as_frame(np.full((*size_hw, 3), 100, np.uint8), "gate", 0, time_s=time_s, captured_at=0.0)
    marks = tuple(Mark(i, label, 0.8) for i in range(1, len(boxes) + 1))
    return Result(
        frame, tuple(Detection(box, said(label), "motion") for box in boxes), Timing(0, 0, 0), None, Overlay(marks=marks)
    )


def walkers(count: int, size_hw: tuple[int, int], seed: int, spread: float = 0.2) -> list[Box]:
    """Return random boxes of persons, most of them near the middle."""
    height, width = size_hw
    rng = np.random.default_rng(seed)
    boxes = []
    for x, y, size in zip(*rng.normal(0.5, spread, (2, count)).clip(0, 0.9), rng.uniform(0.08, 0.2, count), strict=True):
        left, top = int(x * width), int(y * height)
        boxes.append(Box(left, top, min(width, left + int(size * height / 2)), min(height, top + int(size * height))))
    return boxes


@pytest.mark.parametrize("size_hw", SIZES)
@pytest.mark.parametrize("count", [1, 3, 12, 30])
@pytest.mark.parametrize("seed", range(3))
def test_it_is_clear_which_label_belongs_to_which_box(drawn, size_hw, count, seed):
    """No label overlaps another one or leaves the picture. Each touches its own box or has a line to it, and none is at the
    edge of another box. Labels without room are counted.
    """
    boxes = walkers(count, size_hw, seed)
    draw(tracks(boxes, size_hw))
    for a, b in itertools.combinations(drawn.all, 2):
        assert not overlap(a.at, b.at)
    for number, (_, at, line) in drawn.labels.items():
        assert at.left >= 0
        assert at.top >= 0
        assert at.right <= size_hw[1]
        assert at.bottom <= size_hw[0]
        own = boxes[number - 1]
        assert touch(at, own) or (line is not None and touch(line, own))
        for other in boxes:
            within = other.left < at.left and at.right < other.right and other.top < at.top and at.bottom < other.bottom
            assert other == own or within or not touch(at, other)
    hidden = count - len(drawn.labels)
    assert any(text.startswith(f"{hidden} label") for text, *_ in drawn.others) == (hidden > 0)
    if count <= 3:
        assert hidden == 0


@pytest.mark.parametrize("size_hw", SIZES)
def test_a_label_without_room_is_shortened(drawn, size_hw):
    """A single label has its whole text; in a dense row all objects have a label, but some labels are only ids."""
    height, width = size_hw
    one = Box(width // 2, height // 2, width // 2 + height // 8, height // 2 + height // 4)
    draw(tracks([one], size_hw))
    assert drawn.labels[1].text == "#1 person 80%"
    px = text_px(size_hw)
    row = [Box(x, height // 2, x + 3 * px, height // 2 + height // 4) for x in range(px, width - 4 * px, 4 * px)][:8]
    draw(tracks(row, size_hw))
    assert len(drawn.labels) == len(row)
    assert {shown.text for shown in drawn.labels.values()} & {f"#{i}" for i in range(1, 9)}


def test_a_label_may_be_away_from_its_box_with_a_line(drawn):
    """If there are other boxes on all sides, and the gap above is too narrow for a label."""
    middle = Box(300, 170, 330, 200)
    above, sides, below = (
        [(200, 140, 310, 167), (320, 140, 430, 167)],
        [(200, 172, 298, 260), (332, 172, 430, 260)],
        (300, 203, 330, 260),
    )
    draw(tracks([middle, *(Box(*box) for box in (*above, *sides, below))], (360, 640)))
    text, at, line = drawn.labels[1]
    assert text == "#1 person"
    assert at.bottom < 140
    assert line is not None
    assert touch(line, middle)
    assert 310 < line.left < line.right < 320


@pytest.mark.parametrize("size_hw", SIZES)
def test_labels_stay_in_place_when_boxes_jitter(drawn, size_hw):
    """If boxes move by a pixel from frame to frame, each label keeps its place at its box, even in a crowd."""
    boxes = walkers(20, size_hw, seed=5)
    rng, steady = np.random.default_rng(0), Steady()
    draw(tracks(boxes, size_hw), steady)
    first = dict(drawn.labels)
    for number in range(1, 25):
        jittered = [Box(*np.array(box) + np.tile(rng.integers(-1, 2, 2), 2)) for box in boxes]
        draw(tracks(jittered, size_hw, time_s=number / 50), steady)
        for of, shown in drawn.labels.items():
            if of in first:
                assert abs(shown.at.left - first[of].at.left) <= 3
                assert abs(shown.at.top - first[of].at.top) <= 3
    assert drawn.labels.keys() == first.keys()


def test_a_label_comes_back_when_its_place_has_been_free_for_a_while(drawn):
    """A passer-by displaces it at once; it does not jump back as soon as the place is free."""
    stays, passes = Box(300, 150, 340, 250), Box(310, 100, 350, 149)
    steady, away = Steady(), Box(20, 20, 60, 120)
    tops = []
    for number in range(60):
        draw(tracks([stays, passes if 10 <= number < 20 else away], (360, 640), time_s=number / 25), steady)
        tops.append(drawn.labels[1].at)
    assert len(set(tops[:10])) == len(set(tops[10:20])) == 1
    assert tops[9] != tops[10]
    back = tops.index(tops[0], 10)
    assert back == pytest.approx(20 + PATIENCE_S * 25, abs=1)
    assert set(tops[back:]) == {tops[0]}


def test_the_same_frame_gives_the_same_picture():
    """Drawing is deterministic."""
    boxes = walkers(20, (360, 640), seed=1)
    assert (draw(tracks(boxes, (360, 640))) == draw(tracks(boxes, (360, 640)))).all()


def test_labels_that_are_no_longer_drawn_are_forgotten():
    """The tracks of a long run do not accumulate; a track that is missing for a moment is remembered."""
    steady = Steady()
    for number in range(1000):
        steady.choose(number, 3, still_free=True, time_s=float(number))
        steady.forget(float(number))
    assert steady.spot(999) == 3
    assert steady.spot(int(999 - FORGET_S) - 1) is None
    assert steady.choose(999, 5, still_free=True, time_s=999.5) == 3
    assert steady.choose(999, HIDDEN, still_free=False, time_s=999.6) == HIDDEN
    assert steady.choose(None, 7, still_free=True, time_s=0.0) == 7


@pytest.mark.parametrize(
    ("size_hw", "px"), [((360, 640), 10), ((480, 640), 10), ((720, 1280), 15), ((1080, 1920), 22), ((2160, 3840), 45)]
)
def test_text_grows_with_the_picture(size_hw, px):
    """It has a fiftieth of the height, but stays readable on a small picture; on an upright one it depends on the width."""
    assert text_px(size_hw) == px
    assert text_px((size_hw[1], size_hw[0])) <= size_hw[0] * 0.75 / 48 + 10
    height, width = size_hw
    assert text_px(size_hw) <= max(10, height / 48, width / 64)


def overlay_of(*marks: Mark | None) -> Overlay:
    """Return an overlay that ignores the label "background"."""
    return Overlay(marks=marks, ignored_labels=("background",))


def test_an_object_without_a_track_shows_only_its_label(drawn):
    """Not "motion: unknown". Objects that overlap a track or have an ignored label are not labelled."""
    frame = image.as_frame(np.full((360, 640, 3), 100, np.uint8), "gate", 0, time_s=0.0, captured_at=0.0)
    track, part, new, ignored = (
        Box(100, 100, 200, 300),
        Box(110, 290, 150, 320),
        Box(400, 100, 440, 160),
        Box(500, 100, 540, 160),
    )
    labels = ("person", "vehicle", "unknown", "background")
    found = tuple(Detection(box, said(label), "motion") for box, label in zip((track, part, new, ignored), labels, strict=True))
    draw(Result(frame, found, Timing(0, 0, 0), None, overlay_of(Mark(7, "person", 0.8), None, None, None)))
    assert drawn.labels.keys() == {7}
    assert [shown.text for shown in drawn.others] == ["gate 0.00 s", "unknown 90%"]
