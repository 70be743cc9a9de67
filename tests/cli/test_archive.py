"""Tests of `edgecls archive`: tables of a folder of recordings, and what interrupts it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from typer.testing import CliRunner

from edgecls.archive.progress import Progress
from edgecls.cli.archive import how_far, summary
from edgecls.cli.entry import app
from tests.archive.inline import archived, lamp, rows
from tests.conftest import ROOT


def call(*arguments, code=0):
    done = CliRunner().invoke(app, [str(a) for a in arguments])
    assert done.exit_code == code, done.output
    return done.output


@pytest.fixture
def nas(tmp_path):
    """Recordings of two cameras."""
    lamp(tmp_path / "nas" / "door" / "20261128-074501.avi")
    lamp(tmp_path / "nas" / "yard" / "20261128-120000.avi", 50, 45)
    return tmp_path / "nas"


def test_a_folder_becomes_tables(light_model, nas, tmp_path):
    """With a summary in the last line, and nothing left to do afterwards."""
    out = tmp_path / "out"
    options = ("--names", "{camera}/%Y%m%d-%H%M%S", "--zone", "left=0,0,0.5,1", "--workers", 2)
    said = call("archive", light_model, nas, "--out", out, *options)
    assert said.splitlines()[-1].startswith("2 recordings, 175 frames, 4 events in ")
    assert {(row["camera"], row["day"], row["region"]) for row in rows(out)} == {
        ("door", "2026-11-28", "left"), ("yard", "2026-11-28", "left"),
    }  # fmt: skip
    assert call("archive", light_model, nas, "--out", out, *options).startswith(
        "0 recordings (2 before), 0 frames, 0 events in "
    )


def test_an_unreadable_recording_fails_at_the_end(light_model, nas, tmp_path):
    """The others are done; the exit code and the last line say so, once."""
    (nas / "yard" / "bad.mp4").write_bytes(b"")
    out = tmp_path / "out"
    said = call("archive", light_model, nas, "--out", out, "-w", 1, code=1)
    assert f"{nas}/yard/bad.mp4: is empty (0 bytes)" in said
    assert said.splitlines()[-1] == f"error: 1 recording could not be read, or not to the end; see {out}/unreadable.jsonl"
    assert len({row["recording"] for row in rows(out)}) == 2
    assert call("archive", light_model, nas, "--out", out).startswith("0 recordings (3 before)")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nowhere", "--out", "out"], "error: nowhere: no such file or folder"),
        (["foo://x", "--out", "out"], "error: foo://x: nothing here can read foo://"),
        (["nas", "--out", "out", "--names", "%Q"], "error: --names %Q has %Q, which is unknown"),
        (["nas", "--out", "out", "--timezone", "Mars"], "error: --timezone Mars is not known here"),
        (["nas", "--out", "nas/door/20261128-074501.avi"], "is a file; expected a folder for the archive"),
    ],
)
def test_bad_input_is_one_line(light_model, nas, tmp_path, monkeypatch, arguments, message):
    """It says what is expected."""
    monkeypatch.chdir(tmp_path)
    assert message in call("archive", light_model, *arguments, code=1)
    assert not (tmp_path / "out").exists()


def test_rules_of_a_config_are_not_mixed_with_options(light_model, nas, tmp_path):
    """A usage error."""
    (tmp_path / "cameras.toml").write_text("")
    said = call(
        "archive", light_model, nas, "--out", tmp_path / "out", "--config", tmp_path / "cameras.toml", "--motion", code=2
    )
    assert "with --config, where to look and how to read belong in its file" in said


@pytest.fixture(scope="module")
def undisturbed(light_model, tmp_path_factory):
    """Three recordings, and their tables if nothing happens."""
    folder = tmp_path_factory.mktemp("undisturbed")
    for i in range(3):
        lamp(folder / "nas" / "yard" / f"{i}.avi", 400 + i, 300)
    archived(light_model, folder / "nas", out=folder / "out")
    return folder / "nas", [rows(folder / "out", kind) for kind in ("labels", "events")]


def begin(*arguments):
    """Start a command, and wait until it has begun to write."""
    command = [sys.executable, "-m", "edgecls", *map(str, arguments)]
    return subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, text=True, env={**os.environ, "PYTHONPATH": str(ROOT)})


def hidden(out):
    """What is being written."""
    return list(out.rglob("*.tmp"))


def workers(pid):
    """The processes that a process has started."""
    return list(map(int, Path(f"/proc/{pid}/task/{pid}/children").read_text().split()))


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
@pytest.mark.parametrize("whom", ["SIGTERM", "SIGKILL", "worker"])
def test_whatever_is_killed_the_next_call_completes_it(light_model, tmp_path, undisturbed, whom):
    """Every part once, none broken, equal to an undisturbed archive, and no process is left."""
    (nas, expected), out = undisturbed, tmp_path / "out"
    run = begin("archive", light_model, nas, "--out", out, "-w", 1)
    until = time.monotonic() + 60
    while not (hidden(out) and any((out / "labels").rglob("*.parquet"))) and time.monotonic() < until:
        time.sleep(0.005)
    (child,) = workers(run.pid)
    os.kill(child if whom == "worker" else run.pid, signal.SIGKILL if whom == "worker" else signal.Signals[whom])
    said = run.communicate(timeout=60)[1]
    assert run.returncode == {"SIGTERM": 143, "SIGKILL": -9, "worker": 0}[whom]
    if whom == "SIGTERM":
        assert "left; to go on, run the same command again" in said.splitlines()[-1]
    deadline = time.monotonic() + 20
    while Path(f"/proc/{child}").exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not Path(f"/proc/{child}").exists()
    if whom != "worker":
        assert 0 < len(list((out / "labels").rglob("*.parquet"))) < 3
    progress, read, _ = archived(light_model, nas, out=out)
    assert progress.before + len(read) == 3
    assert not hidden(out)
    assert [rows(out, kind) for kind in ("labels", "events")] == expected


def test_the_status_says_how_far_it_is():
    """Recordings, speed, and how long it will take."""
    progress = Progress(40, 12, 2, 1, 36_000, 25, 1440.0, 60.0, 0.25)
    assert how_far(progress) == "12 of 40 recordings, 1 unreadable, 600 fps, 24 times real time, about 3 min left"
    assert summary(progress) == "10 recordings (2 before), 36000 frames, 25 events in 60.0 s (600.0 fps)"
