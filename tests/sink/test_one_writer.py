"""Tests that a second run on the same file is rejected at its start."""

from __future__ import annotations

import signal
import subprocess
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from edgecls import SinkError
from edgecls.files.locks import of_run
from edgecls.sink import open_sink
from tests.run.world import event, frame, result

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no flock")
KINDS = ["jsonl:{}/out.jsonl", "csv:{}/out.csv", "video:{}/out.mp4", "video:{}/out-{{camera}}.mp4"]
RUN = """
import sys, time
from edgecls.sink import open_sink
from tests.run.world import frame, result
sink = open_sink(sys.argv[1], spool=sys.argv[2])
sink.write(result(frame(0)))
print("runs", flush=True)
time.sleep(60)
"""


@contextmanager
def another_run(text: str, spool: Path) -> Iterator[subprocess.Popen[str]]:
    """Start a run that writes to a sink."""
    with subprocess.Popen([sys.executable, "-c", RUN, text, spool], stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout.readline() == "runs\n"
        try:
            yield child
        finally:
            child.kill()


@pytest.mark.parametrize("kind", KINDS)
def test_the_second_run_is_refused_at_the_start(tmp_path, kind):
    """The error shows the name it was given, also through a linked folder. After kill -9 of the first, it may write."""
    folder, linked = tmp_path / "folder", tmp_path / "linked"
    folder.mkdir()
    linked.symlink_to(folder)
    with another_run(kind.format(folder), tmp_path / "first") as child:
        before = sorted(path.name for path in folder.iterdir())
        for place in (folder, linked):
            with pytest.raises(
                SinkError, match=rf"^{place}/out.*: another run is writing to this file; stop that run, or choose another"
            ):
                open_sink(kind.format(place), spool=tmp_path / "second")
        assert sorted(path.name for path in folder.iterdir()) == before
        child.send_signal(signal.SIGKILL)
        child.wait()
    with open_sink(kind.format(folder), spool=tmp_path / "second") as sink:
        sink.write(result(frame(1)))
        sink.write_event(event(1))
    assert not [path.name for path in folder.iterdir() if path.name.startswith(".")]


@pytest.mark.parametrize(
    ("before", "after"),
    [("jsonl:{}/out.jsonl", "jsonl:{}/out.jsonl?when=change"), ("video:{}/out.mp4", "video:{}/out.mp4?most_gb=1")],
)
def test_a_reload_opens_a_file_that_its_run_has(tmp_path, before, after):
    """With other settings, before the first sink is closed; another run is still rejected."""
    with of_run("this one"):
        old = open_sink(before.format(tmp_path))
        old.write(result(frame(0)))
        new = open_sink(after.format(tmp_path))
    old.close()
    new.write(result(frame(1)))
    if "jsonl" in before:
        with pytest.raises(SinkError):
            open_sink(before.format(tmp_path))
    new.close()
    open_sink(before.format(tmp_path)).close()


def test_a_run_that_begins_while_a_finished_video_waits_for_the_next_is_refused(tmp_path):
    """A new resolution starts a new file, but the first one still belongs to the run."""
    with open_sink(f"video:{tmp_path}/out.mp4") as sink:
        sink.write(result(frame(0)))
        sink.write(result(frame(1, size_hw=(96, 128))))
        assert (tmp_path / "out.mp4").exists()
        with pytest.raises(SinkError, match="another run is writing to this file"):
            open_sink(f"video:{tmp_path}/out.mp4")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out-2.mp4", "out.mp4"]
