"""Drift from results and events, as a run has them, and what it keeps for the next run."""

from __future__ import annotations

import time

import numpy as np
import pytest

import edgecls
from edgecls import image
from edgecls.drift.looks import KNOWN, Looks
from edgecls.frame import Box, Detection, Prediction, Result, Timing
from edgecls.model.card import ModelCard
from scripts.drift import week
from tests.run.world import event

STEP_S = 60
MIDNIGHT_S = 1_800_057_600 // 86_400 * 86_400
SCENE = np.random.default_rng(0).integers(0, 256, (6, 8, 3), np.uint8).repeat(20, 0).repeat(20, 1)


def passed(drift, hours, *, label="car", score=0.9, live=True, scene=SCENE):
    """Pass the minutes between two hours at a zone that shows a label, and return the events with their hours."""
    found = []
    for minute in range(int(hours[0] * 60), int(hours[1] * 60)):
        frame = image.as_frame(scene, "gate", minute, time_s=minute * 60.0, captured_at=time.monotonic())
        frame.at_s = MIDNIGHT_S + minute * 60.0 if live else None
        shown = Detection(Box(0, 0, 40, 40), Prediction(label, score, -1, ((label, score),)), "bar")
        found += [(minute / 60, one) for one in drift.step(Result(frame, (shown,), Timing(0.1, 0.1, 1.0)))]
    return found


def opened(folder=None, model="street", **settings):
    """Return a drift that learns for a day, and what it says."""
    lines = []
    drift = edgecls.Drift(edgecls.DriftSettings(learn_h=24, **settings), model=model, folder=folder, say=lines.append)
    return drift, lines


@pytest.mark.parametrize("live", [True, False])
def test_a_zone_that_shows_something_else_is_reported_once(live):
    """With its cause and the zone, and again when the run ends; a recording has no time of day and drifts all the same."""
    drift, _ = opened()
    assert passed(drift, (0, 30), live=live) == []
    found = passed(drift, (30, 34), label="unknown", score=0.3, live=live)
    ((hour, begun),) = found
    assert (begun.kind, begun.label, begun.region, begun.model, begun.end) == ("drift", "new objects", "bar", "street", None)
    assert 30 < hour < 32
    (ended,) = drift.close()
    assert (ended.id, ended.end is not None) == (begun.id, True)


def test_another_scene_is_reported_as_another_place():
    """The picture is compared, whatever the labels are."""
    drift, _ = opened()
    passed(drift, (0, 25))
    ((_, begun),) = passed(drift, (25, 28), scene=SCENE[::-1])
    assert begun.label == "place"


def test_nothing_is_looked_at_where_drift_is_off():
    """Nor is a reference built."""
    drift, _ = opened(off=True)
    assert passed(drift, (0, 1)) == []
    assert drift.changes("gate") == []


def test_what_was_learned_survives_a_restart(tmp_path):
    """The next run compares at once; one with another model learns anew."""
    first, _ = opened(tmp_path)
    passed(first, (0, 26))
    first.close()
    second, lines = opened(tmp_path)
    ((_, begun),) = passed(second, (26, 29), label="unknown", score=0.3)
    assert (begun.label, lines) == ("new objects", [])
    other, _ = opened(tmp_path, model="street-2")
    card = ModelCard(("car", "bus"), edgecls.InputSpec(), "int8")
    other.use(edgecls.DriftSettings(learn_h=24), card=card, model="street-2")
    assert passed(other, (29, 32), label="unknown", score=0.3) == []


@pytest.mark.parametrize("content", ["", "{}", "[1]", '{"version": 1, "key": 1}', "x" * 1000])
def test_a_damaged_file_is_said_and_learned_again(tmp_path, content):
    """In one line."""
    drift, _ = opened(tmp_path)
    passed(drift, (0, 1))
    drift.close()
    (file,) = tmp_path.iterdir()
    file.write_text(content)
    again, lines = opened(tmp_path)
    assert passed(again, (1, 2)) == []
    assert len(lines) == (0 if '"key": 1' in content else 1)
    assert all("cannot be read" in line and "drift is learned again" in line for line in lines)


def test_a_folder_that_cannot_be_written_is_said_once(tmp_path):
    """And the run goes on."""
    (tmp_path / "file").write_text("")
    drift, lines = opened(tmp_path / "file" / "drift")
    passed(drift, (0, 2))
    assert len([line for line in lines if "drift is learned again after a restart" in line]) == 1


def test_the_scene_is_known_after_some_looks_and_can_be_kept():
    """Saved and read back, it knows the same picture and not another one; a text that is no scene is refused."""
    looks = Looks()
    frame, other = (image.as_frame(np.ascontiguousarray(s), "g", 0, time_s=0.0, captured_at=0.0) for s in (SCENE, SCENE[::-1]))
    for _ in range(KNOWN):
        assert looks.look(frame, learn=True).scene is None
    again = Looks(looks.saved)
    assert again.look(frame, learn=False).scene > 0.9
    assert again.look(other, learn=False).scene < 0.5
    for text in ("x", "3x3:", "2x2:####"):
        with pytest.raises(ValueError):  # noqa: PT011 - of several parts
            Looks(text)
    tiny = image.as_frame(SCENE[:20, :20], "g", 0, time_s=0.0, captured_at=0.0)
    assert looks.look(tiny, learn=True) is None


@pytest.mark.parametrize(("change", "cause"), [("nothing", ""), ("camera turned by 10 %", "place"), ("dirty lens", "lens")])
def test_the_script_finds_the_changes_of_a_week(change, cause):
    """A shorter week of `scripts/drift.py`, with days, dusk and rain."""
    found = week(change, 7, days=5)
    assert (found.before, found.cause) == (0, cause)


def test_an_object_counts_when_it_ends():
    """With its label and score; other kinds of events do not."""
    drift, _ = opened()
    frame = image.as_frame(SCENE, "gate", 0, time_s=0.0, captured_at=0.0)
    result = Result(frame, (), Timing(0.1, 0.1, 1.0))
    both = [event(1, kind="object", label="car"), event(2, kind="object", ended=False), event(3, kind="crossing")]
    assert drift.step(result, both) == []
