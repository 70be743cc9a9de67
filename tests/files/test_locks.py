"""Only one run at a time writes a file."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING

import pytest

from edgecls import SinkError
from edgecls.files.locks import Claim, claim_to_replace, of_run

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no flock")
HOLDER = """
import os, sys, time
from pathlib import Path
from edgecls.files.locks import Claim, claim_to_replace
if sys.argv[1] == "beside":
    claims = claim_to_replace(Path(sys.argv[2]), say=print)
else:
    claim = Claim.of_file(os.open(sys.argv[2], os.O_RDWR | os.O_CREAT), sys.argv[2], say=print)
print("holds", flush=True)
time.sleep(60)
"""


@contextmanager
def another_process(how: str, path: Path) -> Iterator[subprocess.Popen[str]]:
    """Run another process that has claimed a file."""
    with subprocess.Popen([sys.executable, "-c", HOLDER, how, path], stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout.readline() == "holds\n"
        try:
            yield child
        finally:
            child.kill()


def claim_file(path: Path, messages: list[str] | None = None) -> Claim | None:
    """Claim an existing file."""
    descriptor = os.open(path, os.O_RDWR)
    try:
        return Claim.of_file(descriptor, path, say=(messages if messages is not None else []).append)
    finally:
        os.close(descriptor)


@pytest.mark.parametrize("link", ["the name", "a hard link", "a symbolic link"])
def test_a_file_has_one_writer_under_any_name(tmp_path, link):
    """While another process has claimed it, claims under all its names fail; after kill -9 it is free."""
    path = tmp_path / "out.jsonl"
    with another_process("file", path) as child:
        other = tmp_path / "other.jsonl"
        if link == "the name":
            other = path
        elif link == "a hard link":
            os.link(path, other)
        else:
            other.symlink_to(path)
        with pytest.raises(SinkError, match=r"(out|other)\.jsonl: another run is writing to this file; stop that run"):
            claim_file(other)
        child.send_signal(signal.SIGKILL)
        child.wait()
        claim_file(other).release()


@pytest.mark.parametrize("link", ["the name", "a linked folder", "a symbolic link"])
def test_a_file_that_does_not_exist_has_one_writer(tmp_path, link):
    """A lock file beside it is removed with the claim, and taken over from a killed run."""
    folder = tmp_path / "folder"
    folder.mkdir()
    (tmp_path / "linked").symlink_to(folder)
    (tmp_path / "link.mp4").symlink_to(folder / "out.mp4")
    names = {"the name": folder / "out.mp4", "a linked folder": tmp_path / "linked" / "out.mp4"}
    other = names.get(link, tmp_path / "link.mp4")
    with another_process("beside", folder / "out.mp4") as child:
        with pytest.raises(SinkError, match="another run is writing to this file"):
            claim_to_replace(other, say=pytest.fail)
        child.send_signal(signal.SIGKILL)
        child.wait()
    (claim,) = claim_to_replace(other, say=pytest.fail)
    assert [path.name for path in folder.iterdir()] == [".out.mp4.lock"]
    claim.release()
    assert list(folder.iterdir()) == []


def test_a_file_that_is_replaced_has_one_writer(tmp_path):
    """The existing file is locked, without a lock file; if there is a lock file, it is claimed too."""
    path = tmp_path / "out.mp4"
    path.write_text("the last run's")
    with another_process("beside", path):
        assert [file.name for file in tmp_path.iterdir()] == ["out.mp4"]
        with pytest.raises(SinkError, match="another run is writing to this file"):
            claim_to_replace(path, say=pytest.fail)
    path.unlink()
    with another_process("beside", path):
        path.write_text("finished meanwhile")
        with pytest.raises(SinkError, match="another run is writing to this file"):
            claim_to_replace(path, say=pytest.fail)


def test_a_run_may_claim_a_file_twice(tmp_path):
    """As a reload does; the file is free when both claims are released. Two runs in one process exclude each other."""
    path = tmp_path / "out.jsonl"
    path.touch()
    with of_run("one"):
        claims = [claim_file(path), claim_file(path)]
    claims[0].release()
    for run in ("two", None):
        with of_run(run), pytest.raises(SinkError):
            claim_file(path)
    claims[1].release()
    claim_file(path).release()


@pytest.mark.parametrize("number", [errno.ENOLCK, errno.EOPNOTSUPP, errno.EIO])
def test_a_file_system_without_locks_is_reported(tmp_path, monkeypatch, number):
    """The run continues, and asks the user to make sure that no other run writes the file."""

    def refuse(*_: object) -> None:
        raise OSError(number, os.strerror(number))

    messages: list[str] = []
    (tmp_path / "out.jsonl").touch()
    monkeypatch.setattr("edgecls.files.locks.fcntl.flock", refuse)
    assert claim_file(tmp_path / "out.jsonl", messages) is None
    assert claim_to_replace(tmp_path / "out.mp4", say=messages.append) == []
    places = [line.partition(" cannot be locked here")[0] for line in messages]
    assert places == [f"{tmp_path}/out.jsonl:", f"{tmp_path}/out.mp4:"]
    assert all(line.endswith("make sure that no other run writes to it") for line in messages)


def test_a_lock_file_that_is_a_link_is_not_followed(tmp_path):
    """Someone else may have placed it in a shared folder."""
    (tmp_path / "theirs").write_text("x")
    (tmp_path / ".out.mp4.lock").symlink_to(tmp_path / "theirs")
    messages: list[str] = []
    assert claim_to_replace(tmp_path / "out.mp4", say=messages.append) == []
    assert len(messages) == 1
    with closing(open(tmp_path / "theirs")) as file:  # noqa: PTH123
        assert file.read() == "x"
