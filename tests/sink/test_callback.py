"""Tests of results, events and state changes as function calls."""

from __future__ import annotations

import pytest

from edgecls import CallbackSink, StateChange
from tests.run.world import event, frame, result


def test_each_kind_is_a_call_of_its_function():
    """Values are passed on unchanged; kinds without a function are ignored."""
    events, results, changes = [], [], []
    one, change = result(frame()), StateChange("gate", "live", "", 1.0)
    with CallbackSink(on_event=events.append, on_result=results.append, on_state=changes.append) as sink:
        sink.write_event(event())
        sink.write(one)
        sink.write_state(change)
    assert (events, results, changes) == ([event()], [one], [change])
    with CallbackSink() as silent:
        silent.write_event(event())
        silent.write(one)
        silent.write_state(change)


def test_an_error_of_the_function_is_raised():
    """An error in the caller's function ends the run."""

    def fail(_event):
        raise ZeroDivisionError("mine")

    with CallbackSink(on_event=fail) as sink, pytest.raises(ZeroDivisionError, match="mine"):
        sink.write_event(event())
