"""Results, events and changes of state as calls of functions."""

from __future__ import annotations

import pytest

from edgecls import CallbackSink, StateChange
from tests.run.world import event, frame, result


def test_each_kind_is_a_call_of_its_function():
    """What comes is passed on as it is; a kind without a function goes nowhere."""
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


def test_what_the_function_raises_comes_out_as_it_is():
    """The run ends with the error of the caller's own function."""

    def fail(_event):
        raise ZeroDivisionError("mine")

    with CallbackSink(on_event=fail) as sink, pytest.raises(ZeroDivisionError, match="mine"):
        sink.write_event(event())
