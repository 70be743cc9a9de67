"""Tests of `edgecls.vitals.vitals`: a loop that moves or not, and what is delivered."""

from __future__ import annotations

from dataclasses import replace

import pytest

from edgecls import StateChange
from edgecls.event import Moment
from edgecls.frame import END, GONE, Unfit
from edgecls.vitals import Fault, Vitals
from edgecls.vitals.vitals import Checks
from tests.run.world import frame, result

MOMENT = Moment(0, 0.0)


@pytest.fixture
def still(monkeypatch):
    """Nothing has moved lately, and nobody waits long for an answer."""
    for name, value in {"SHOWN_S": -1.0, "STUCK_S": -1.0, "ANSWER_S": 0.01}.items():
        monkeypatch.setattr(f"edgecls.vitals.vitals.{name}", value)


def test_an_idle_loop_moves_if_it_answers(still):
    """No camera has to send anything; a loop that does not answer is stuck, and moves again as soon as it does."""
    waiting = []
    vitals = Vitals()
    vitals.running(waiting.append)
    assert vitals.liveness()["status"] == "stuck"
    assert len(waiting) == 1, "a loop that does not answer must not be asked again and again"
    assert not vitals.is_moving()
    assert len(waiting) == 1
    asked = vitals.ask()
    waiting.pop()()
    assert asked.is_set()
    vitals.running(lambda call: call())
    assert vitals.liveness() == {"status": "ok"}


def test_a_busy_loop_moves_while_it_delivers(monkeypatch):
    """One step may take seconds, in which it answers nothing."""
    monkeypatch.setattr("edgecls.vitals.vitals.SHOWN_S", -1.0)
    vitals = Vitals()
    vitals.running(lambda _call: None)
    vitals.saw(result(frame()))
    assert vitals.is_moving(0.01)


def test_a_run_that_starts_is_alive_and_not_ready(monkeypatch):
    """For as long as TensorRT may need, and no longer."""
    vitals = Vitals()
    assert vitals.liveness() == {"status": "ok"}
    assert [fault.why for fault in vitals.readiness().faults] == ["it is starting"]
    monkeypatch.setattr("edgecls.vitals.vitals.SHOWN_S", -1.0)
    monkeypatch.setattr("edgecls.vitals.vitals.STARTING_S", 0.0)
    assert vitals.liveness()["why"].startswith("it has been starting for")


def test_a_run_that_is_over_is_alive_and_not_ready(still):
    """Its page is still served."""
    vitals = Vitals()
    vitals.running(lambda _call: None)
    vitals.over()
    assert vitals.liveness() == {"status": "ok"}
    assert vitals.readiness().record()["faults"] == [{"part": "run", "name": "", "why": "the run has ended"}]


def test_each_camera_of_the_configuration_must_deliver():
    """Also one of which nothing is known yet; one that was taken out is not asked for any more."""
    cameras = ["gate", "yard"]
    vitals = Vitals(Checks(cameras=lambda: cameras))
    vitals.running(lambda call: call())
    assert not vitals.is_settled
    vitals.saw(result(frame()))
    assert vitals.is_settled
    assert [fault.name for fault in vitals.readiness().faults] == ["yard"]
    vitals.changed(StateChange("yard", "lost", "no route", 1.0))
    assert vitals.readiness().faults == (Fault("camera", "yard", "lost: no route"),)
    assert vitals.status() == "1 of 2 cameras deliver; yard: lost: no route"
    cameras.remove("yard")
    assert vitals.readiness().is_ready


@pytest.mark.parametrize(
    ("state", "why", "settled"),
    [
        ("connecting", "", False),
        ("lost", "no route", True),
        ("stalled", "", True),
        ("ended", "refused", True),
        ("live", "", False),
    ],
)
def test_a_run_is_settled_when_each_camera_is_known(state, why, settled):
    """One that is lost is tried again, so the service works; one that connects may still give a result."""
    vitals = Vitals(Checks(cameras=lambda: ["gate"]))
    vitals.running()
    vitals.changed(StateChange("gate", state, why, 1.0))
    assert vitals.is_settled is settled


@pytest.mark.parametrize(("why", "is_ready"), [(END, True), (GONE, True), ("user and password were refused", False)])
def test_the_end_of_a_file_is_no_fault(why, is_ready):
    """A camera that was given up is one."""
    vitals = Vitals(Checks(cameras=lambda: ["gate"]))
    vitals.running()
    vitals.changed(StateChange("gate", "ended", why, 1.0))
    assert vitals.readiness().is_ready is is_ready


def test_pictures_with_a_fault_are_a_note():
    """The run delivers what is true: that they show nothing. The note ends with the fault."""
    vitals = Vitals()
    vitals.running()
    vitals.saw(replace(result(frame()), unfit=Unfit("covered", MOMENT, MOMENT)))
    found = vitals.readiness()
    assert found.is_ready
    assert [(note.name, note.why) for note in found.notes] == [("gate", "its pictures are covered")]
    vitals.saw(result(frame()))
    assert vitals.readiness().notes == ()


def test_records_hide_secrets_and_names_from_strangers():
    """Addresses are reduced to the host; who has not logged in learns the kind of part only."""
    vitals = Vitals(Checks(faults=lambda: [Fault("output", "mqtt://me:secret@broker/a", "mqtt://me:secret@broker: refused")]))
    vitals.running()
    record = vitals.readiness().record()
    assert "secret" not in str(record)
    assert record["faults"] == [{"part": "output", "name": "mqtt://broker", "why": "mqtt://broker: refused"}]
    assert vitals.readiness().record(names=False)["faults"] == [{"part": "output"}]


def test_a_question_that_the_end_overtakes_is_answered():
    """The loop will not: without an answer the page that stays after a run would be taken for stuck, and ended."""
    vitals = Vitals()
    vitals.running(lambda _answer: None)
    asked = vitals.ask()
    assert not asked.is_set()
    vitals.over()
    assert asked.is_set()
    assert vitals.ask().is_set()
