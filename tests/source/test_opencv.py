"""Tests of cameras through OpenCV."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import cv2
import pytest

from edgecls import ConfigError, SourceError
from edgecls.source import OpenCVSource, ReadingSettings, open_source
from tests.drawn import gray_levels
from tests.run.world import FakeCapture

AT_ONCE = ReadingSettings(give_up_after_s=0)


@pytest.mark.parametrize(
    ("devices", "why"),
    [
        ([], "check the number, the cable and your permissions"),
        (["video1", "video0"], "the cameras here are 0, 1; check the number and the cable"),
        (["video7"], "/dev/video7 exists, so another program may be using it, or you lack permission"),
    ],
)
def test_a_camera_that_cannot_be_opened(monkeypatch, devices, why):
    """The error names the camera by its number, and whether it is missing or used by another program."""
    monkeypatch.setattr(cv2, "VideoCapture", lambda *_: FakeCapture([], opened=False))
    monkeypatch.setattr(Path, "glob", lambda *_: [Path("/dev", name) for name in devices])
    with open_source(7, reading=AT_ONCE) as source, pytest.raises(SourceError) as caught:
        source.read()
    assert str(caught.value) == f"camera 7: cannot be opened; {why}"


def test_a_camera_keeps_no_stale_frames(monkeypatch):
    """A camera buffers one frame besides the one it fills, and is named by its number."""
    capture = FakeCapture(gray_levels([0]))
    monkeypatch.setattr(cv2, "VideoCapture", lambda *_: capture)
    with open_source(3) as source:
        assert source.name == "camera3"
        assert source.read() is not None
        assert source.live
    assert capture.set_to == {cv2.CAP_PROP_BUFFERSIZE: 2}


def test_a_camera_that_is_lost_says_after_how_many_frames(monkeypatch):
    """A camera that stops giving frames raises an error after its last one; it does not just end."""
    monkeypatch.setattr(cv2, "VideoCapture", lambda *_: FakeCapture(gray_levels([0, 50, 100])))
    frames = []
    with OpenCVSource.camera(0, "cam") as source, pytest.raises(SourceError) as caught:
        frames.extend(source)
    assert len(frames) == 3
    assert str(caught.value) == "camera 0: no more frames after 3; the camera was lost or stopped sending"


def test_an_error_of_opencv_is_an_error_of_the_source(monkeypatch):
    """If OpenCV raises in a read, the error names the camera and the frame."""
    error = cv2.error("broken")
    error.err = "(-215) broken"
    capture = FakeCapture(gray_levels([0, 50]), error=error)
    monkeypatch.setattr(cv2, "VideoCapture", lambda *_: capture)
    with (
        open_source(0, reading=AT_ONCE) as source,
        pytest.raises(SourceError, match=r"camera 0: OpenCV failed at frame 2 .*broken"),
    ):
        list(source)
    assert capture.released_by == ["read camera0"]


def test_the_times_of_a_live_source_are_those_of_the_clock(monkeypatch):
    """A live source has no timestamps: its time is the seconds since its first frame."""
    monkeypatch.setattr(cv2, "VideoCapture", lambda *_: FakeCapture(gray_levels([0, 50, 100]), wait_s=0.05))
    with OpenCVSource.camera(0, "cam") as source:
        frames = [source.read() for _ in range(3)]
    assert frames[0].time_s == 0
    for before, after in pairwise(frames):
        assert after.time_s - before.time_s == pytest.approx(after.captured_at - before.captured_at)
        assert after.time_s - before.time_s >= 0.04


@pytest.mark.parametrize("options", [{"fast_decode": True}, {"keyframes": True}])
def test_opencv_leaves_nothing_out(options):
    """Settings that only PyAV supports are rejected with OpenCV, before anything is opened."""
    with pytest.raises(ConfigError, match="only PyAV can decode fast or decode key frames only; remove `decoder=opencv`"):
        ReadingSettings(decoder="opencv", **options)


def test_pyav_knows_no_camera_by_number():
    """A local camera with the decoder pyav is rejected."""
    with pytest.raises(ConfigError, match="camera 0: only OpenCV can open local cameras"):
        open_source(0, reading=ReadingSettings(decoder="pyav"))


def test_an_unknown_decoder_lists_the_known_ones():
    """An unknown decoder is rejected by name."""
    with pytest.raises(ConfigError, match="decoder must be one of auto, opencv, pyav, not 'vlc'"):
        ReadingSettings(decoder="vlc")
