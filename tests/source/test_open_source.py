"""Tests of recognizing and opening sources."""

from __future__ import annotations

import pytest

from edgecls import ConfigError
from edgecls.source import SOURCES, as_camera, name_each, open_source, recognize
from tests.drawn import gray_levels, write_video


@pytest.mark.parametrize(
    ("where", "expected"),
    [
        (0, ("camera", "0", "camera0")),
        ("12", ("camera", "12", "camera12")),
        ("gate=0", ("camera", "0", "gate")),
        ("0.mp4", ("video", "0.mp4", "0")),
        ("rtsp://user:pw@cam-1/live", ("stream", "rtsp://user:pw@cam-1/live", "cam-1")),
        ("gate=rtsp://cam-1/live", ("stream", "rtsp://cam-1/live", "gate")),
        ("http://host/x?a=b", ("stream", "http://host/x?a=b", "host")),
        ("HTTP://host/x", ("stream", "HTTP://host/x", "host")),
        ("udp://@:1234", ("stream", "udp://@:1234", "stream")),
        ("day/street.mp4", ("video", "day/street.mp4", "street")),
        ("gate=day/street.mp4", ("video", "day/street.mp4", "gate")),
        ("my gate=x.mp4", ("video", "my gate=x.mp4", "my gate=x")),
    ],
)
def test_a_text_tells_its_kind_and_name(where, expected):
    """A number is a camera, a URL a stream, anything else a file; a name before = names the camera."""
    assert recognize(where) == expected
    assert expected[0] in SOURCES


def test_a_folder_is_recognized(tmp_path):
    """A folder is a source of pictures with the folder's name; a Path works like a text."""
    assert recognize(tmp_path) == ("folder", str(tmp_path), tmp_path.name)
    assert recognize(f"gate={tmp_path}") == ("folder", str(tmp_path), "gate")


@pytest.mark.parametrize(("name", "kind"), [("a.jpg", "picture"), ("a.PNG", "picture"), ("a.gif", "video"), ("a.mp4", "video")])
def test_a_picture_is_recognized(tmp_path, name, kind):
    """A file is recognized as a picture by its extension; an animated one is a video."""
    (tmp_path / name).touch()
    assert recognize(tmp_path / name) == (kind, str(tmp_path / name), "a")
    assert recognize(f"gate={tmp_path / name}") == (kind, str(tmp_path / name), "gate")


def test_a_file_with_an_equals_sign_is_that_file(tmp_path, monkeypatch):
    """A file named a=b.mp4 is not split into a name and a file, and a file named 0 is not a camera."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a=b.mp4").touch()
    (tmp_path / "0").touch()
    assert recognize("a=b.mp4") == ("video", "a=b.mp4", "a=b")
    assert recognize("0") == ("video", "0", "0")
    assert recognize(0) == ("camera", "0", "camera0")


def test_cameras_have_names_of_their_own(tmp_path):
    """Three videos of the same name are the cameras v, v-2 and v-3."""
    paths = []
    for folder in "abc":
        (tmp_path / folder).mkdir()
        paths.append(write_video(tmp_path / folder / "v.avi", gray_levels([0, 100])))
    with open_source(*paths) as source:
        assert sorted({frame.camera for frame in source}) == ["v", "v-2", "v-3"]


def test_a_made_up_name_does_not_meet_a_given_one(tmp_path):
    """A second v does not get the name v-2 if another source has it."""
    path = write_video(tmp_path / "v.avi", gray_levels([0, 100]))
    with open_source(f"v-2={path}", path, path) as source:
        assert sorted({frame.camera for frame in source}) == ["v", "v-2", "v-3"]


def test_no_source_is_refused():
    """Opening nothing is an error that says what can be opened."""
    with pytest.raises(ConfigError, match="expected at least one camera, file, folder or URL, found none"):
        open_source()


def test_a_number_that_is_said_to_be_a_camera_is_one_beside_a_file_of_that_name(tmp_path, monkeypatch):
    """As with --camera; of a source the file goes first."""
    monkeypatch.chdir(tmp_path)
    for name in ("0", "gate=1"):
        (tmp_path / name).touch()
    assert name_each(["0", "gate=1"]) == {"0": "0", "gate=1": "gate=1"}
    assert name_each([as_camera("0"), as_camera("gate=1"), as_camera("/dev/video2")]) == {
        "camera0": 0,
        "gate": 1,
        "camera2": "/dev/video2",
    }


def test_a_source_is_not_endless():
    """The length of an address or path is limited."""
    with pytest.raises(ConfigError, match="a source must be a text of at most 10,000 characters, not 300,000"):
        open_source("://" * 100_000)


@pytest.mark.parametrize("number", [-1, 1000, 2**31, 2**63 - 1, -(2**63)])
def test_a_number_that_no_camera_has(number):
    """A camera number beyond a C int is rejected at the start, because OpenCV would raise for it."""
    with pytest.raises(ConfigError, match=rf"the number of a camera must be from 0 to 999, not {number}$"):
        open_source(number)
