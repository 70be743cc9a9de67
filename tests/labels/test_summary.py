"""What a recording adds up to: the stretches that events would tell of."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest

from edgecls import CountingLine, Events, Line, Polygon, Rules, StateSettings, Zone, observe, read_labels, summarize
from edgecls.errors import ConfigError, DataError
from edgecls.frame import WHOLE_FRAME, Detection, Unfit
from edgecls.labels.json_lines import read_line
from tests.run.labels import lines, moving, runs, seen, zoned
from tests.run.world import frame, result, said

DAY = 1_763_823_787.0


def spans(shown):
    """(label, first frame, last frame) of each stretch."""
    return [(s.label, s.start.frame, s.end.frame) for s in shown.stretches]


def read(lines):
    return [read_line(line, "here") for line in lines]


def test_a_summary_tells_what_events_tell():
    """The stretches of flickering labels are the states that the same frames give as events, with their scores."""
    rng = np.random.default_rng(0)
    labels = [
        label if rng.random() < 0.8 else str(rng.choice(["a", "b", "unknown"]))
        for label in runs(("a", 4), ("b", 3), ("unknown", 2), ("a", 5))
    ]
    (shown,) = summarize(seen(labels)).regions
    events = Events({})
    told = [event for one in seen(labels) for event in events.step(one)] + events.close()
    assert [(s.label, s.start, s.end, s.score) for s in shown.stretches] == [
        (e.label, e.start, e.end, e.score) for e in told if e.end is not None
    ]
    assert [s.label for s in shown.stretches] == ["a", "b", "unknown", "a"]


def test_single_frames_that_flicker_are_no_stretches():
    """Every third frame says something else for a minute: one stretch, not a thousand."""
    labels = ["b" if i % 3 == 2 else "a" for i in range(60 * 25)]
    (shown,) = summarize(seen(labels)).regions
    assert spans(shown) == [("a", 0, 1498)]
    assert (shown.frames, shown.watched_s) == (1500, pytest.approx(59.96))


def test_gaps_are_closed_and_what_stood_in_them_goes():
    """With a gap of 2 s a second of b, and one of unknown, between a and a are left out; 3 s of b are not. The score is that of
    the parts.
    """
    labels = runs(("a", 4), ("b", 1), ("a", 4), ("unknown", 1.2), ("a", 3), ("b", 3), ("a", 4))
    sharp = StateSettings(seconds=0.2)
    rules = {"gate": Rules(state=sharp)}
    assert [s.label for s in summarize(seen(labels), rules).regions[0].stretches] == ["a", "b", "a", "unknown", "a", "b", "a"]
    (shown,) = summarize(seen(labels), rules, gap_s=2.0).regions
    assert spans(shown) == [("a", 0, 329), ("b", 330, 404), ("a", 405, 504)]
    assert shown.stretches[0].score == pytest.approx(0.9)


def test_short_stretches_are_left_out_after_gaps_are_closed():
    """Parts of a second that a gap joins are no longer short."""
    labels = runs(("a", 1), ("x", 0.6), ("a", 1), ("b", 1), ("c", 4))
    rules = {"gate": Rules(state=StateSettings(seconds=0.2))}
    (shown,) = summarize(seen(labels), rules, gap_s=1.0, least_s=2.0).regions
    assert [s.label for s in shown.stretches] == ["a", "c"]
    (shown,) = summarize(seen(labels), rules, least_s=2.0).regions
    assert [s.label for s in shown.stretches] == ["c"]


def test_each_region_of_each_camera_is_alone():
    """Two zones of one camera, and the whole frame of another, whose lines stand between."""
    zones = zoned({"left": runs(("shut", 4)), "right": runs(("open", 2), ("shut", 2))}, camera="gate")
    mixed = [one for pair in zip(read(zones), seen(runs(("rain", 4)), camera="roof"), strict=True) for one in pair]
    found = summarize(mixed)
    assert [(s.camera, s.region, [x.label for x in s.stretches]) for s in found.regions] == [
        ("gate", "left", ["shut"]),
        ("gate", "right", ["open", "shut"]),
        ("roof", WHOLE_FRAME, ["rain"]),
    ]
    assert found.frames == 200


def test_a_region_that_never_holds_a_label_is_there_and_empty():
    """A second of each, each frame another label."""
    (shown,) = summarize(seen(["a", "b", "c", "d"] * 25)).regions
    assert (shown.stretches, shown.totals) == ((), [])


def test_objects_are_stretches_and_crossings_are_counted():
    """A car goes over a line to the right, and a person back to the left, through a zone: who, when, and which way."""
    there, back = np.linspace(10, 90, 50), np.linspace(90, 10, 50)
    lines = moving([(x, 50) for x in there], "car")
    lines += moving([*[None] * 100, *((x, 50) for x in back)], "person")[50:]
    line = CountingLine("line", Line((0.5, 0.0), (0.5, 1.0)), left="east", right="west")
    bay = Zone("bay", Polygon.rectangle(0.6, 0.0, 0.3, 1.0), look="objects")
    found = summarize(read(lines), {"road": Rules(zones=(bay,), lines=(line,))})
    assert [(c.line, c.direction, c.label, c.objects) for c in found.crossings] == [
        ("line", "east", "car", 1),
        ("line", "west", "person", 1),
    ]
    shown = {region.region: region for region in found.regions}
    assert list(shown) == ["bay", "motion"]
    assert spans(shown["motion"]) == [("car", 0, 49), ("person", 100, 149)]
    assert [s.label for s in shown["bay"].stretches] == ["car", "person"]
    assert shown["bay"].stretches[0].start.frame == pytest.approx(32, abs=2)


def test_a_line_that_nothing_crossed_says_0():
    """In both directions."""
    line = CountingLine("line", Line((0.5, 0.0), (0.5, 1.0)))
    found = summarize(read(moving([None] * 50)), {"road": Rules(lines=(line,))})
    assert [(c.direction, c.label, c.objects) for c in found.crossings] == [("left", "", 0), ("right", "", 0)]
    assert found.regions == ()


def test_time_that_nobody_watched_does_not_count():
    """A live camera was away for a minute: the time watched is that of its pictures, and the state ended before."""
    before, after = seen(runs(("a", 4)), live_from=DAY), seen(runs(("a", 4)), live_from=DAY, first=1600)
    (shown,) = summarize([*before, *after]).regions
    assert spans(shown) == [("a", 0, 99), ("a", 1600, 1699)]
    assert shown.watched_s == pytest.approx(2 * 3.96)
    assert shown.totals[0].share == pytest.approx(1.0)
    assert shown.last.at_s == DAY + 67.96


def test_a_second_recording_in_one_file_goes_on_after_the_first():
    """Frames are counted from 0 again: its times are counted on, no stretch reaches over, and it is said."""
    told = []
    (shown,) = summarize([*seen(runs(("a", 4))), *seen(runs(("a", 2)))], say=told.append).regions
    assert [(s.start.time_s, pytest.approx(s.end.time_s)) for s in shown.stretches] == [(0, 3.96), (3.96, 5.92)]
    assert told == ["camera gate: 2 recordings, one after the other; the times of later ones continue from the earlier ones"]


def test_a_camera_is_live_or_a_file():
    """Times of day and times of a file cannot stand on one axis."""
    with pytest.raises(DataError, match="camera gate: it is live in one part of the recording and a file in another"):
        summarize([*seen(["a"] * 9), *seen(["a"] * 9, live_from=DAY)])


@pytest.mark.parametrize(("options", "text"), [({"gap_s": -1}, "gap"), ({"least_s": float("nan")}, "min")])
def test_times_that_are_none_are_refused(options, text):
    """Below 0, or no number."""
    with pytest.raises(ConfigError, match=rf"{text}.*0 or more seconds"):
        summarize([], **options)


def test_it_sums_up_a_pipeline_as_well_as_its_lines():
    """Results, observed, are what lines hold."""
    results = [result(frame(i), Detection((0, 0, 64, 48), said("stop"), WHOLE_FRAME)) for i in range(50)]
    (shown,) = summarize(map(observe, results)).regions
    assert spans(shown) == [("stop", 0, 49)]


def test_memory_does_not_grow_with_the_recording(tmp_path):
    """Ten times the lines, of the same stretch, take no more at a time."""
    path, peaks = tmp_path / "long.jsonl", []
    for count in (1_500, 15_000):
        path.write_text("\n".join(lines(["shut"] * count)) + "\n")
        tracemalloc.start()
        summarize(read_labels(path))
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < peaks[0] + 50_000


def test_time_in_which_the_camera_was_black_is_a_stretch_of_its_own():
    """From the first frame that was black to the last, in a second recording of the same file too; no label goes on in it."""
    labels = seen(runs(("a", 20)))
    since, last = labels[100].moment, labels[399].moment
    dark = [
        one._replace(detections=(), unfit=Unfit("black", since, min(one.moment, last))) if 150 <= i < 420 else one
        for i, one in enumerate(labels)
    ]
    told = summarize([*dark, *dark], say=lambda _: None)
    whole, health = told.regions
    assert health.region == "camera health"
    assert spans(health) == [("black", 100, 399)] * 2
    assert [round(s.start.time_s, 2) for s in health.stretches] == [4.0, 23.96]
    assert [s.label for s in whole.stretches] == ["a"] * 4
