"""The hours of the last days, and how they survive a restart."""

from __future__ import annotations

import pytest

from edgecls.drift.history import HISTORY_H, History, Hour
from edgecls.drift.reference import Change
from edgecls.drift.saving import State, StateFile
from tests.drift.simulated import simulated


def change(distance, what="score", limit=0.1):
    """A comparison of what moves."""
    return Change("motion", what, distance, limit, is_up=True)


def test_an_hour_has_the_largest_change_of_each_kind():
    """Of four quarters; nothing compared is no hour, and a week is enough."""
    history = History()
    for quarter, distance in enumerate((0.02, 0.05, 0.03, 0.01)):
        history.add(900.0 * quarter, [change(distance), change(0.1 * quarter, "novelty")])
    history.add(3600.0, [])
    history.add(7200.0, [change(0.2)])
    first, last = history.hours
    assert {what: one.distance for (_, what), one in first.changes.items()} == {"score": 0.05, "novelty": pytest.approx(0.3)}
    assert (first.start_s, last.start_s) == (0.0, 7200.0)
    for hour in range(2 * HISTORY_H):
        history.add(3600.0 * hour, [change(0.1)])
    assert len(history.hours) == HISTORY_H


def test_a_restart_keeps_the_hours(tmp_path):
    """With everything else that was learned; a file of an older edgecls has none, and a damaged one is learned anew."""
    said = []
    drift = simulated("gate")
    file = StateFile(tmp_path, "gate", said.append)
    file.write(State(drift.saved, "", "key"))
    found = file.read("key").saved
    assert [hour.start_s for hour in found.hours] == [hour.start_s for hour in drift.state.hours]
    assert Hour.from_record(found.hours[-1].to_record()) == found.hours[-1]
    (path,) = tmp_path.iterdir()
    text = path.read_text(encoding="utf-8")
    at = text.index('"hours"')
    path.write_text(text[:at].rstrip(", ") + "}", encoding="utf-8")
    older = file.read("key").saved
    assert (older.hours, older.is_learned) == ((), True)
    path.write_text(text[:at] + '"hours": [{"start": 1, "changes": [["motion", "score", 0.1, 0, true]]}]}', encoding="utf-8")
    assert file.read("key") is None
    assert "drift is learned again" in said[-1]


def test_the_state_says_how_long_learning_lasts_and_what_has_drifted():
    """A day of two; then a dirty lens."""
    learning = simulated("gate", days=1).state
    assert learning.is_learning
    assert (round(learning.learned_h), learning.learn_h, learning.event, learning.hours) == (24, 48.0, None, ())
    drifted = simulated("gate").state
    assert not drifted.is_learning
    assert drifted.event.label == "lens"
