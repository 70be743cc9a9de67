"""Tests of cameras by device path. None is really opened."""

from __future__ import annotations

import pytest

from edgecls import SourceError
from edgecls.source import ReadingSettings, name_each, open_source, opencv, recognize
from edgecls.source import device as devices


@pytest.mark.parametrize(
    ("where", "name"),
    [
        ("/dev/video0", "camera0"),
        ("gate=/dev/video12", "gate"),
        ("/dev/v4l/by-id/usb-046d_HD_Pro-video-index0", "usb-046d_HD_Pro-camera-index0"),
    ],
)
def test_the_path_of_a_device_is_a_camera(where, name):
    """Whether it is plugged in or not; a number stays a number."""
    kind, target, named = recognize(where)
    assert (kind, target) == ("camera", where.removeprefix("gate="))
    assert named == name
    assert list(name_each([where]).values()) == [target]
    assert name_each(["gate=3"]) == {"gate": 3}


def test_a_link_is_followed_at_each_opening(tmp_path, monkeypatch):
    """To a number, if the device has one."""
    link = tmp_path / "by-id"
    monkeypatch.setattr(devices, "mode_of", lambda _: 1)
    for target, expected in (("/dev/video7", 7), ("/dev/video21", 21), ("/dev/front", "/dev/front")):
        link.unlink(missing_ok=True)
        link.symlink_to(target)
        assert devices.resolve(str(link)) == expected
    assert devices.resolve(4) == 4


def test_a_camera_that_is_not_there():
    """The error also lists the cameras that are plugged in."""
    missing = r"camera /dev/video987: there is no such device; .*camera"
    with (
        open_source("/dev/video987", reading=ReadingSettings(give_up_after_s=0)) as source,
        pytest.raises(SourceError, match=missing),
    ):
        source.read()


def test_the_device_is_given_to_opencv(monkeypatch):
    """By number; or by path, to V4L2, if it has another name."""
    asked = []

    class Closed:
        def __init__(self, *arguments):
            asked.append(arguments)

        def isOpened(self):  # noqa: N802 - OpenCV's name
            return False

    monkeypatch.setattr(opencv._cv2(), "VideoCapture", Closed)
    monkeypatch.setattr(devices, "mode_of", lambda _: 1)
    for device in (2, "/dev/video5", "/dev/front"):
        with pytest.raises(SourceError, match=f"camera {device}: cannot be opened; "):
            opencv.OpenCVSource.camera(device, "gate")
    assert asked[:2] == [(2,), (5,)]
    assert asked[2][0] == "/dev/front"
