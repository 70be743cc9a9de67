"""Tests of what every sink promises, for each of them."""

from __future__ import annotations

import io
import json
import os
import shutil
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from edgecls import CallbackSink, ConfigError, SinkError, StateChange
from edgecls.frame import Result, Timing
from edgecls.sink import BUFFERED, SINKS, Background, JsonlSink, ListSink, Spooled, keep_s, open_sink, open_sinks
from tests.run.world import event, frame, result

if TYPE_CHECKING:
    from collections.abc import Iterator

    from edgecls.sink import Sink

KINDS = {
    "clip": "clip:.",
    "explain": "explain:why",
    "collect": "collect:pictures",
    "jsonl": "jsonl:out.jsonl",
    "jsonl stdout": "jsonl:-",
    "snapshot": "snapshot:.",
    "video": "video:out.mp4",
    "video per camera": "video:out-{camera}.mp4",
    "window": "window",
    "csv": "csv:out.csv",
    "sqlite": "sqlite:out.db",
    "mqtt": "mqtt://127.0.0.1:1/edgecls",
    "mqtts": "mqtts://me:secret@127.0.0.1:1/edgecls",
    "webhook": "webhook:http://127.0.0.1:1/hook",
    "prometheus": "prometheus:127.0.0.1:0",
    "ListSink": "",
    "CallbackSink": "",
}
NEEDS = {"mqtt": ("paho.mqtt", "paho-mqtt"), "mqtts": ("paho.mqtt", "paho-mqtt"), "prometheus": ("prometheus_client",) * 2}
BY_HAND = {"ListSink": ListSink, "CallbackSink": CallbackSink}
ROOT = Path(__file__).parents[3]


@pytest.fixture(params=KINDS)
def kind(request) -> str:
    """Yield each kind of sink by name; the window only if there is a screen."""
    if request.param == "window" and sys.platform.startswith("linux") and not os.environ.get("DISPLAY"):
        pytest.skip("no screen: DISPLAY is not set; test_the_window_keeps_the_contract brings one where Xvfb is installed")
    if request.param in NEEDS:
        module, package = NEEDS[request.param]
        pytest.importorskip(module, reason=f"{package} is not installed")
    return request.param


