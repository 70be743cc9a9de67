"""Tests of signals during training."""

from __future__ import annotations

import signal
import threading

import pytest

from edgecls.train.fit import fit
from edgecls.train.stop_signal import BetweenBatches
from tests.runs import Listener, config


@pytest.fixture(autouse=True)
def handlers():
    """Restore the signal handlers after each test."""
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.fixture
def heard():
    """Return a list of the signals that the program's handler received; it raises, as for Ctrl-C."""
    numbers = []

    def raising(number, _frame):
        numbers.append(number)
        raise KeyboardInterrupt

    signal.signal(signal.SIGTERM, raising)
    return numbers


def test_the_handler_is_called_between_two_batches(heard):
    """The handler does not run where the signal arrives."""
    with BetweenBatches() as between:
        between.act()
        signal.raise_signal(signal.SIGTERM)
        assert heard == []
        with pytest.raises(KeyboardInterrupt):
            between.act()
    assert heard == [signal.SIGTERM]


def test_a_second_signal_is_acted_on_at_once(heard):
    """A second signal does not wait for the batch."""
    with BetweenBatches():
        signal.raise_signal(signal.SIGTERM)
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGTERM)
    assert heard == [signal.SIGTERM]


def test_a_signal_after_the_last_batch_is_not_lost(heard):
    """A signal after the last batch is handled at the end, after the handlers are restored."""
    with pytest.raises(KeyboardInterrupt), BetweenBatches():
        signal.raise_signal(signal.SIGTERM)
    assert heard == [signal.SIGTERM]
    with pytest.raises(KeyboardInterrupt):
        signal.raise_signal(signal.SIGTERM)


def test_what_no_function_handles_stays(heard):
    """An ignored signal is still ignored, and SIGTERM without a Python handler still ends the process."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    with BetweenBatches() as between:
        assert signal.getsignal(signal.SIGTERM) is signal.SIG_IGN
        between.act()
    assert heard == []


def test_another_thread_than_the_main_one_takes_no_signal():
    """Python allows signal handlers only in the main thread."""
    before = signal.getsignal(signal.SIGINT)
    errors = []

    def enter():
        try:
            with BetweenBatches():
                assert signal.getsignal(signal.SIGINT) is before
        except Exception as error:  # noqa: BLE001 - said below
            errors.append(error)

    thread = threading.Thread(target=enter)
    thread.start()
    thread.join()
    assert errors == []


class Signalling(Listener):
    """Sends the signal during a batch, and while an epoch is written."""

    def __init__(self, *, in_batch=None, in_epoch=None):
        super().__init__()
        self.at = (in_batch, in_epoch)

    def batch(self, number, logs):
        super().batch(number, logs)
        if self.batches == self.at[0]:
            signal.raise_signal(signal.SIGTERM)

    def epoch(self, row, best):
        if row["epoch"] == self.at[1]:
            signal.raise_signal(signal.SIGTERM)
        super().epoch(row, best)


def test_a_run_ends_before_the_next_batch(shapes, tmp_path, heard):
    """With 90 pictures in batches of 16, the seventh batch is the first of epoch 2: one epoch is complete."""
    listener = Signalling(in_batch=7)
    report = fit(config(shapes, epochs=3), tmp_path / "run", watcher=listener)
    assert report.interrupted
    assert (report.epochs, listener.batches) == (1, 7)
    assert heard == [signal.SIGTERM]


def test_an_epoch_is_written_whole(shapes, tmp_path, heard):
    """A signal while an epoch is written waits, also in the last epoch."""
    for epochs in (3, 1):
        listener = Signalling(in_epoch=1)
        report = fit(config(shapes, epochs=epochs), tmp_path / f"run{epochs}", watcher=listener)
        assert report.interrupted
        assert len(listener.rows) == report.epochs == 1
    assert heard == [signal.SIGTERM] * 2
