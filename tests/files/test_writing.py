"""Atomic writes and private files."""

from __future__ import annotations

import errno
import os
import stat

import pytest

from edgecls.errors import ConfigError, SinkError, SourceError
from edgecls.files import (
    make_private_folder,
    open_part,
    open_private,
    part_of,
    private_mode,
    read_small,
    whole_file,
)


def test_a_file_appears_when_the_block_ends(tmp_path):
    """Inside the block it does not exist; afterwards it is complete and the only file in the folder."""
    target = tmp_path / "a.bin"
    with whole_file(target) as path:
        path.write_bytes(b"new")
        assert path.suffix == ".bin"
        assert not target.exists()
    assert target.read_bytes() == b"new"
    assert list(tmp_path.iterdir()) == [target]


@pytest.mark.parametrize("kind", [RuntimeError, KeyboardInterrupt])
def test_an_error_leaves_the_file_unchanged(tmp_path, kind):
    """A failure or Ctrl-C during writing leaves the previous file and no temporary file."""
    target = tmp_path / "a.bin"
    target.write_bytes(b"old")

    def half():
        with whole_file(target) as path:
            path.write_bytes(b"half")
            raise kind

    with pytest.raises(kind):
        half()
    assert target.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [target]


def test_a_full_disk_is_an_error_and_leaves_the_file_unchanged(tmp_path):
    """The message contains the file and the reason; an error of edgecls that is also an OSError is passed on unchanged."""
    target = tmp_path / "a.bin"
    target.write_bytes(b"old")

    def fails(error):
        with whole_file(target) as path:
            path.write_bytes(b"half")
            raise error

    for number, why, advice in (
        (errno.ENOSPC, "No space left on device", ": make room, and try again"),
        (errno.EDQUOT, "Disk quota exceeded", ": make room, and try again"),
        (errno.EACCES, "Permission denied", ""),
    ):
        with pytest.raises(SinkError, match=rf"a\.bin: cannot be written \({why}\); the previous file is unchanged{advice}$"):
            fails(OSError(number, why))
    with pytest.raises(SourceError, match=r"^a camera$"):
        fails(SourceError("a camera"))
    assert target.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [target]


def test_a_part_is_always_a_new_file(tmp_path):
    """A link that someone placed there is removed, not followed; so is the leftover of a killed run."""
    theirs = tmp_path / "theirs"
    theirs.write_text("theirs")
    target = tmp_path / "out.mp4"
    for leftover in ("link", "dangling", "file", "pipe"):
        part = part_of(target)
        if leftover == "pipe":
            os.mkfifo(part)
        elif leftover == "file":
            part.write_text("half")
        else:
            part.symlink_to(theirs if leftover == "link" else tmp_path / "nowhere")
        descriptor = open_part(part, mode=0o600)
        os.write(descriptor, b"new")
        os.close(descriptor)
        assert not part.is_symlink()
        assert part.read_text() == "new"
        part.unlink()
    assert theirs.read_text() == "theirs"
    assert not (tmp_path / "nowhere").exists()


def test_a_part_that_is_being_written_is_left_alone(tmp_path):
    """The temporary file of another active run is neither opened nor removed."""
    descriptor = open_part(part_of(tmp_path / "a.bin"))
    os.write(descriptor, b"theirs")

    def write() -> None:
        with whole_file(tmp_path / "a.bin") as path:
            path.write_bytes(b"ours")

    with pytest.raises(SinkError, match=r"a\.bin: cannot be written \(another run is writing it\)"):
        write()
    assert part_of(tmp_path / "a.bin").read_bytes() == b"theirs"
    os.close(descriptor)
    write()
    assert (tmp_path / "a.bin").read_bytes() == b"ours"


@pytest.mark.parametrize(("asked", "file", "folder"), [(None, 0o600, 0o700), ("0640", 0o640, 0o750), ("644", 0o644, 0o755)])
def test_recordings_are_for_their_owner(tmp_path, monkeypatch, asked, file, folder):
    """Unless EDGECLS_MODE is set, and whatever the umask is; an existing file keeps its mode."""
    monkeypatch.delenv("EDGECLS_MODE", raising=False)
    if asked:
        monkeypatch.setenv("EDGECLS_MODE", asked)
    before = os.umask(0o022)
    try:
        os.close(open_private(tmp_path / "new", os.O_WRONLY))
        make_private_folder(tmp_path / "folder")
        (tmp_path / "old").touch(mode=0o604)
        os.close(open_private(tmp_path / "old", os.O_WRONLY))
        with whole_file(tmp_path / "old", mode=private_mode()) as path:
            path.touch()
    finally:
        os.umask(before)
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in tmp_path.iterdir()}
    assert modes == {"new": file, "folder": folder, "old": 0o604}


@pytest.mark.parametrize("text", ["", "rw", "0888", "0040", "10600", "-600"])
def test_an_invalid_mode_is_an_error(monkeypatch, text):
    """The message states what is valid."""
    monkeypatch.setenv("EDGECLS_MODE", text)
    with pytest.raises(ConfigError, match="EDGECLS_MODE must be three octal digits that let the owner write, such as 0640"):
        private_mode()


def test_files_that_others_may_have_replaced_are_read_safely(tmp_path):
    """Reading does not wait for a pipe, follow a link or read a large file."""
    (tmp_path / "large").write_bytes(b"x" * 100)
    (tmp_path / "link").symlink_to(tmp_path / "large")
    os.mkfifo(tmp_path / "pipe")
    assert read_small(tmp_path / "large", 100) == b"x" * 100
    for name in ("large", "link", "pipe"):
        with pytest.raises((OSError, ValueError)):
            read_small(tmp_path / name, 99)
