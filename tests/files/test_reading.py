"""Opening files for reading, whatever is at their paths."""

from __future__ import annotations

import os
import stat

import pytest

from edgecls import DataError
from edgecls.files import NotAFileError, open_file, open_regular, read_regular


@pytest.mark.parametrize(
    ("kind", "found"), [("folder", "a folder"), ("pipe", "a pipe or a device"), ("device", "a pipe or a device")]
)
def test_anything_but_a_file_is_refused_at_once(tmp_path, kind, found):
    """A folder, a pipe without a writer, an endless device."""
    path = tmp_path / "x"
    if kind == "folder":
        path.mkdir()
    elif kind == "pipe":
        os.mkfifo(path)
    else:
        path.symlink_to("/dev/zero")
    with pytest.raises(NotAFileError) as caught:
        open_file(path)
    assert caught.value.found == found
    with pytest.raises(DataError, match=rf"x: cannot be read \(expected a file, found {found}\)"):
        open_regular(path, error=DataError)


def test_a_pipe_is_opened_if_allowed(tmp_path):
    """It does not wait for a writer."""
    os.mkfifo(tmp_path / "pipe")
    with open_file(tmp_path / "pipe", pipes=True) as file:
        assert stat.S_ISFIFO(os.fstat(file.fileno()).st_mode)


def test_links_are_followed_unless_refused(tmp_path):
    """With `follow_links=False`, opening a link fails."""
    (tmp_path / "file").write_bytes(b"content")
    (tmp_path / "link").symlink_to(tmp_path / "file")
    with open_file(tmp_path / "link") as file:
        assert file.read() == b"content"
    with pytest.raises(OSError, match="symbolic link"):
        open_file(tmp_path / "link", follow_links=False)


@pytest.mark.parametrize(("name", "why"), [("missing", "No such file or directory"), ("a\0b", "embedded null byte")])
def test_an_invalid_path_is_an_error(tmp_path, name, why):
    """The message contains the reason from the system, and no null byte."""
    with pytest.raises(DataError, match=rf"cannot be read \({why}\)") as caught:
        open_regular(f"{tmp_path}/{name}", error=DataError)
    assert "\0" not in str(caught.value)


def test_a_file_that_is_too_long_is_not_read(tmp_path):
    """One byte more than allowed is an error."""
    (tmp_path / "file").write_bytes(bytes(101))
    assert len(read_regular(tmp_path / "file", error=DataError, most_bytes=101)) == 101
    with pytest.raises(DataError, match="expected at most 100 bytes, found 101"):
        read_regular(tmp_path / "file", error=DataError, most_bytes=100)


def test_a_refused_file_is_closed(tmp_path):
    """No descriptor stays open."""
    lowest = os.dup(0)
    os.close(lowest)
    for _ in range(20):
        with pytest.raises(NotAFileError):
            open_file(tmp_path)
    free = os.dup(0)
    os.close(free)
    assert free == lowest
