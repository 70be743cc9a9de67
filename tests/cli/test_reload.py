"""Tests that `edgecls run --config` reloads its configuration at SIGHUP: real processes, under load."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from edgecls.cli import hangup
from tests import tiny
from tests.drawn import gray_levels, write_video
from tests.run.world import web_server

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.skipif(hangup.NUMBER is None, reason="this platform has no SIGHUP")
PATIENCE_S = 60.0
DIM_THEN_BRIGHT = [128] * 200 + [255] * 2800


class Running:
    """A run whose lines are read one by one, so that it waits for its reader. Its messages go to a file."""

    def __init__(self, folder: Path, *arguments: object) -> None:
        self.lines: list[dict] = []
        self._said = folder / "said.txt"
        with self._said.open("w") as said:
            command = [sys.executable, "-m", "edgecls", "run", "--config", "cameras.toml", *map(str, arguments)]
            environment = os.environ | {"EDGECLS_SPOOL": str(folder / "spool")}
            self.process = subprocess.Popen(
                command, cwd=folder, stdout=subprocess.PIPE, stderr=said, text=True, env=environment
            )

    @property
    def said(self) -> list[str]:
        return self._said.read_text().splitlines()

    def take(self, count: int) -> None:
        """Read this many lines."""
        for _ in range(count):
            line = self.process.stdout.readline()
            assert line.endswith("\n"), f"the run has ended: {self.said}"
            self.lines.append(json.loads(line))

    def hang_up(self) -> str:
        """Send SIGHUP, read on until the result is reported, and return the message."""
        before, until = len(self.said), time.monotonic() + PATIENCE_S
        self.process.send_signal(signal.SIGHUP)
        while time.monotonic() < until:
            self.take(1)
            time.sleep(0.002)
            for line in self.said[before:]:
                if "reloaded" in line:
                    return line
        raise AssertionError(f"nothing came of it: {self.said}")

    def end(self, number: int = signal.SIGTERM) -> int:
        """Terminate it, read the rest, and return the exit code."""
        self.process.send_signal(number)
        return self.wait()

    def wait(self) -> int:
        """Read the rest until it ends, and return the exit code."""
        watchdog = threading.Timer(PATIENCE_S, self.process.kill)
        watchdog.start()
        rest = self.process.stdout.read()
        code = self.process.wait()
        watchdog.cancel()
        assert not rest or rest.endswith("\n"), "the last line is not whole"
        self.lines += [json.loads(line) for line in rest.splitlines()]
        return code

    def frames(self, camera: str) -> list[int]:
        return [line["frame"] for line in self.lines if line["camera"] == camera and "frame" in line]

    def events(self, camera: str) -> list[tuple[str, str, int, int | None]]:
        """Return kind, label, first and last frame of each line of an event."""
        told = [line for line in self.lines if line["camera"] == camera and "event" in line]
        return [(e["kind"], e["label"], e["start"]["frame"], e["end"] and e["end"]["frame"]) for e in told]

    def states(self, camera: str) -> list[str]:
        return [line["state"] for line in self.lines if line["camera"] == camera and "state" in line]


@pytest.fixture
def folder(tmp_path, light_model) -> Path:
    """Create a folder with light.onnx and three long videos: dim for 200 frames, then bright."""
    (tmp_path / "light.onnx").write_bytes(light_model.read_bytes())
    for name in "abc":
        write_video(tmp_path / f"{name}.avi", gray_levels(DIM_THEN_BRIGHT, (64, 64)))
    return tmp_path


@contextmanager
def running(folder: Path, *arguments: object) -> Iterator[Running]:
    """Start a run in this folder, and stop it after the test."""
    run = Running(folder, *arguments)
    try:
        yield run
    finally:
        run.process.kill()
        run.process.wait()
        run.process.stdout.close()


def camera(name: str, source: object = "", more: str = "") -> str:
    """Return a camera with health checks off, because its plain pictures look covered."""
    where = source or f"{name}.avi"
    rules = "[camera.state]\nseconds = 0.4\n[camera.health]\noff = true\n"
    return f"[[camera]]\nname = '{name}'\nsource = '{where}'\n{more}{rules}"


def write(folder: Path, *parts: str, model: str = "light.onnx") -> None:
    (folder / "cameras.toml").write_text(f"model = '{model}'\n" + "".join(parts))


def test_the_other_cameras_are_not_affected(folder):
    """Of three cameras, one stays, one is removed, one is reopened, and a fourth is added; a sink is removed and one added. The
    one that stays returns every frame once and keeps its state, under load; the events of the others end.
    """
    write(folder, "sinks = ['jsonl:old.jsonl']\n", camera("a"), camera("b"), camera("c"))
    with running(folder) as run:
        run.take(900)
        write(folder, "sinks = ['csv:new.csv']\n", camera("a"), camera("c", "b.avi"), camera("d", "c.avi"))
        said = run.hang_up()
        assert said == "reloaded: new: d; gone: b; reopened: c; sinks opened: csv:new.csv; sinks closed: jsonl:old.jsonl"
        run.take(900)
        assert run.end() == 143
    assert run.frames("a") == list(range(len(run.frames("a"))))
    assert [e[:3] for e in run.events("a")][:3] == [("state", "dim", 0), ("state", "dim", 0), ("state", "bright", 200)]
    assert len(run.events("a")) == 4  # one bright, to the end of the run
    last = run.frames("b")[-1]
    assert run.frames("b") == list(range(last + 1))
    assert run.events("b")[-1] == ("state", "bright", 200, last)
    assert run.states("b") == ["ended"]
    assert run.frames("d") == list(range(len(run.frames("d"))))
    again = run.frames("c").index(0, 1)
    assert run.frames("c") == [*range(again), *range(len(run.frames("c")) - again)]
    assert run.events("c")[3] == ("state", "bright", 200, again - 1)
    old = [json.loads(line) for line in (folder / "old.jsonl").read_text().splitlines()]
    assert old == run.lines[: len(old)]
    assert len((folder / "new.csv").read_text().splitlines()) > 2


def test_an_error_changes_nothing(folder):
    """An invalid file, a sink that cannot be opened, an invalid model: one line each with its place and a fix, and the run
    continues; the next valid file is used.
    """
    good = camera("a")
    write(folder, good)
    with running(folder) as run:
        run.take(50)
        for parts, model, said in (
            ((good.replace("seconds", "secnds"),), "light.onnx", ": unknown setting state.secnds; did you "
             "mean state.seconds?"),
            (("[[camera",), "light.onnx", "cameras.toml: not valid TOML ("),
            (("sinks = ['sqlite:missing/e.db']\n", good), "light.onnx", "missing/e.db: the folder missing does not exist"),
            (("sinks = ['smoke:x']\n", good), "light.onnx", "cameras.toml:2: sink 'smoke:x' is not known; expected one"),
            ((good, camera("b", "missing.avi")), "light.onnx", "missing.avi: no such file or folder"),
            ((good.replace("seconds", "labels = ['brite']\nseconds"),), "light.onnx", "light.onnx has no label 'brite'"),
            ((good,), "missing.onnx", "missing.onnx"),
            ((good,), "cameras.toml", "cameras.toml: "),
        ):  # fmt: skip
            write(folder, *parts, model=model)
            line = run.hang_up()
            assert line.startswith("not reloaded, the run goes on with its last good configuration: ")
            assert said in line
        write(folder, good, camera("b"))
        assert run.hang_up() == "reloaded: new: b"
        run.take(50)
        assert run.end() == 143
    assert run.frames("a") == list(range(len(run.frames("a"))))
    assert "Traceback" not in "\n".join(run.said)


def test_another_model_is_loaded_first_and_then_used(folder):
    """Labels change from one frame to the next, none is skipped, and events name their model. A file that was exported again
    under the same name is another model, too.
    """
    write(folder, camera("a"))
    with running(folder) as run:
        run.take(300)
        (folder / "other.onnx").write_bytes(tiny.light_model(labels=("night", "dusk", "day")))
        write(folder, camera("a"), model="other.onnx")
        assert run.hang_up() == "reloaded: no changes; model: other.onnx"
        run.take(100)
        (folder / "other.onnx").write_bytes(tiny.light_model(labels=("n", "d", "sun")))
        assert run.hang_up() == "reloaded: no changes; model: other.onnx"
        run.take(100)
        run.end()
    assert run.frames("a") == list(range(len(run.frames("a"))))
    labels = [line["label"] for line in run.lines if "frame" in line]
    assert list(dict.fromkeys(labels)) == ["dim", "bright", "day", "sun"]
    models = [(e["label"], e["model"]) for e in run.lines if "event" in e and e["end"]]
    assert models[:2] == [("dim", "light"), ("bright", "light")]
    assert ("day", "other") in models


def test_a_silent_camera_does_not_delay_a_reload(folder):
    """While no frame arrives, a new camera is opened at once, and the waiting one is unaffected."""
    with web_server(gray_levels([128] * 60, (64, 64)), then_silent=True) as address:
        write(folder, camera("a", f"{address}/camera"))
        with running(folder) as run:
            while not run.frames("a") or run.frames("a")[-1] < 55:
                run.take(1)
            time.sleep(0.5)
            write(folder, camera("a", f"{address}/camera"), camera("b"))
            run.process.send_signal(signal.SIGHUP)
            while not run.frames("b"):
                run.take(1)
            run.end()
    assert run.states("a") == ["connecting", "live"]
    assert "reloaded: new: b" in run.said


def test_many_signals_and_an_end_among_them(folder):
    """Dozens of signals, with a file that changes each time, and SIGTERM in between: no line and no video is broken."""
    write(folder, camera("a"), camera("b"))
    with running(folder, "--sink", "video:{camera}.mp4") as run:
        run.take(100)
        ended = threading.Event()

        def storm() -> None:
            for i in range(100):
                write(folder, camera("a"), *([camera("c")] if i % 2 else [camera("b")]))
                if ended.wait(0.01):
                    return
                run.process.send_signal(signal.SIGHUP)

        thread = threading.Thread(target=storm)
        thread.start()
        run.take(600)
        assert run.end() == 143
        ended.set()
        thread.join()
    assert run.frames("a") == list(range(len(run.frames("a"))))
    assert sorted(path.name for path in folder.glob("*.mp4"))[0] == "a.mp4"
    assert not list(folder.glob(".*part*"))
    assert not [line for line in run.said if "Traceback" in line or "rror" in line]


def test_options_of_the_command_line_stay(folder):
    """--quiet, --sink and --model override the file, at the start and at each reload."""
    mine, until = folder / "mine.jsonl", time.monotonic() + PATIENCE_S

    def wait_for(text: str, path: Path) -> None:
        while not (path.exists() and text in path.read_text()):
            assert time.monotonic() < until, run.said
            time.sleep(0.05)

    with web_server(gray_levels([128] * 9000, (64, 64))) as address:
        live = camera("a", f"{address}/camera")
        write(folder, live, model="missing.onnx")
        with running(folder, "--model", "light.onnx", "--quiet", "--sink", "jsonl:mine.jsonl") as run:
            wait_for('"label"', mine)
            write(folder, live, camera("b"), model="gone.onnx")
            run.process.send_signal(signal.SIGHUP)
            wait_for("reloaded: new: b\n", folder / "said.txt")
            wait_for('"camera": "b", "frame": 2999,', mine)
            assert run.end() == 143
    assert run.lines == []
    lines = list(map(json.loads, mine.read_text().splitlines()))
    assert [line["frame"] for line in lines if line["camera"] == "b" and "frame" in line] == list(range(3000))
    assert "missing" not in "".join(run.said)


def test_quiet_can_be_changed(folder):
    """Lines on stdout begin and end with the setting, as for any sink."""
    write(folder, camera("a"))
    with running(folder) as run:
        run.take(50)
        write(folder, "quiet = true\n[[sink]]\nkind = 'jsonl'\npath = 'out.jsonl'\n", camera("a"))
        run.process.send_signal(signal.SIGHUP)
        time.sleep(1)  # without a reader the run waits, and the reload is ready when it continues
        assert run.wait() == 0
    assert "reloaded: sinks opened: jsonl:out.jsonl; sinks closed: jsonl:-" in run.said
    kept = (folder / "out.jsonl").read_text()
    assert kept
    together = [*run.lines, *map(json.loads, kept.splitlines())]
    assert [line["frame"] for line in together if "frame" in line] == list(range(3000))


def test_a_platform_without_the_signal(monkeypatch):
    """Nothing is installed and nothing arrives; the thread ends with the block."""
    monkeypatch.setattr(hangup, "NUMBER", None)
    before = signal.getsignal(signal.SIGHUP)
    with hangup.Hangup() as taken, taken.serving(lambda _: pytest.fail("no signal came")):
        assert signal.getsignal(signal.SIGHUP) == before
    assert "reload" not in {thread.name for thread in threading.enumerate()}


def test_the_signal_is_ignored_at_the_end():
    """After the block, it does nothing; several signals before `serving` count as one."""
    before, acts = signal.getsignal(signal.SIGHUP), []
    with hangup.Hangup() as taken:
        for _ in range(5):
            os.kill(os.getpid(), signal.SIGHUP)
        with taken.serving(lambda ended: acts.append(ended.is_set())):
            until = time.monotonic() + 10
            while not acts and time.monotonic() < until:
                time.sleep(0.01)
    assert acts == [False]
    os.kill(os.getpid(), signal.SIGHUP)
    signal.signal(signal.SIGHUP, before)
