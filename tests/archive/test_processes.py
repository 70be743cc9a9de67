"""Tests of the workers of this machine: each a process, whose end costs nothing but its own task."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time

import pytest

from edgecls.archive.archive import Archive
from edgecls.archive.executor import Done, Lost, Working
from edgecls.archive.naming import Naming
from edgecls.archive.processes import Processes
from edgecls.archive.recordings import find_recordings
from edgecls.archive.rules import make_job
from edgecls.archive.task import Task
from edgecls.archive.worker import START
from edgecls.errors import ModelError
from tests.archive.inline import archived, lamp, rows
from tests.conftest import ROOT

KILL_TWICE = """
import os, signal, sys
from edgecls.archive import labeller
label = labeller.Labeller.label
def deadly(self, task, tell):
    if task.recording.stem == "deadly":
        print("the decoder has crashed", file=sys.stderr, flush=True)
        os.kill(os.getpid(), signal.SIGSEGV)
    if task.recording.stem == "wrong":
        raise RuntimeError("not as expected")
    return label(self, task, tell)
labeller.Labeller.label = deadly
"""
"""What makes a worker die at a recording, as a decoder with a fault may."""


@pytest.fixture
def nas(tmp_path):
    """Three recordings."""
    for name in ("a", "deadly", "wrong"):
        lamp(tmp_path / "nas" / "yard" / f"{name}.avi")
    return tmp_path / "nas"


@pytest.fixture
def deadly(tmp_path, monkeypatch):
    """Make workers die at a recording with that name."""
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "deadly_worker.py").write_text(KILL_TWICE)
    monkeypatch.syspath_prepend(str(tmp_path / "site"))
    monkeypatch.setattr("edgecls.archive.processes.START", START.replace("from", "import deadly_worker; from", 1))


def test_a_worker_that_dies_costs_its_own_recording_only(light_model, nas, tmp_path, deadly):
    """It is tried once more, alone, then it is listed; the others go on."""
    out, said = tmp_path / "out", []
    with Archive(light_model, [nas], out=out, workers=2, say=said.append) as archive:
        tried = []
        submit = archive._executor.submit
        archive._executor.submit = lambda task: (tried.append(task.recording.stem), submit(task))
        while archive.step() is not None:
            pass
    assert sorted(tried) == ["a", "deadly", "deadly", "wrong", "wrong"]
    assert (archive.progress.done, archive.progress.unreadable) == (3, 2)
    text = (out / "unreadable.jsonl").read_text()
    assert "its worker was ended by SIGSEGV" in text
    assert "RuntimeError: not as expected" in text
    assert {row["recording"].rpartition("/")[2] for row in rows(out)} == {"a.avi"}
    assert archived(light_model, nas, out=out)[0].before == 3


def test_a_worker_that_is_silent_is_ended(light_model, nas, tmp_path):
    """So a decoder that never returns stops nothing."""
    found, _ = find_recordings([nas], Naming())
    job = make_job(light_model, None, tmp_path / "out", {"yard": found[0]}, 1)
    with Processes(job, 1, print, silent_s=0.2) as processes:
        processes.submit(Task(found[0]))
        os.kill(processes._all[0]._process.pid, signal.SIGSTOP)
        until, report = time.monotonic() + 30, None
        while not isinstance(report, Lost) and time.monotonic() < until:
            processes._all[0].is_ready = True
            report = processes.wait(0.1)
    assert report == Lost(Task(found[0]), "it said nothing for 0.2 s")


def test_a_model_that_cannot_be_loaded_is_one_line(nas, tmp_path):
    """The error of the worker is that of the archive."""
    (tmp_path / "m.onnx").write_bytes(b"no model")
    archive = Archive(tmp_path / "m.onnx", [nas], out=tmp_path / "out", workers=1)
    with archive, pytest.raises(ModelError, match=r"m\.onnx"):
        archive.step(60)


def test_a_worker_never_outlives_the_archive(light_model, nas, tmp_path):
    """However that ends: with its input closed the process is gone."""
    found, _ = find_recordings([nas], Naming())
    job = make_job(light_model, None, tmp_path / "out", {"yard": found[0]}, 1)
    processes = Processes(job, 1, print)
    processes.submit(Task(found[0]))
    child = processes._all[0]._process
    child.stdin.close()
    assert child.wait(60) == 0
    processes.close()


def test_progress_is_told_while_a_recording_is_read(light_model, tmp_path, monkeypatch):
    """A worker says how many frames it has labelled."""
    video = lamp(tmp_path / "yard" / "long.avi", 400, 400)
    (found, *_), _ = find_recordings([video], Naming())
    job = make_job(light_model, None, tmp_path / "out", {"yard": found}, 1)
    reports = []
    with Processes(job, 1, print) as processes:
        processes.submit(Task(found))
        while not (reports and isinstance(reports[-1], Done)):
            reports.append(processes.wait(1.0))
    working = [report.frames for report in reports if isinstance(report, Working)]
    assert working == sorted(working)
    assert reports[-1].outcome.frames == 800


def test_nothing_but_an_archive_loads_pyarrow():
    """Neither the package nor the command line."""
    code = "import edgecls, edgecls.cli, edgecls.run.run, sys; print('pyarrow' in sys.modules)"
    assert (
        subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True).stdout == "False\n"
    )
