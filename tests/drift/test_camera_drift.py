"""Drift of a camera, from drawn observations of days that pass in a moment."""

from __future__ import annotations

import numpy as np
import pytest

from edgecls.drift.camera_drift import CameraDrift
from edgecls.drift.settings import DriftSettings
from edgecls.drift.slots import Look, Seen
from edgecls.errors import ConfigError
from edgecls.event import Event, Moment

STEP_S = 900
AT_S = 1_800_000_000 // 86_400 * 86_400
BLANK = Event("drift", "gate", "frame", "", 0.0, Moment(0, 0.0))


def observed(hour, rng, what=""):
    """A look and the objects of a quarter of an hour: bright by day, with more people then; surer by day."""
    is_day = 7 <= hour % 24 < 19
    look = Look(6.5 if is_day else 3.0, 0.5, 0.95)
    changed = {"place": {"scene": 0.1}, "lens": {"sharpness": 0.3}, "rain": {"sharpness": 0.3}, "light": {"brightness": 1.0}}
    look = look._replace(**changed.get(what, {}))
    objects = []
    for _ in range(16 if is_day else 6):
        label = "person" if rng.random() < (0.4 if is_day else 0.1) else "car"
        label = "car" if what == "label mix" else label
        score, novelty = rng.beta(36, 4) if is_day else rng.beta(32, 8), rng.normal(0.6, 0.1)
        is_lost = what == "new objects" and rng.random() < 0.4
        objects.append(Seen("motion", "unknown" if is_lost else label, score, is_lost, novelty + 0.6 * is_lost))
    return look, objects


def watch(changes, *, days=5.0, drift=None, seed=0, from_day=0.0):
    """Pass days with changes, {name: (first hour, last hour)}, and return the events with their hours."""
    rng, events = np.random.default_rng(seed), []
    drift = drift or CameraDrift(DriftSettings(), BLANK)
    for step in range(int(from_day * 96), int(days * 96)):
        hour = step / 4
        now = next((name for name, (begin, end) in changes.items() if begin <= hour < end), "")
        moment = Moment(step, hour * 3600, AT_S + hour * 3600)
        events += [(hour, event) for event in drift.step(moment)]
        look, objects = observed(hour, rng, now)
        for _ in range(3):
            drift.look(look)
        for seen in objects:
            drift.seen(seen)
    return events, drift


def test_day_and_night_are_no_drift():
    """Labels, scores and light change twice a day, and nothing is reported."""
    assert watch({}, days=7)[0] == []


@pytest.mark.parametrize("cause", ["place", "light", "new objects", "label mix"])
def test_a_change_is_reported_within_two_hours_with_its_cause(cause):
    """It is one event, over nights, that ends when the change has been gone for hours."""
    events, _ = watch({cause: (58, 80)}, days=4.5)
    assert [(event.phase, event.label) for _, event in events] == [("begin", cause), ("end", cause)]
    (begin, one), (end, other) = events
    assert 58 < begin <= 60
    assert 86 <= end <= 93
    assert (one.id, one.kind) == (other.id, "drift")
    assert 0 < one.score <= 1
    assert one.region == ("motion" if cause in ("new objects", "label mix") else "frame")


def test_a_dirty_lens_stays_and_rain_passes():
    """Both make pictures less sharp."""
    events, _ = watch({"rain": (56, 60), "lens": (72, 96)}, days=4)
    assert [(event.phase, event.label) for _, event in events] == [("begin", "lens")]
    assert 78 <= events[0][0] <= 80


def test_what_the_reference_shows_is_usual():
    """It rained for six hours in the first days, and later for ten."""
    assert watch({"rain": (30, 36), "lens": (58, 68)})[0] == []


def test_few_objects_are_not_judged():
    """A window needs the number of observations that was asked for."""
    drift = CameraDrift(DriftSettings(fewest=5000), BLANK)
    assert watch({"new objects": (58, 96)}, days=4, drift=drift)[0] == []


def test_what_was_saved_continues():
    """A new run on the fourth day knows the first days, and a change is found as soon."""
    _, drift = watch({}, days=3)
    again = CameraDrift(DriftSettings(), BLANK, saved=drift.saved)
    events, _ = watch({"place": (73, 96)}, days=4, from_day=3, drift=again)
    assert [event.label for _, event in events] == ["place"]
    unlearned, _ = watch({"place": (73, 96)}, days=4, from_day=3, drift=CameraDrift(DriftSettings(), BLANK))
    assert unlearned == []


def test_drift_that_stays_becomes_usual():
    """After `stays_h` the event ends, and the reference is learned again."""
    drift = CameraDrift(DriftSettings(stays_h=12), BLANK)
    events, _ = watch({"place": (58, 1000)}, days=6, drift=drift)
    assert [event.phase for _, event in events] == ["begin", "end"]
    assert not drift.is_learning


def test_pictures_unlike_those_of_the_training_are_reported_at_once():
    """That needs no reference but the quantiles on the card."""
    near, far = ([x + 0.01 * i for i in range(20)] for x in (0.5, -0.4))
    reported = {}
    for name, quantiles in (("near", near), ("far", np.maximum(far, 0.01))):
        drift = CameraDrift(DriftSettings(), BLANK, training=tuple(quantiles))
        reported[name] = [(hour, event.label) for hour, event in watch({}, days=0.5, drift=drift)[0]]
    assert reported["near"] == []
    assert [label for _, label in reported["far"]] == ["new objects"]


def test_a_run_that_ends_ends_its_drift():
    """As other events."""
    events, drift = watch({"place": (58, 1000)}, days=3)
    (ended,) = drift.close()
    assert ended.id == events[0][1].id
    assert ended.end is not None
    assert drift.close() == []


@pytest.mark.parametrize("wrong", [{"learn_h": 0.1}, {"window_h": 0.1}, {"fewest": 1}, {"tolerance": 0.5}, {"stays_h": 0}])
def test_wrong_settings_are_refused(wrong):
    """The message names the setting."""
    with pytest.raises(ConfigError, match=next(iter(wrong))):
        DriftSettings(**wrong)
