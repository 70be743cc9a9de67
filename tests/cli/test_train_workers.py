"""`edgecls train` on several workers: two processes on this machine, over the loopback address."""

from __future__ import annotations

import csv
import importlib.util
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.conftest import ROOT

pytestmark = [
    pytest.mark.skipif(importlib.util.find_spec("jax") is None, reason="jax is not installed"),
    pytest.mark.skipif(sys.platform != "linux", reason="finds the workers in /proc"),
]
NETWORK = ("--size", 16, "--kernels", 8, "--dense", 32, "--batch", 13, "--dropout", 0.2, "--average", "--balance", "weights",
           "--optimizer", "adamw", "--weight-decay", 0.01, "--val-fraction", 0.25)  # fmt: skip
ENDLESS = ("--epochs", 9999)
WAIT_S = 120


@pytest.fixture(scope="module", autouse=True)
def _without_tensorflow(tmp_path_factory):
    """Keras loads TensorFlow where it is, which takes a third of the time of these runs; JAX does not need it."""
    hidden = tmp_path_factory.mktemp("hidden")
    (hidden / "tensorflow.py").write_text("raise ImportError('hidden')\n")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", str(hidden), prepend=os.pathsep)
        patch.setenv("TMPDIR", str(tmp_path_factory.mktemp("temporary")))  # a worker that is killed leaves its folder
        yield


def environment(**more):
    kept = {name: value for name, value in os.environ.items() if name != "KERAS_BACKEND"}
    return {**kept, "PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")]), **more}


def rows(run):
    path = run / "history.csv"
    return list(csv.DictReader(path.read_text().splitlines())) if path.exists() else []


def wait_for_epochs(run, count, process):
    until = time.monotonic() + WAIT_S
    while len(rows(run)) < count and time.monotonic() < until and process.poll() is None:
        time.sleep(0.05)
    assert len(rows(run)) >= count, process.communicate(timeout=30)


def started_by(parent, rank):
    """The process id of a worker."""
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            words = (folder / "cmdline").read_bytes().split(b"\0")
            by = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
        except OSError:
            continue
        if by == parent and b"--rank" in words and words[words.index(b"--rank") + 1] == str(rank).encode():
            return int(folder.name)
    raise AssertionError(f"no worker {rank}")


def begin(*arguments):
    command = [sys.executable, "-m", "edgecls", "train", *map(str, arguments)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment())


def train(*arguments, **more):
    command = [sys.executable, "-m", "edgecls", "train", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, env=environment(**more), timeout=WAIT_S, check=False)


class Runs(NamedTuple):
    """One run on two workers, of which one is killed; the same continued, until Ctrl-C; a run on one worker.

    Each is the exit code, the lines of stdout and those of stderr.
    """

    out: Path
    alone: Path
    killed: tuple[int, list[str], list[str]]
    stopped: tuple[int, list[str], list[str]]


@pytest.fixture(scope="module")
def runs(shapes, tmp_path_factory):
    folder = tmp_path_factory.mktemp("workers")
    out, alone, ends = folder / "two", folder / "one", []
    for resume, rank, number in (((), 1, signal.SIGKILL), (("--resume",), None, signal.SIGINT)):
        process = begin(shapes, "--out", out, *NETWORK, *ENDLESS, "--workers", 2, *resume)
        try:
            wait_for_epochs(out, len(rows(out)) + 2, process)
            os.kill(process.pid if rank is None else started_by(process.pid, rank), number)
            told = process.communicate(timeout=WAIT_S)
        finally:
            process.kill()
        ends.append((process.returncode, *(text.splitlines() for text in told)))
    done = train(shapes, "--out", alone, *NETWORK, "--epochs", len(rows(out)), KERAS_BACKEND="jax")
    assert done.returncode == 0, done.stderr
    return Runs(out, alone, *ends)


def test_two_workers_train_what_one_does(runs):
    """Losses and accuracies agree to 5 digits in every epoch, with batches that cannot be halved, dropout, augmentation and
    averaged weights; and though the run was killed and resumed in between.
    """
    of_two, of_one = rows(runs.out), rows(runs.alone)
    assert len(of_two) == len(of_one) >= 4
    for two, one in zip(of_two, of_one, strict=True):
        for name in ("loss", "val_loss"):
            assert float(two[name]) == pytest.approx(float(one[name]), rel=1e-5), (two["epoch"], name)
        for name in ("accuracy", "val_accuracy", "macro_recall", "val_macro_recall"):
            assert float(two[name]) == pytest.approx(float(one[name]), abs=1e-6), (two["epoch"], name)


def test_a_worker_that_is_killed_ends_the_run_with_a_line(runs):
    """Worker 0 says which one has ended, and the command why."""
    code, _, lines = runs.killed
    assert code == 1
    assert [line for line in lines if line.startswith("error: ")] == [
        "error: worker 1 has ended, or its machine or the network between them has failed; epochs that were complete are kept: "
        "continue with --resume",
        "error: worker 1 was ended by SIGKILL, perhaps because memory ran out",
    ]
    assert lines[-1].startswith("error: ")


