"""Tests of a file that grows by whole lines."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from edgecls import SinkError
from edgecls.sink.line_file import LineFile

WRITER = """
import sys
from pathlib import Path
from edgecls.sink.line_file import LineFile
file = LineFile(Path(sys.argv[1]), say=print)
for number in range(int(sys.argv[2])):
    file.append(b"%d\\n" % number)
    if number == 10:
        print("writes", flush=True)
"""


def test_a_renamed_log_loses_no_line(tmp_path):
    """While another process renames it repeatedly, no line is lost or reordered."""
    path, count = tmp_path / "out.log", 10_000
    with subprocess.Popen([sys.executable, "-c", WRITER, path, str(count)], stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout.readline() == "writes\n"
        number = 0
        while child.poll() is None:
            if path.exists():
                path.rename(tmp_path / f"out.log.{number:06}")
                number += 1
    parts = [*sorted(tmp_path.glob("out.log.*")), *([path] if path.exists() else [])]
    assert len(parts) > 3
    assert [int(line) for part in parts for line in part.read_text().splitlines()] == list(range(count))


@pytest.mark.parametrize("how", ["renamed", "removed", "replaced", "emptied"])
def test_the_next_line_goes_to_the_file_of_that_name(tmp_path, how):
    """Whether logrotate renames it, creates a new one, or copies and truncates it (copytruncate)."""
    path = tmp_path / "out.log"
    file = LineFile(path, say=pytest.fail, head=b"head\n")
    file.append(b"1\n")
    if how == "emptied":
        os.truncate(path, 0)
    elif how == "removed":
        path.unlink()
    else:
        path.rename(tmp_path / "old.log")
    if how == "replaced":
        path.touch()
    file.append(b"2\n")
    file.close()
    assert path.read_bytes() == (b"2\n" if how == "emptied" else b"head\n2\n")


def test_a_log_that_cannot_be_recreated_continues(tmp_path):
    """If something else has taken its name, lines go to the old file, and this is reported once."""
    path, told = tmp_path / "out.log", []
    file = LineFile(path, say=told.append)
    path.rename(tmp_path / "old.log")
    path.mkdir()
    for number in range(3):
        file.append(b"%d\n" % number)
    path.rmdir()
    file.append(b"3\n")
    file.close()
    assert told == [f"{path}: was moved, and a new file cannot be created (Is a directory); lines still go to the old file"]
    assert (tmp_path / "old.log").read_bytes() == b"0\n1\n2\n"
    assert path.read_bytes() == b"3\n"


def test_a_partial_line_that_could_not_be_removed_is_removed_later(tmp_path, monkeypatch):
    """If the disk fails after a partial write, the next line still starts on its own line."""
    file = LineFile(tmp_path / "out.log", say=pytest.fail)
    file.append(b"whole\n")
    write = os.write

    def fail(*_: object) -> None:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(os, "write", lambda descriptor, data: write(descriptor, data[:3]))
    monkeypatch.setattr(os, "ftruncate", fail)
    for _ in range(2):
        with pytest.raises(OSError, match="Input/output error"):
            file.append(b"another\n")
    monkeypatch.undo()
    file.append(b"last\n")
    file.close()
    assert (tmp_path / "out.log").read_bytes() == b"whole\nlast\n"


def test_a_second_writer_is_rejected(tmp_path):
    """By each name of the file, which stays unchanged."""
    path = tmp_path / "out.log"
    file = LineFile(path, say=pytest.fail)
    file.append(b"1\n")
    os.link(path, tmp_path / "hard.log")
    (tmp_path / "soft.log").symlink_to(path)
    for name in ("out.log", "hard.log", "soft.log"):
        with pytest.raises(SinkError, match=rf"{name}: another run is writing to this file; stop that run"):
            LineFile(tmp_path / name, say=pytest.fail)
    file.append(b"2\n")
    file.close()
    assert path.read_bytes() == b"1\n2\n"
    LineFile(path, say=pytest.fail).close()
