"""The thread that keeps the main stream of a camera: no error ends it in silence."""

from __future__ import annotations

import threading

import pytest

from edgecls import ReadingSettings
from edgecls.source import container
from edgecls.source.main_stream import MainStream


@pytest.mark.parametrize("error", [KeyError("x"), MemoryError("no\nroom"), RuntimeError("rtsp://me:secret@10.0.0.2/main")])
def test_an_unexpected_error_is_reported_and_the_stream_is_tried_again(error, monkeypatch):
    """Once, in one line without a password, whatever is raised; the thread goes on."""
    tried, again, said = [], threading.Event(), []

    def fail(*_):
        tried.append(1)
        if len(tried) > 1:
            again.set()
        raise error

    monkeypatch.setattr(container, "open_stream", fail)
    monkeypatch.setattr("edgecls.source.main_stream.FIRST_WAIT_S", 0.01)
    stream = MainStream("rtsp://10.0.0.2/main", "gate", ReadingSettings(keep_s=2.0), said.append)
    stream.start()
    try:
        assert again.wait(10)
        assert stream.is_lost
        assert stream.packets is None
    finally:
        stream.close()
    assert len(said) == 1
    assert said[0].startswith(f"gate: main stream lost ({type(error).__name__}: ")
    assert "secret" not in said[0]
    assert "\n" not in said[0]
