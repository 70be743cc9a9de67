"""Tests that every sink survives a disk that fails, at whichever call that begins."""

from __future__ import annotations

import csv
import json
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from edgecls import SinkError
from edgecls.sink import open_sink
from edgecls.sink.recordings import video
from tests.drawn import gray_levels
from tests.live.process import watched
from tests.run.disk import small_disk
from tests.run.world import event, frame, result, web_server
from tests.sink.test_webhook import always, receiver

if TYPE_CHECKING:
    from tests.live.process import Watched

ROOT = Path(__file__).parents[2]
STEP = 1 if os.environ.get("EDGECLS_EVERY_CALL") else 7
"""After the first 24 calls, only every seventh is tried; with EDGECLS_EVERY_CALL all are, which takes minutes."""


@pytest.fixture(scope="module")
def library(tmp_path_factory) -> Path:
    """Compile the library of the failing disk."""
    if not sys.platform.startswith("linux"):
        pytest.skip("a library before the C library is for Linux")
    if shutil.which("cc") is None:
        pytest.skip("a C compiler is not installed: apt install gcc libc6-dev")
    made = tmp_path_factory.mktemp("library") / "failing_disk.so"
    source = Path(__file__).with_name("failing_disk.c")
    subprocess.run(["cc", "-O1", "-Wall", "-Wextra", "-Werror", "-shared", "-fPIC", "-o", made, source, "-ldl"], check=True)
    return made


@pytest.mark.parametrize("kind", ["jsonl", "csv", "sqlite", "video", "clip", "snapshot", "collect"])
def test_a_disk_may_fail_at_any_call(library, tmp_path, kind):
    """Once, or until it recovers: later writes succeed, the others succeed or are counted and reported, no descriptor stays
    open, and at the start only an EdgeclsError is raised.
    """
    command = [sys.executable, "-m", "tests.run.failing_disk", kind, tmp_path, str(STEP)]
    environment = {**os.environ, "LD_PRELOAD": str(library)}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=600, check=False)
    assert done.returncode == 0, done.stderr
    *broken, last = done.stdout.splitlines()
    assert broken == []
    assert last.startswith("tried ")
    assert int(last.removeprefix("tried ")) >= 50


SINKS = """
model = "{model}"
sinks = ["jsonl:{disk}/log.jsonl", "csv:{disk}/e.csv", "sqlite:{disk}/e.db", "video:{disk}/gate.mp4", "clip:{disk}/clips",
  "snapshot:{disk}/shots", "jsonl:well/log.jsonl", "csv:well/e.csv", "clip:well", "webhook:http://{hook}/"]
[[camera]]
name = "gate"
source = "{camera}/camera"
[camera.state]
seconds = 0.2
[camera.health]
off = true
"""


def test_a_whole_run_goes_on_through_a_disk_that_fails(library, light_model, tmp_path):
    """All kinds of sinks and the spool at once, on a disk that fails completely for a while: labels continue, buffered sinks
    lose no event, sinks elsewhere lose nothing, and those on the disk continue afterwards, with one message when it begins and
    one when it is over.
    """
    came, answer = always(200)
    pictures = gray_levels(([20] * 15 + [235] * 15) * 60, (48, 64))
    for name in ("disk/clips", "disk/shots", "well"):
        (tmp_path / name).mkdir(parents=True)
    with web_server(pictures, wait_s=0.03) as camera, receiver(answer) as hook:
        (tmp_path / "cameras.toml").write_text(
            SINKS.format(model=light_model, hook=hook, camera=camera, disk=tmp_path / "disk")
        )
        more = {"LD_PRELOAD": str(library), "EDGECLS_SPOOL": str(tmp_path / "disk"), "PYTHONPATH": str(ROOT)}
        command = (sys.executable, "-m", "tests.run.failing_run", tmp_path / "disk", "run", "--config", "cameras.toml")
        with watched(*command, cwd=tmp_path, env=os.environ | more) as run:
            _pass_events(run, 2)
            run.process.send_signal(signal.SIGUSR1)
            _pass_events(run, 4)
            run.process.send_signal(signal.SIGUSR2)
            time.sleep(video.RETRY_S)
            _pass_events(run, 2)
            assert run.end(signal.SIGTERM) == 143
    check_lines(run)
    check_files(tmp_path, run, [json.loads(request.body) for request in came])


