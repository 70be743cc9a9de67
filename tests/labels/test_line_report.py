"""How well lines are placed in small drawn worlds: every path is known."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from edgecls import Classifier, CountingLine, Line, Pipeline, Polygon, Rules, image, observe, summarize
from edgecls.event import Moment
from edgecls.events.observation import Observation
from edgecls.frame import MOTION, Box, Detection
from edgecls.labels.line_report import FEWEST
from edgecls.regions.motion import Motion, MotionSettings
from tests.run.drawn_road import LAMP, road
from tests.run.world import said
from tests.tiny import color_model

FPS = 10
HIGH, WIDE = 400, 400
SIDE = 20
WARM_S = 4.0
"""Nothing moves at first: what is there at once may have come before the recording."""


def walk(start, end, seconds=5.0, *, by=()):
    """The points of an object that moves from start via others to end at a steady speed."""
    corners = np.array([start, *by, end], float)
    steps = np.linspace(0, len(corners) - 1, round(seconds * FPS))
    return [tuple(np.array([np.interp(s, range(len(corners)), corners[:, axis]) for axis in (0, 1)])) for s in steps]


def watched(paths, line, *, labels=(), kinds=None, gap_s=2.0, side=SIDE):
    """The report of a line, after one object after another; a path is a list of points in fractions of the frame."""
    seen: list[Observation] = []

    def show(places, label="car"):
        index = len(seen)
        ends = [(x * WIDE - side / 2, y * HIGH - side / 2, x * WIDE + side / 2, y * HIGH + side / 2) for x, y in places]
        boxes = [Box(*(round(min(max(v, 0), WIDE)) for v in end)) for end in ends]  # cut off at the edge of the picture
        boxes = [box for box in boxes if box.right > box.left]
        found = tuple(Detection(box, said(label), MOTION) for box in boxes)
        seen.append(Observation("road", Moment(index, index / FPS), (HIGH, WIDE), found))

    for _ in range(round(WARM_S * FPS)):
        show([])
    for number, path in enumerate(paths):
        for place in path:
            show([place], "car" if kinds is None else kinds[number])
        for _ in range(round(gap_s * FPS)):
            show([])
    rules = Rules(lines=(CountingLine("stop", line, left="out", right="in", labels=labels),))
    (report,) = summarize(seen, {"road": rules}).lines
    return report


ACROSS = Line((0.1, 0.5), (0.9, 0.5))


def test_a_line_that_all_pass_is_well_placed():
    """Ten each way, from edge to edge: nothing is to be improved."""
    paths = [walk((0.5, 0.05), (0.5, 0.95)), walk((0.4, 0.95), (0.4, 0.05))] * 5
    report = watched(paths, ACROSS)
    assert (report.verdict, report.objects, report.passing, report.crossings) == ("good", 10, 10, {"out": 5, "in": 5})
    assert (report.appeared, report.vanished, report.missed, report.came_back, report.better) == (0, 0, 0, 0, None)
    assert report.angle_deg == pytest.approx(90, abs=1)
    assert str(report) == (
        'road, line "stop": well placed; 10 objects crossed it (5 out, 5 in), all of them seen more than 5 % of the picture '
        "from it on both sides"
    )
    assert "10 objects crossed it (5 out, 5 in), 9 of them seen" in str(replace(report, passing=9))


def test_a_place_that_would_be_called_bad_itself_is_not_proposed():
    """More objects pass 0.7 than the line, but many others vanish there."""
    paths = [walk((0.5, 0.1), (0.5, 0.53))] * 5 + [walk((0.5, 0.6), (0.5, 0.9))] * 12
    paths += [walk((x, 0.95), (x, y)) for x in (0.3, 0.4, 0.6) for y in (0.66, 0.7, 0.74, 0.78)]
    report = watched(paths, ACROSS)
    assert report.verdict == "bad"
    assert report.better is None or watched(paths, report.better).verdict == "good"


def test_objects_that_vanish_behind_the_line_are_counted_and_a_better_place_is_found():
    """A post hides everything below 0.53, right behind the line; 7 of 10 go there, 3 come from there."""
    paths = [walk((0.5, 0.1), (0.5, 0.53))] * 7 + [walk((0.5, 0.53), (0.5, 0.1))] * 3
    report = watched(paths, ACROSS)
    assert (report.verdict, report.objects, report.vanished, report.appeared, report.missed) == ("bad", 10, 7, 3, 0)
    assert report.passing == 0
    assert report.passing_there == 10
    assert report.better is not None
    (x1, y1), (x2, y2) = report.better.start, report.better.end
    assert (x1, x2, y1) == (0.1, 0.9, y2)
    assert 0.43 < y1 < 0.455, "the nearest place with 8 % to the post"
    assert str(report) == (
        'road, line "stop": badly placed: 10 of 10 objects that crossed it appeared or vanished less than 5 % of the picture '
        f"from it; move it to [[0.1, {y1:g}], [0.9, {y1:g}]], where 10 objects pass from side to side instead of 0"
    )


def test_objects_that_vanish_before_the_line_are_missed():
    """It is at the edge of the picture: they leave before their middle gets there, and nothing is ever counted."""
    report = watched([walk((0.2, 0.4), (0.94, 0.4)), walk((0.94, 0.6), (0.2, 0.6))] * 4, Line((0.97, 0.1), (0.97, 0.9)))
    assert (report.verdict, report.objects, report.missed, report.crossings) == ("bad", 0, 8, {"out": 0, "in": 0})
    assert report.better is not None
    assert 0.83 < report.better.start[0] < 0.865
    assert "8 objects appeared or vanished less than 5 % of the picture from it without crossing it; move it to" in str(report)


def test_objects_that_are_not_seen_whole_where_they_cross_are_reported():
    """They are wide, and leave over the right edge: while their middle crosses the line there, only their left edge moves."""
    paths = [walk((0.3, 0.5), (1.3, 0.5), 6.0)] * 8
    report = watched(paths, Line((0.92, 0.1), (0.92, 0.9)), side=140)
    assert (report.verdict, report.objects, report.uncounted) == ("bad", 0, 8)
    assert "8 objects passed it uncounted, as they are not seen whole there; move it to" in str(report)
    assert report.better is not None
    again = watched(paths, report.better, side=140)
    assert again.uncounted == 0
    assert again.objects == 8


def test_crossings_that_come_straight_back_are_counted():
    """Four of six turn round behind the line and are back within two seconds; farther on, the other two pass alone."""
    back = [(0.5, 0.1 + 0.5 * float(np.sin(turn))) for turn in np.linspace(0, np.pi, 5 * FPS)]
    report = watched([back] * 4 + [walk((0.5, 0.1), (0.5, 0.9), 6.0)] * 2, Line((0.1, 0.55), (0.9, 0.55)))
    assert (report.verdict, report.came_back, report.crossings) == ("bad", 4, {"out": 4, "in": 6})
    assert "4 crossings came straight back" in str(report)
    assert report.better is not None
    assert report.better.start[1] == pytest.approx(0.61, abs=0.011)
    assert report.passing_there == 2


def test_a_return_after_a_while_is_none():
    """Those who go in and come out again later are two crossings each."""
    wait = [(0.5, 0.9)] * (3 * FPS)
    there_and_back = [*walk((0.5, 0.1), (0.5, 0.9)), *wait, *walk((0.5, 0.9), (0.5, 0.1))]
    report = watched([there_and_back] * 6, ACROSS)
    assert (report.came_back, report.crossings, report.objects) == (0, {"out": 6, "in": 6}, 6)


def test_a_line_along_the_way_is_turned():
    """All drive to the right and a little downwards, over a line that goes to the right."""
    paths = [walk((0.1, 0.44), (0.9, 0.58)), walk((0.9, 0.6), (0.1, 0.42))] * 4
    report = watched(paths, Line((0.2, 0.5), (0.8, 0.5)))
    assert report.verdict == "bad"
    assert report.angle_deg == pytest.approx(11, abs=3)
    assert f"objects move along it, at {report.angle_deg:.0f} degrees, and not across" in str(report)
    assert report.better is not None
    turned = watched(paths, report.better)
    assert turned.verdict == "good"
    assert turned.angle_deg == pytest.approx(90, abs=5)
    assert turned.passing == report.passing_there == 8


def test_what_it_suggests_counts_as_it_says():
    """A slanted line near a post, and objects that come at different heights: the rules with the better line count all."""
    rng = np.random.default_rng(0)
    paths = [walk((float(rng.uniform(0.02, 0.1)), y := float(rng.uniform(0.3, 0.7))), (0.62, y)) for _ in range(12)]
    report = watched(paths, Line((0.62, 0.1), (0.58, 0.9)))
    assert report.verdict == "bad"
    again = watched(paths, report.better)
    assert (again.verdict, again.objects, again.passing) == ("good", 12, report.passing_there)


def test_where_no_place_is_better_it_says_so():
    """Objects that are seen for a moment only, wherever a line is."""
    paths = [walk((0.5, y), (0.5, y + 0.08), 2.0) for y in (0.46, 0.47) * 4]
    report = watched(paths, Line((0.1, 0.5), (0.9, 0.5)))
    assert (report.verdict, report.better) == ("bad", None)
    assert str(report).endswith("no place beside it is better, so draw it where objects are seen whole and move straight on")


def test_a_line_at_the_edge_of_a_drawn_road_moves_to_where_they_are_counted(tmp_path):
    """Of 12 vehicles that drive through the picture some are cut off by its edge before they cross a line 2 % from it; at the
    suggested place at least nine in ten are counted.
    """
    (tmp_path / "colors.onnx").write_bytes(color_model())
    classifier = Classifier.load(tmp_path / "colors.onnx", device="cpu", threads=1)
    film, pipeline = road(0, 30.0), Pipeline(classifier, regions=Motion(MotionSettings(), outside=[Polygon.rectangle(*LAMP)]))
    seen = []
    for index, (time_s, picture) in enumerate(film.pictures()):
        (found,) = pipeline.step([image.as_frame(picture, "road", index, time_s=time_s, captured_at=0.0)])
        seen.append(observe(found))

    def judged(line):
        rules = Rules(lines=(CountingLine("edge", line, left="east", right="west"),))
        (report,) = summarize(seen, {"road": rules}).lines
        return report

    before = judged(Line((0.02, 0.0), (0.02, 1.0)))
    assert before.verdict == "bad"
    assert before.missed >= 2
    assert "more objects did so without crossing it" in str(before)
    assert before.better is not None
    after = judged(before.better)
    assert after.verdict == "good"
    assert 0.9 * len(film.drives) <= sum(after.crossings.values()) <= len(film.drives)
    assert sum(before.crossings.values()) < sum(after.crossings.values())


def test_a_few_objects_are_no_judgement():
    """Fewer than five."""
    report = watched([walk((0.5, 0.1), (0.5, 0.52))] * (FEWEST - 1), ACROSS)
    assert (report.verdict, report.better) == ("too few", None)
    assert str(report) == 'road, line "stop": too few objects to judge it (0 out, 4 in)'


def test_only_the_labels_of_the_line_count():
    """Persons appear at the line, but it is one for cars."""
    paths = [walk((0.5, 0.1), (0.5, 0.9))] * 6 + [walk((0.5, 0.51), (0.5, 0.1))] * 6
    kinds = ["car"] * 6 + ["person"] * 6
    assert watched(paths, ACROSS, kinds=kinds, labels=("car",)).verdict == "good"
    assert watched(paths, ACROSS, kinds=kinds).verdict == "bad"


def test_what_the_recording_cuts_off_is_not_held_against_the_line():
    """Objects that are at the line when it begins or ends."""
    whole = [walk((0.5, 0.05), (0.5, 0.95))] * 5
    report = watched([*whole, walk((0.5, 0.05), (0.5, 0.52))], ACROSS, gap_s=0.0)
    assert (report.vanished, report.missed) == (0, 0)


def test_of_too_many_objects_a_sample_is_kept_and_all_crossings_are_counted(monkeypatch):
    """Five of twenty stand for all: the counts of the line are those of all."""
    monkeypatch.setattr("edgecls.labels.line_report.MOST_OBJECTS", 5)
    report = watched([walk((0.5, 0.05), (0.5, 0.95), 3.0)] * 20, ACROSS)
    assert (report.objects, report.passing, report.crossings, report.verdict) == (5, 5, {"out": 0, "in": 20}, "good")


def test_a_record_is_plain_values():
    """For the JSON."""
    record = watched([walk((0.5, 0.1), (0.5, 0.53))] * 6, ACROSS).to_record()
    assert (record["camera"], record["line"], record["verdict"]) == ("road", "stop", "bad")
    assert record["crossings"] == {"out": 0, "in": 6}
    assert [len(point) for point in record["better"]] == [2, 2]
    assert record["text"].startswith('road, line "stop": badly placed: ')
    assert watched([walk((0.5, 0.05), (0.5, 0.95))] * 6, ACROSS).to_record()["better"] is None
