"""Tests that signals end a run between two results."""

from __future__ import annotations

import os
import signal
import threading
import time

import pytest

from edgecls.cli.interrupt import Interrupt

SIGNALS = pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])


def send(number: int) -> None:
    """Send a signal to this process; Python handles it before the next line."""
    os.kill(os.getpid(), number)
    time.sleep(0)


def test_without_a_signal_nothing_happens():
    """Each wait returns its result, including None at the end, and the exit code is 0."""
    with Interrupt() as interrupt:
        assert interrupt.wait_for(lambda: 7) == 7
        assert interrupt.wait_for(lambda: None) is None
    assert interrupt.exit_code == 0
    assert interrupt.signum is None


@SIGNALS
def test_a_signal_ends_the_wait(number):
    """At once, with None; the exit code is 128 plus the number of the signal."""
    timer = threading.Timer(0.1, os.kill, (os.getpid(), number))
    with Interrupt() as interrupt:
        timer.start()
        assert interrupt.wait_for(lambda: threading.Event().wait(60)) is None
    timer.join()
    assert interrupt.signum == number
    assert interrupt.exit_code == 128 + number


@SIGNALS
def test_a_signal_while_writing_is_only_noted(number):
    """Between waits, a signal interrupts nothing: the write completes, and the next wait returns None."""
    written = []
    with Interrupt() as interrupt:
        assert interrupt.wait_for(lambda: "result") == "result"
        written.append("first half")
        send(number)
        written.append("second half")
        assert interrupt.wait_for(lambda: pytest.fail("it waits no more")) is None
    assert written == ["first half", "second half"]
    assert interrupt.exit_code == 128 + number


@pytest.mark.parametrize("second", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("first", [signal.SIGINT, signal.SIGTERM])
def test_a_second_signal_raises(first, second):
    """A second signal, of either kind, raises KeyboardInterrupt at any point of the run."""
    with Interrupt() as interrupt:
        send(first)
        with pytest.raises(KeyboardInterrupt):
            send(second)
    assert interrupt.signum == first


def test_errors_of_the_wait_are_raised():
    """They are raised unchanged."""
    with Interrupt() as interrupt, pytest.raises(OSError, match="unplugged"):
        interrupt.wait_for(lambda: (_ for _ in ()).throw(OSError("unplugged")))
    assert interrupt.exit_code == 0


def test_no_error_handler_catches_the_interruption():
    """A wait that catches every Exception is interrupted, too."""

    def wait():
        while True:
            try:
                send(signal.SIGINT)
            except Exception:  # noqa: BLE001 - such code is the point
                pytest.fail("a signal is no error")

    with Interrupt() as interrupt:
        assert interrupt.wait_for(wait) is None
    assert interrupt.exit_code == 130


def test_the_signal_handlers_are_restored():
    """After the block, also if it ended with an error."""
    before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]

    def fail():
        with Interrupt():
            assert signal.getsignal(signal.SIGTERM) not in before
            raise OSError("unplugged")

    with pytest.raises(OSError, match="unplugged"):
        fail()
    assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)] == before


def test_a_lock_is_free_after_an_interrupted_wait():
    """A wait on a condition that a signal interrupts leaves its lock free."""
    bell = threading.Condition()
    timer = threading.Timer(0.1, os.kill, (os.getpid(), signal.SIGINT))

    def wait():
        with bell:
            bell.wait(60)

    with Interrupt() as interrupt:
        timer.start()
        assert interrupt.wait_for(wait) is None
    timer.join()
    assert bell.acquire(blocking=False)
    bell.release()


def test_a_write_during_a_wait_is_complete():
    """A signal during a write within the wait lets the write complete, and then ends the wait."""
    written = []

    def write():
        send(signal.SIGINT)
        written.append("whole")

    def wait():
        interrupt.undisturbed(write)
        written.append("after")

    with Interrupt() as interrupt:
        assert interrupt.wait_for(wait) is None
    assert written == ["whole"]
    assert interrupt.signum == signal.SIGINT
