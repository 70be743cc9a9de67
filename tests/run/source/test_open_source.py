"""How a source is recognized and opened."""

from __future__ import annotations

import pytest

from edgecls import ConfigError
from edgecls.run.source import SOURCES, open_source, recognize
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
    """A number is a camera, a URL a stream, all else a file; a name before = is the camera's, else it is made of where."""
    assert recognize(where) == expected
    assert expected[0] in SOURCES


def test_a_folder_is_recognized(tmp_path):
    """A folder is a source of pictures, called as the folder is; a Path is as good as a text."""
    assert recognize(tmp_path) == ("folder", str(tmp_path), tmp_path.name)
    assert recognize(f"gate={tmp_path}") == ("folder", str(tmp_path), "gate")


def test_a_file_with_an_equals_sign_is_that_file(tmp_path, monkeypatch):
    """A file that is really called a=b.mp4 is not taken for a name and a file, and one that is called 0 for no camera."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a=b.mp4").touch()
    (tmp_path / "0").touch()
    assert recognize("a=b.mp4") == ("video", "a=b.mp4", "a=b")
    assert recognize("0") == ("video", "0", "0")
    assert recognize(0) == ("camera", "0", "camera0")


def test_cameras_have_names_of_their_own(tmp_path):
    """Three videos of one name are three cameras: v, v-2 and v-3."""
    paths = []
    for folder in "abc":
        (tmp_path / folder).mkdir()
        paths.append(write_video(tmp_path / folder / "v.avi", gray_levels([0, 100])))
    with open_source(*paths) as source:
        assert sorted({frame.camera for frame in source}) == ["v", "v-2", "v-3"]


def test_a_made_up_name_does_not_meet_a_given_one(tmp_path):
    """A second v does not take the name v-2 that another source has already."""
    path = write_video(tmp_path / "v.avi", gray_levels([0, 100]))
    with open_source(f"v-2={path}", path, path) as source:
        assert sorted({frame.camera for frame in source}) == ["v", "v-2", "v-3"]


def test_no_source_is_refused():
    """Opening nothing is an error that says what could have been opened."""
    with pytest.raises(ConfigError, match="expected a camera, file, folder or URL to read from, found none"):
        open_source()