@pytest.fixture
def sink(kind, tmp_path, monkeypatch, tmp_path_factory) -> Iterator[Sink]:
    """Yield an open sink of this kind in an empty folder. Network sinks have no receiver."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("EDGECLS_SPOOL", str(tmp_path_factory.mktemp("spool")))
    monkeypatch.setattr(sys, "stdout", io.StringIO())
    with open_sink(KINDS[kind], say=lambda _: None) if KINDS[kind] else BY_HAND[kind]() as opened:
        yield opened


def test_every_kind_is_tested():
    """No row of SINKS is missing here."""
    assert set(SINKS) <= {spec.partition(":")[0] for spec in KINDS.values()}


def test_it_takes_results_with_and_without_detections(sink):
    """A sink accepts results of a whole frame and results without regions."""
    for i in range(5):
        sink.write(result(frame(i)))
        sink.write(Result(frame(i), (), Timing(0, 0, 0)))


def test_it_takes_events_and_changes_of_state(sink):
    """Every sink accepts them at any time, whether or not it stores them, and whether or not its receiver is there."""
    began = time.monotonic()
    for i in range(5):
        sink.write_state(StateChange("gate", "live", "", float(i)))
        sink.write_event(event(i, ended=False))
        sink.write(result(frame(i)))
        sink.write_event(event(i))
    assert time.monotonic() - began < 5
    sink.beside({"it": sink})
    assert sink.backlog.dropped == 0
    if not isinstance(sink, Background):  # whose thread may have noticed by now that no frame shows these events
        assert sink.backlog.lost == 0


def test_it_can_be_stopped_before_it_is_closed(sink):
    """After `stop`, which is for another thread, the sink closes as usual."""
    sink.write_event(event())
    sink.stop()


def test_it_is_not_done_unless_the_user_closes_it(sink):
    """Unless a user closes it, a sink is never done."""
    assert sink.done is False
    sink.write(result(frame()))
    assert sink.done is False


def test_it_leaves_the_result_as_it_is(sink):
    """Writing changes neither the pixels of the frame nor its labels."""
    one = result(frame(level=77))
    before = (one.detections, one.timing, np.array(one.frame.bgr()))
    sink.write(one)
    assert (one.detections, one.timing) == before[:2]
    assert (one.frame.bgr() == before[2]).all()


def test_it_may_be_closed_twice(sink):
    """The second close does nothing, also after results."""
    sink.write(result(frame()))
    sink.close()
    sink.close()


def test_it_may_be_closed_unwritten(sink, tmp_path):
    """A sink without results can be closed, and leaves no incomplete file."""
    sink.close()
    sink.close()
    assert not [path for path in tmp_path.iterdir() if "part" in path.name]


def test_with_closes_it(sink, tmp_path):
    """`with` returns the sink itself and closes it, also after an error; no incomplete file is left."""

    def fail():
        with sink as entered:
            assert entered is sink
            sink.write(result(frame()))
            raise OSError("unplugged")

    with pytest.raises(OSError, match="unplugged"):
        fail()
    assert not [path for path in tmp_path.iterdir() if "part" in path.name]


def test_events_that_were_written_are_there(sink, kind, tmp_path):
    """After closing, three events are six lines or three rows, or wait for the missing receiver."""
    for i in range(3):
        sink.write_event(event(i, ended=False))
        sink.write_event(event(i))
    sink.close()
    if kind == "jsonl":
        assert [json.loads(line)["event"] for line in (tmp_path / "out.jsonl").read_text().splitlines()] == [
            event(i).id for i in range(3) for _ in range(2)
        ]
    elif kind == "csv":
        assert (tmp_path / "out.csv").read_text().count("\n") == 4
    elif kind == "sqlite":
        with closing(sqlite3.connect(tmp_path / "out.db")) as db:
            assert db.execute('SELECT COUNT(*) FROM events WHERE "end" IS NOT NULL').fetchone() == (3,)
    elif kind in ("mqtt", "mqtts", "webhook"):
        assert sink.backlog.waiting == 6


def test_results_that_were_written_are_there(sink, kind, tmp_path):
    """After closing, three results are three lines, a playable video or a list of three."""
    results = [result(frame(i)) for i in range(3)]
    for one in results:
        sink.write(one)
    sink.close()
    if kind == "jsonl":
        assert (tmp_path / "out.jsonl").read_text().count("\n") == 3
    elif kind == "jsonl stdout":
        assert sink._file.getvalue().count("\n") == 3
    elif kind.startswith("video"):
        assert (tmp_path / KINDS[kind].removeprefix("video:").replace("{camera}", "gate")).stat().st_size > 500
    elif kind == "ListSink":
        assert sink.results == results
        assert sink.closed == 1


def test_the_window_keeps_the_contract(tmp_path):
    """With a screen (of Xvfb, in its own process), the window keeps the same promises."""
    if os.environ.get("DISPLAY"):
        pytest.skip("there is a screen, so the tests above have asked the window already")
    if shutil.which("Xvfb") is None:
        pytest.skip("Xvfb is not installed (Debian, Ubuntu: apt-get install xvfb)")
    here = Path(__file__).parent.relative_to(ROOT)
    tests = [str(here / "test_contract.py"), str(here / "test_window.py")]
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-p",
        "no:cacheprovider",
        "-k",
        "window",
        "--basetemp",
        tmp_path / "child",
        *tests,
    ]
    with screen() as display:
        done = subprocess.run(
            command, cwd=ROOT, env=os.environ | {"DISPLAY": display}, capture_output=True, text=True, timeout=120, check=False
        )
    assert done.returncode == 0, done.stdout + done.stderr
    assert " passed" in done.stdout


class screen:  # noqa: N801 - used like a function
    """A screen of Xvfb for the duration of a block; yields its DISPLAY."""

    def __enter__(self) -> str:
        reading, writing = os.pipe()
        self._server = subprocess.Popen(
            ["Xvfb", "-displayfd", str(writing), "-screen", "0", "800x600x24", "-nolisten", "tcp"],
            pass_fds=[writing], stderr=subprocess.DEVNULL,
        )  # fmt: skip
        os.close(writing)
        with os.fdopen(reading) as lines:
            number = lines.readline().strip()
        if not number:
            self._server.wait(10)
            pytest.skip("Xvfb is installed but does not start here")
        time.sleep(0.1)
        return f":{number}"

    def __exit__(self, *_: object) -> None:
        self._server.terminate()
        self._server.wait(10)


def test_an_unknown_kind_lists_the_known_ones():
    """An unknown sink is an error that names it, lists the known kinds and shows an example."""
    with pytest.raises(
        ValueError, match=rf"sink 'smoke:x' is not known; expected one of {', '.join(SINKS)}, such as video:out.mp4"
    ):
        open_sink("smoke:x")


@pytest.mark.parametrize(
    ("spec", "example"), [("video", "video:out.mp4"), ("video:", "video:out.mp4"), ("jsonl:", "jsonl:out.jsonl"),
                          ("csv:", "csv:events.csv"), ("sqlite", "sqlite:events.db")]
)  # fmt: skip
def test_a_file_is_needed_after_the_colon(spec, example):
    """A sink without its file is an error with an example of its own kind."""
    with pytest.raises(ValueError, match=f"sink '{spec}': expected a file after the colon, such as {example}"):
        open_sink(spec)


@pytest.mark.parametrize("kind", [kind for kind in SINKS if kind != "window"])
def test_what_is_needed_after_the_colon_is_said(kind):
    """Every kind except the window needs a target and shows an example of itself."""
    with pytest.raises(ConfigError, match=rf"sink '{kind}:': expected .*, such as {kind}:.+"):
        open_sink(f"{kind}:")


def test_sinks_say_what_sources_must_keep():
    """With clips or snapshots, sources keep packets for the longest time that one of them needs."""
    assert keep_s(["jsonl:-", "window"]) == keep_s([]) == 0
    assert keep_s(["jsonl:-", "snapshot:here"]) == 10
    assert keep_s(["snapshot:here", "clip:there"]) == 15


@pytest.mark.parametrize(
    "spec", ["jsonl:missing/out.jsonl", "video:missing/out.mp4", "csv:missing/out.csv", "sqlite:missing/out.db"]
)
def test_a_folder_that_does_not_exist(spec, tmp_path, monkeypatch):
    """A file in a missing folder is an error when the sink is opened, not at the first result."""
    monkeypatch.setenv("EDGECLS_SPOOL", str(tmp_path / "spool"))
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SinkError, match=r"missing/out\.\w+: .*(No such file|the folder missing does not exist)"):
        open_sink(spec)
    assert list(tmp_path.iterdir()) == []


def test_the_folder_of_spools_can_be_set(tmp_path, monkeypatch):
    """By argument, EDGECLS_SPOOL, or the user's state folder: one file per sink, the same one each time."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("EDGECLS_SPOOL", str(tmp_path / "by-variable"))
    open_sink("csv:out.csv", spool=tmp_path / "by-argument").close()
    open_sink("csv:out.csv").close()
    open_sink("csv:out.csv").close()
    monkeypatch.delenv("EDGECLS_SPOOL")
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    open_sink("sqlite:out.db").close()
    found = sorted(str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*.spool"))
    assert [name.rpartition("-")[0] for name in found] == ["by-argument/csv", "by-variable/csv", "state/edgecls/spool/sqlite"]


def test_a_user_without_a_home_is_asked_for_a_folder(tmp_path, monkeypatch):
    """Without a default folder, the error names the variable that sets one, and the sink is closed."""
    monkeypatch.chdir(tmp_path)
    for name in ("EDGECLS_SPOOL", "XDG_STATE_HOME", "LOCALAPPDATA"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(Path, "home", lambda: (_ for _ in ()).throw(RuntimeError("no home")))
    with pytest.raises(ConfigError, match="set one in the environment variable EDGECLS_SPOOL"):
        open_sink("csv:out.csv")


def test_each_target_has_its_own_spool(tmp_path, monkeypatch):
    """A file is identified by its absolute path; options and passwords do not matter."""
    monkeypatch.setenv("EDGECLS_SPOOL", str(tmp_path / "spool"))
    brokers = (("a", "mqtt://me:1@127.0.0.1:1/x"), ("b", "mqtt://me:2@127.0.0.1:1/x?discovery="))
    brokers = brokers if find_spec("paho") else ()
    for folder, spec in (
        ("a", "sqlite:out.db"),
        ("b", "sqlite:out.db"),
        ("b", f"sqlite:{tmp_path}/a/out.db?keep_days=3"),
        ("a", "webhook:http://me:1@127.0.0.1:1/?to=a"),
        ("b", "webhook:http://me:2@127.0.0.1:1/?to=a"),
        ("b", "webhook:http://me:2@127.0.0.1:1/?to=b"),
        *brokers,
    ):
        (tmp_path / folder).mkdir(exist_ok=True)
        monkeypatch.chdir(tmp_path / folder)
        open_sink(spec).close()
    assert sorted(path.name.partition("-")[0] for path in (tmp_path / "spool").glob("*.spool")) == [
        *["mqtt"] * bool(brokers),
        *["sqlite"] * 2,
        *["webhook"] * 2,
    ]


def test_a_new_password_finds_what_the_old_one_left(tmp_path):
    """The spool's name does not depend on the password: events that a wrong password held back are delivered with the right
    one.
    """
    told: list[str] = []
    with open_sink("webhook:http://me:wrong@127.0.0.1:1/#secret=a", spool=tmp_path, say=told.append) as sink:
        sink.write_event(event())
    with open_sink("webhook:http://me:right@127.0.0.1:1/#secret=b", spool=tmp_path, say=told.append) as sink:
        assert sink.backlog.waiting == 1
    assert told
    assert not [line for line in told if "wrong" in line or "right" in line or "secret=a" in line]


def test_which_sinks_are_buffered(tmp_path, monkeypatch):
    """Network and table sinks are buffered; lines, videos and metrics are written in the run's own thread."""
    monkeypatch.chdir(tmp_path)
    for kind, spec in KINDS.items():
        if kind in ("csv", "sqlite", "webhook", "jsonl", "video"):
            with open_sink(spec, spool=tmp_path / "spool", say=lambda _: None) as sink:
                assert isinstance(sink, Spooled) == (kind in BUFFERED)


def test_several_sinks_are_opened_or_none(tmp_path, monkeypatch):
    """If one cannot be opened, the others are closed; two with the same name are an error."""
    monkeypatch.chdir(tmp_path)
    closed, close = [], JsonlSink.close
    monkeypatch.setattr(JsonlSink, "close", lambda self: (closed.append(self), close(self)))
    with pytest.raises(SinkError, match="missing"):
        open_sinks(["jsonl:out.jsonl", "csv:missing/out.csv"], spool=tmp_path / "spool")
    assert len(closed) == 1
    with pytest.raises(ConfigError, match=r"sink 'webhook:http://\*\*\*@h/' is named twice"):
        open_sinks(["webhook:http://a:b@h/", "webhook:http://a:c@h/"], spool=tmp_path / "spool")


@pytest.mark.parametrize("kind", ["jsonl", "csv", "sqlite", "video"])
@pytest.mark.parametrize("link", ["the same folder", "a hard link", "a symbolic link", "a file to come"])
def test_one_file_by_two_names_is_refused(tmp_path, kind, link):
    """Two sinks of a run must not write to the same file, even by different names. Nothing is opened."""
    ending = {"jsonl": "jsonl", "csv": "csv", "sqlite": "db", "video": "mp4"}[kind]
    one, other = tmp_path / f"one.{ending}", tmp_path / f"other.{ending}"
    if link == "a hard link":
        one.touch()
        other.hardlink_to(one)
    elif link == "a symbolic link":
        one.touch()
        other.symlink_to(one)
    elif link == "a file to come":
        other.symlink_to(one)
    else:
        (tmp_path / "folder").mkdir()
        other = tmp_path / "folder" / ".." / one.name
    before = sorted(tmp_path.iterdir())
    with pytest.raises(ConfigError, match=f"sinks '{kind}:.*one.*' and '{kind}:.*' would write to the same file "):
        open_sinks([f"{kind}:{one}", f"{kind}:{other}"], spool=tmp_path / "spool")
    assert sorted(tmp_path.iterdir()) == before


def test_several_may_write_to_a_device(tmp_path):
    """Several sinks may write to /dev/null or a terminal, which is not a file that one could damage for the other."""
    (tmp_path / "null").symlink_to(os.devnull)
    for sink in open_sinks([f"jsonl:{os.devnull}", f"jsonl:{tmp_path / 'null'}"]):
        sink.close()