def test_ctrl_c_keeps_the_best_epoch(runs):
    """As with one worker: the report is written, and what to do next is said."""
    code, told, lines = runs.stopped
    assert code == 130
    assert told[0].startswith(f"{runs.out}: {len(rows(runs.out))} epochs; on ")
    assert lines[-1].startswith("stopped early; the best epoch so far is kept.")
    assert (runs.out / "report.html").exists()


def test_only_the_lines_of_worker_0_are_shown(runs):
    """Each epoch once, and nothing that a library says."""
    _, _, lines = runs.stopped
    epochs = [line.split()[1] for line in lines if line.startswith("epoch ")]
    assert len(epochs) == len(set(epochs)) > 0
    assert [line for line in lines if "Gloo" in line or "cuda" in line.lower()] == []


def pair(shapes, run, first=(), second=(), other=None):
    """The ends of two workers with different options: exit code and lines of stderr."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    shared = ("--out", run, *NETWORK, "--epochs", 1, "--workers", 2, "--coordinator", f"127.0.0.1:{port}", "--join-wait", 60)
    both = [begin(shapes, *shared, "--rank", 0, *first), begin(other or shapes, *shared, "--rank", 1, *second)]
    try:
        told = [process.communicate(timeout=WAIT_S)[1].splitlines() for process in both]
    finally:
        for process in both:
            process.kill()
    return [(process.returncode, lines) for process, lines in zip(both, told, strict=True)]


def test_another_setting_on_one_worker_is_one_line_on_each(shapes, tmp_path):
    """It is named, with both values; nothing is left behind."""
    line = ("error: worker 1: the setting augment.scale differs from that of worker 0 (expected 0.05, found 0.5); start all "
            "workers with the same")  # fmt: skip
    assert pair(shapes, tmp_path / "run", second=("--augment-scale", 0.5)) == [(1, [line])] * 2
    assert not (tmp_path / "run").exists()


def test_other_pictures_on_one_worker_are_one_line_on_each(shapes, tmp_path):
    """The fingerprints are compared, not the folders."""
    other = tmp_path / "other"
    for picture in sorted(shapes.rglob("*.png"))[1:]:
        target = other / picture.relative_to(shapes)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.symlink_to(picture)
    for code, lines in pair(shapes, tmp_path / "run", other=other):
        assert code == 1
        assert lines[-1].startswith("error: worker 1: ")
        assert ': pictures differs from that of worker 0 (expected "sha256:' in lines[-1]


@pytest.mark.parametrize(
    ("options", "more", "message"),
    [
        (("--workers", 2, "--rank", 1, "--coordinator", "127.0.0.1:9"), {"KERAS_BACKEND": "tensorflow"},
         "training on several workers needs KERAS_BACKEND=jax, found tensorflow; unset it, or set it to jax"),
        (("--workers", 16, "--rank", 1, "--coordinator", "127.0.0.1:9"), {},
         "batch must be at least 16, a picture for each of the --workers, not 13"),
        (("--workers", 2, "--rank", 1, "--coordinator", "127.0.0.1:9", "--join-wait", 0.2), {},
         "worker 0 cannot be reached at --coordinator 127.0.0.1:9 within 0.2 s (Connection refused); start it there, and open "
         "its ports to the other workers"),
    ],
)  # fmt: skip
def test_a_worker_that_cannot_start_says_why_in_one_line(shapes, tmp_path, options, more, message):
    """Before it reads the pictures."""
    done = train(shapes, "--out", tmp_path / "run", *NETWORK, *options, **more)
    assert (done.returncode, done.stderr.splitlines()) == (1, [f"error: {message}"])
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("options", [("--rank", 0), ("--coordinator", "host:7700")])
def test_half_of_the_options_is_a_usage_error(edgecls, options):
    """It says what is missing."""
    done = edgecls("train", "pictures", "--out", "run", "--workers", 2, *options)
    assert done.returncode == 2
    assert "without both, --workers starts all workers on this machine" in " ".join(done.stderr.split())


def test_workers_of_the_environment(shapes, tmp_path):
    """As a cluster sets them for every process."""
    given = {"EDGECLS_WORKERS": "2", "EDGECLS_RANK": "1", "EDGECLS_COORDINATOR": "127.0.0.1:9"}
    done = train(shapes, "--out", tmp_path / "run", *NETWORK, "--join-wait", 0.2, **given)
    assert done.stderr.startswith("error: worker 0 cannot be reached at --coordinator 127.0.0.1:9")


def test_a_folder_with_a_run_is_one_line(runs, shapes):
    """Of worker 0; the other one, which waits for it, is ended without a word."""
    done = train(shapes, "--out", runs.alone, *NETWORK, "--workers", 2)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.splitlines() == [
        f"error: {runs.alone}: already has a run; continue it with --resume, or choose another --out"
    ]


def test_another_backend_is_one_line(shapes, tmp_path):
    """No worker is started."""
    done = train(shapes, "--out", tmp_path / "run", *NETWORK, "--workers", 2, KERAS_BACKEND="torch")
    assert done.stderr.splitlines() == [
        "error: training on several workers needs KERAS_BACKEND=jax, found torch; unset it, or set it to jax"
    ]
