"""Tests of the annotated picture on a screen."""

from __future__ import annotations

import os
import sys

import cv2
import pytest

from edgecls import SinkError
from edgecls.sink import WindowSink, window
from tests.run.world import frame, result

LINUX = sys.platform.startswith("linux")


@pytest.mark.skipif(not LINUX, reason="only on Linux can a screen be missing")
def test_without_a_screen_the_error_says_what_to_do(monkeypatch):
    """Without a screen, OpenCV's window would end the process; the sink raises an error that suggests a video."""
    monkeypatch.delenv("DISPLAY", raising=False)
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    with pytest.raises(
        SinkError, match=r"window: no screen \(neither DISPLAY nor WAYLAND_DISPLAY is set\).*`sink=video:out\.mp4`"
    ):
        WindowSink()


class FakeScreen:
    """Replaces OpenCV's windows: records what was shown, and simulates the user's keys."""

    def __init__(self, monkeypatch) -> None:
        monkeypatch.setenv("DISPLAY", ":none")
        self.windows: dict[str, int] = {}
        self.key, self.visible = 255, 1.0
        monkeypatch.setattr(cv2, "namedWindow", lambda name, _flags: self.windows.setdefault(name, 0))
        monkeypatch.setattr(cv2, "resizeWindow", lambda *_: None)
        monkeypatch.setattr(cv2, "imshow", self._show)
        monkeypatch.setattr(cv2, "waitKey", lambda _ms: self.key)
        monkeypatch.setattr(cv2, "getWindowProperty", lambda *_: self.visible)
        monkeypatch.setattr(cv2, "destroyAllWindows", self.windows.clear)

    def _show(self, name, picture) -> None:
        assert picture.shape == (48, 64, 3)
        self.windows[name] += 1


@pytest.fixture
def fake_screen(monkeypatch) -> FakeScreen:
    """Install a fake screen."""
    return FakeScreen(monkeypatch)


def test_each_camera_has_its_own_window(fake_screen):
    """Two cameras have two windows with their names; closing the sink closes both."""
    with WindowSink() as sink:
        for i in range(3):
            sink.write(result(frame(i, camera="a")))
        sink.write(result(frame(camera="b")))
        assert fake_screen.windows == {"edgecls a": 3, "edgecls b": 1}
        assert not sink.done
    assert fake_screen.windows == {}


def test_each_camera_keeps_its_labels_in_place(fake_screen, monkeypatch):
    """Label positions are remembered per camera."""
    known: dict[str, set[int]] = {}

    def note(one, steady):
        known.setdefault(one.frame.camera, set()).add(id(steady))
        return one.frame.bgr()

    monkeypatch.setattr(window, "draw", note)
    with WindowSink() as sink:
        for i in range(6):
            sink.write(result(frame(i, camera="ab"[i % 2])))
    assert len(known["a"]) == len(known["b"]) == 1
    assert known["a"] != known["b"]


@pytest.mark.parametrize("key", [ord("q"), 27])
def test_q_and_escape_end_the_run(fake_screen, key):
    """The sink is done after q or Esc, and stays so; other keys do nothing."""
    with WindowSink() as sink:
        fake_screen.key = ord("x")
        sink.write(result(frame(0)))
        assert not sink.done
        fake_screen.key = key
        sink.write(result(frame(1)))
        assert sink.done
        fake_screen.key = 255
        sink.write(result(frame(2)))
        assert sink.done


def test_closing_the_window_ends_the_run(fake_screen):
    """A closed window means that the user wants to stop."""
    with WindowSink() as sink:
        sink.write(result(frame()))
        fake_screen.visible = 0.0
        sink.write(result(frame(1)))
        assert sink.done


def test_an_opencv_without_windows_is_named(fake_screen, monkeypatch):
    """The error for a headless OpenCV names the package to install and an alternative."""

    def fail(*_):
        error = cv2.error("not implemented")
        error.err = "The function is not implemented"
        raise error

    monkeypatch.setattr(window.cv2, "namedWindow", fail)
    with WindowSink() as sink, pytest.raises(SinkError) as caught:
        sink.write(result(frame()))
    assert str(caught.value).startswith("window: this OpenCV cannot show windows (The function is not implemented)")
    assert "pip install opencv-python in place of opencv-python-headless" in str(caught.value)
    assert "`sink=video:out.mp4`" in str(caught.value)


@pytest.mark.skipif(LINUX and not os.environ.get("DISPLAY"), reason="no screen: DISPLAY is not set")
def test_a_window_is_shown_on_the_screen():
    """A real window exists after the first result, and is gone after closing."""
    with WindowSink() as sink:
        sink.write(result(frame()))
        assert cv2.getWindowProperty("edgecls gate", cv2.WND_PROP_VISIBLE) == 1
    cv2.waitKey(1)
    assert cv2.getWindowProperty("edgecls gate", cv2.WND_PROP_VISIBLE) != 1
