"""What every sink promises, asked of each of them."""

from __future__ import annotations

import io
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from edgecls import ConfigError, SinkError
from edgecls.frame import Result, Timing
from edgecls.run.sink import SINKS, ListSink, keep_s, open_sink
from tests.run.world import frame, result

if TYPE_CHECKING:
    from collections.abc import Iterator

    from edgecls.run.sink import Sink

KINDS = {
    "clip": "clip:.",
    "jsonl": "jsonl:out.jsonl",
    "jsonl stdout": "jsonl:-",
    "snapshot": "snapshot:.",
    "video": "video:out.mp4",
    "video per camera": "video:out-{camera}.mp4",
    "window": "window",
    "ListSink": "",
}
ROOT = Path(__file__).parents[3]


@pytest.fixture(params=KINDS)
def kind(request) -> str:
    """Each kind of sink by its name; the window only where there is a screen."""
    if request.param == "window" and sys.platform.startswith("linux") and not os.environ.get("DISPLAY"):
        pytest.skip("no screen: DISPLAY is not set; test_the_window_keeps_the_contract brings one where Xvfb is installed")
    return request.param


@pytest.fixture
def sink(kind, tmp_path, monkeypatch) -> Iterator[Sink]:
    """One open sink of this kind, in an empty folder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "stdout", io.StringIO())
    with open_sink(KINDS[kind]) if KINDS[kind] else ListSink() as opened:
        yield opened


def test_every_kind_is_asked():
    """No row of SINKS is left out here."""
    assert set(SINKS) <= {spec.partition(":")[0] for spec in KINDS.values()}


def test_it_takes_results_with_and_without_detections(sink):
    """Results of a whole frame, and of nothing, are taken one after another."""
    for i in range(5):
        sink.write(result(frame(i)))
        sink.write(Result(frame(i), (), Timing(0, 0, 0)))


def test_it_wants_more_until_a_person_says_no(sink):
    """Without a person who closes it a sink is never done."""
    assert sink.done is False
    sink.write(result(frame()))
    assert sink.done is False


def test_it_leaves_the_result_as_it_is(sink):
    """Writing does not change the pixels of the frame, nor what is said about it."""
    one = result(frame(level=77))
    before = (one.detections, one.timing, np.array(one.frame.bgr()))
    sink.write(one)
    assert (one.detections, one.timing) == before[:2]
    assert (one.frame.bgr() == before[2]).all()


def test_it_may_be_closed_twice(sink):
    """The second close does nothing, after results as well."""
    sink.write(result(frame()))
    sink.close()
    sink.close()


def test_it_may_be_closed_unwritten(sink, tmp_path):
    """A sink that got no result closes as well, and leaves no half file."""
    sink.close()
    sink.close()
    assert not [path for path in tmp_path.iterdir() if "part" in path.name]


def test_with_closes_it(sink, tmp_path):
    """`with` gives the sink itself and closes it when an error leaves the block too; no half file stays."""

    def fail():
        with sink as entered:
            assert entered is sink
            sink.write(result(frame()))
            raise OSError("unplugged")

    with pytest.raises(OSError, match="unplugged"):
        fail()
    assert not [path for path in tmp_path.iterdir() if "part" in path.name]


def test_what_was_written_is_there(sink, kind, tmp_path):
    """After the close three results are three lines, a playable video or a list of three."""
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
    """With a screen (Xvfb's, in a process of its own) the window keeps all of this."""
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
    """A screen of Xvfb for the length of a block; gives its DISPLAY."""

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
    """A sink that nobody knows is named, with those that there are and an example."""
    with pytest.raises(
        ValueError,
        match=r"sink 'mqtt:x' is not known; expected one of clip, jsonl, snapshot, video, window, such as video:out.mp4",
    ):
        open_sink("mqtt:x")


@pytest.mark.parametrize(
    ("spec", "example"), [("video", "video:out.mp4"), ("video:", "video:out.mp4"), ("jsonl:", "jsonl:out.jsonl")]
)
def test_a_file_is_needed_after_the_colon(spec, example):
    """A sink that writes a file says so when it gets none, with an example of its own kind."""
    with pytest.raises(ValueError, match=f"sink '{spec}': expected a file after the colon, such as {example}"):
        open_sink(spec)


@pytest.mark.parametrize("spec", ["clip", "clip:", "snapshot:"])
def test_a_folder_is_needed_after_the_colon(spec):
    """A sink that writes to a folder says so when it gets none."""
    kind = spec.partition(":")[0]
    with pytest.raises(ConfigError, match=f"sink '{spec}': expected a folder after the colon, such as {kind}:{kind}s"):
        open_sink(spec)


def test_sinks_say_what_sources_must_keep():
    """The packets that clips and snapshots are made of are kept where one of them is wanted, for the longest of them."""
    assert keep_s(["jsonl:-", "window"]) == keep_s([]) == 0
    assert keep_s(["jsonl:-", "snapshot:here"]) == 10
    assert keep_s(["snapshot:here", "clip:there"]) == 15


@pytest.mark.parametrize("spec", ["jsonl:missing/out.jsonl", "video:missing/out.mp4"])
def test_a_folder_that_does_not_exist(spec, tmp_path, monkeypatch):
    """A file in a folder that is not there is refused when it is opened, not at the first result."""
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SinkError, match=r"missing/out\.\w+: .*(No such file|the folder missing does not exist)"):
        open_sink(spec)
    assert list(tmp_path.iterdir()) == []