def check_lines(run: Watched) -> None:
    """Check for one message of each sink when the disk fails, and one when it recovers; no buffered event is lost."""
    said = run.errors.splitlines()
    assert "Traceback" not in run.errors
    for what in ("lines", "snapshots", "clips", "frames of the video"):
        assert len([line for line in said if line.startswith(f"{what} cannot be written and")]) == 1
        assert len([line for line in said if f": {what} are written again; " in line]) == 1
    for kind, lines in (("csv", 2), ("sqlite", 1), ("webhook", 1)):
        assert len([line for line in said if f"/{kind}-" in line and "kept in memory meanwhile" in line]) == lines
        assert len([line for line in said if f"/{kind}-" in line and "written again; 0 events were lost" in line]) == lines
    for file in ("disk/e.csv", "disk/e.db"):
        assert 1 <= len([line for line in said if f"{file}: cannot be written" in line]) <= 3  # SQLite has several reasons
        assert len([line for line in said if f"{file}: works again" in line and line.endswith(" 0 lost")]) == 1


def check_files(folder: Path, run: Watched, bodies: list[dict]) -> None:
    """Check that sinks elsewhere have everything that stdout had; on the disk, the tables have it, too, and the others what
    came after the recovery.
    """
    events = [line for line in run.lines if "event" in line]
    ended = [line["event"] for line in events if line["end"] is not None]
    assert [body for body in bodies if "event" in body] == events
    assert [json.loads(line) for line in (folder / "well/log.jsonl").read_text().splitlines()] == run.lines
    kept = [json.loads(line) for line in (folder / "disk/log.jsonl").read_text().splitlines()]
    assert kept[0] == run.lines[0]
    assert kept[-1] == run.lines[-1]
    assert 20 < len(kept) < len(run.lines)
    for place in ("well", "disk"):
        with (folder / place / "e.csv").open(newline="") as file:
            assert [row["id"] for row in csv.DictReader(file)] == ended
    with closing(sqlite3.connect(folder / "disk/e.db")) as db:
        assert {one for (one,) in db.execute('SELECT id FROM events WHERE "end" IS NOT NULL')} == set(ended)
    assert len(list((folder / "well").glob("[!.]*.json"))) == len({line["event"] for line in events})
    for place in ("clips", "shots"):
        assert 2 <= len(list((folder / "disk" / place).glob("[!.]*.json"))) < len({line["event"] for line in events})
    assert list((folder / "disk").glob("gate*.mp4"))


def _pass_events(run: Watched, count: int) -> None:
    for _ in range(count):
        run.until(lambda line: line.get("kind") == "state" and line["end"] is not None)


def remount(disk: Path, how: str) -> None:
    """Remount a disk "ro" or "rw" while files on it are open."""
    subprocess.run(["mount", "-o", f"remount,{how}", disk], check=True)


@pytest.mark.parametrize("kind", ["jsonl:{}/out.jsonl", "video:{}/out.mp4", "csv:{}/out.csv", "sqlite:{}/out.db"])
def test_a_disk_that_is_full_for_a_while(tmp_path, kind, monkeypatch):
    """A real one, full from the first write on: the sink continues, and later writes succeed once there is room."""
    monkeypatch.setattr(video, "RETRY_S", 0.0)
    told: list[str] = []
    with small_disk(tmp_path / "disk", "4m") as disk:
        sink = open_sink(kind.format(disk), spool=tmp_path / "spool", say=told.append)
        with (disk / "other").open("wb", buffering=0) as other:
            while True:
                try:
                    if not other.write(bytes(4096)):
                        break
                except OSError:
                    break
        for i in range(20):
            sink.write(result(frame(i)))
            sink.write_event(event(i))
        (disk / "other").unlink()
        for i in range(20, 40):
            sink.write(result(frame(i)))
            sink.write_event(event(i))
        sink.close()
        assert len([line for line in told if "No space left" in line or "full" in line]) <= 2
        assert sink.backlog.waiting == 0
        assert any(path.stat().st_size > 1000 for path in disk.glob("[!.]*"))


def test_a_disk_that_is_read_only_is_an_error_at_the_start(tmp_path):
    """In one line that names what cannot be written; nothing is lost silently."""
    with small_disk(tmp_path / "disk", "1m") as disk:
        remount(disk, "ro")
        for kind in ("jsonl:{}/out.jsonl", "video:{}/out.mp4", "csv:{}/out.csv", "sqlite:{}/out.db", "clip:{}", "snapshot:{}"):
            with pytest.raises(SinkError, match=str(disk)):
                open_sink(kind.format(disk), spool=tmp_path / "spool")
        with pytest.raises(SinkError, match="cannot be opened"):
            open_sink(f"csv:{tmp_path}/out.csv", spool=disk / "spool")
        remount(disk, "rw")
