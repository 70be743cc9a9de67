"""Tests of results as lines of JSON."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from contextlib import closing, suppress
from pathlib import Path

import pytest

from edgecls import DataError, SinkError, StateChange
from edgecls.frame import Box, Detection, Result
from edgecls.labels.json_lines import to_line
from edgecls.labels.reader import read_labels, read_lines
from edgecls.sink import JsonlSink
from tests.run.disk import fill, small_disk
from tests.run.world import event, frame, result, said


def test_each_result_is_one_line(tmp_path):
    """The file contains the line from `to_line` for each result, in order."""
    results = [result(frame(i)) for i in range(5)]
    with JsonlSink(tmp_path / "out.jsonl") as sink:
        for one in results:
            sink.write(one)
    assert (tmp_path / "out.jsonl").read_text().splitlines() == [to_line(one) for one in results]


def test_a_change_of_state_stands_between_the_results(tmp_path):
    """A state change is a line with "state", in order with the lines of the frames."""
    change = StateChange("gate", "lost", "cut", 12.3456)
    with JsonlSink(tmp_path / "out.jsonl") as sink:
        sink.write(result(frame(0)))
        sink.write_state(change)
        sink.write(result(frame(1)))
    lines = [json.loads(line) for line in (tmp_path / "out.jsonl").read_text().splitlines()]
    assert lines[1] == {"camera": "gate", "state": "lost", "why": "cut", "at_s": 12.346}
    assert [line.get("frame") for line in lines] == [0, None, 1]


def test_a_line_is_there_at_once(tmp_path):
    """Each line is written completely before the next result, so the file can be followed while it grows."""
    path = tmp_path / "out.jsonl"
    with JsonlSink(path) as sink:
        for i in range(3):
            sink.write(result(frame(i)))
            assert [json.loads(line)["frame"] for line in path.read_text().splitlines()] == list(range(i + 1))


def test_existing_lines_stay(tmp_path):
    """A new run appends its lines."""
    path = tmp_path / "out.jsonl"
    for i in range(3):
        with JsonlSink(path) as sink:
            sink.write(result(frame(i)))
    assert path.read_text().splitlines() == [to_line(result(frame(i))) for i in range(3)]


@pytest.mark.parametrize("whole", [b"", (to_line(result(frame(0))) + "\n").encode() * 2])
@pytest.mark.parametrize("half", [b"{", b'{"came', b'{"camera": "g\xc3', b'{"event": "4c9d' + b"x" * 200_000])
def test_an_incomplete_line_of_a_killed_run_is_removed(tmp_path, whole, half):
    """Otherwise it would be in the middle of the file. Its length does not matter."""
    path = tmp_path / "out.jsonl"
    path.write_bytes(whole + half)
    with JsonlSink(path) as sink:
        sink.write(result(frame(7)))
    assert path.read_bytes() == whole + to_line(result(frame(7))).encode() + b"\n"


def test_a_file_of_another_program_is_not_truncated(tmp_path):
    """A file whose incomplete last line no run wrote is an error, and stays unchanged."""
    (tmp_path / "notes.txt").write_text("one\ntwo")
    with pytest.raises(SinkError, match=r"notes\.txt: its last line was not written by edgecls run and has no line break"):
        JsonlSink(tmp_path / "notes.txt")
    assert (tmp_path / "notes.txt").read_text() == "one\ntwo"


def test_lines_that_do_not_fit_on_the_disk_are_lost_and_counted(tmp_path):
    """While the disk is full there is no error, but two messages, and every line in the file is complete."""
    told = []
    with small_disk(tmp_path / "disk", "64k") as disk:
        sink = JsonlSink(disk / "out.jsonl", say=told.append)
        sink.write(result(frame(0)))
        fill(disk / "somebody's")
        for i in range(1, 100):
            sink.write(result(frame(i)))
        sink.write_state(StateChange("gate", "lost", "cut " * 2000, 12.0))
        lost, dropped = sink.backlog.lost, sink.backlog.dropped
        (disk / "somebody's").unlink()
        for i in range(100, 103):
            sink.write(result(frame(i)))
        sink.close()
        written = [json.loads(line)["frame"] for line in (disk / "out.jsonl").read_text().splitlines()]
    assert lost == 1
    assert 50 < dropped < 100
    assert written == [*range(100 - dropped), 100, 101, 102]
    assert told == [
        f"lines cannot be written and are counted as lost: {disk / 'out.jsonl'}: No space left on device",
        f"{disk / 'out.jsonl'}: lines are written again; {dropped + 1} were lost",
    ]


def test_stdout_stays_open(capsys):
    """Closing the sink does not close stdout."""
    with JsonlSink() as sink:
        sink.write(result(frame(7)))
    print("after")  # noqa: T201 - stdout is what is tested
    lines = capsys.readouterr().out.splitlines()
    assert json.loads(lines[0])["frame"] == 7
    assert lines[1:] == ["after"]
    assert not sys.stdout.closed


def test_a_name_that_is_not_unicode_is_written(tmp_path):
    """A picture whose file name is not Unicode gets a line like any other."""
    with JsonlSink(tmp_path / "out.jsonl") as sink:
        sink.write(result(frame(file="caf\udce9.png")))
    assert json.loads((tmp_path / "out.jsonl").read_bytes())["file"] == "caf\udce9.png"


def test_a_folder_cannot_be_written(tmp_path):
    """A path that is a folder is an error with the system's reason."""
    with pytest.raises(SinkError, match=r"cannot be written \(Is a directory\)"):
        JsonlSink(tmp_path)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no named pipes")
def test_a_named_pipe_whose_reader_leaves_is_an_error(tmp_path):
    """Unlike a closed stdout, as with `| head`, a closed named pipe is an error."""
    path = tmp_path / "pipe"
    os.mkfifo(path)
    reader = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    sink = JsonlSink(path)
    sink.write(result(frame(0)))
    os.close(reader)
    with pytest.raises(SinkError, match=r"pipe: cannot be written \(Broken pipe\)"):
        sink.write(result(frame(1)))
    with pytest.raises(SinkError, match="Broken pipe"):
        sink.close()


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no named pipes")
def test_a_named_pipe_that_nobody_reads_is_not_waited_for(tmp_path):
    """One line says what is missing; with a reader, more fits than a pipe holds at once."""
    path = tmp_path / "pipe"
    os.mkfifo(path)
    with pytest.raises(SinkError, match=r"pipe: is a pipe that nobody reads; start its reader first, such as: cat .*pipe$"):
        JsonlSink(path)
    with (tmp_path / "out").open("wb") as out, subprocess.Popen(["cat", str(path)], stdout=out) as reader:
        with closing(opened(path)) as sink:
            for i in range(3000):
                sink.write(result(frame(i)))
        assert reader.wait(20) == 0
    assert (tmp_path / "out").read_bytes().count(b"\n") == 3000


def opened(path: Path) -> JsonlSink:
    """Open a pipe as soon as its reader is there."""
    for _ in range(1000):
        with suppress(SinkError):
            return JsonlSink(path)
        time.sleep(0.01)
    raise AssertionError("nobody reads")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")
def test_a_full_disk_is_an_error_of_the_sink():
    """For a stream, a line that does not fit on the disk is an error with the file and the reason."""
    sink = JsonlSink("/dev/full")
    with pytest.raises(SinkError, match=r"/dev/full: cannot be written \(No space left on device\)"):
        sink.write(result(frame()))
    with pytest.raises(SinkError, match=r"/dev/full: cannot be written \(No space left on device\)"):
        sink.close()
    sink.close()


def labelled(index: int, label: str, *, camera: str = "gate", score: float = 0.9) -> Result:
    """Return a frame with a label in its own box."""
    box = Box(index % 7, 0, 20, 20)
    return result(frame(index, camera=camera), Detection(box, said(label, score), "zone"))


def shown(path: Path) -> list[tuple[int, int]]:
    """Return the frames that have a line, each with the number of frames left out before it."""
    return [(line["frame"], line["left_out"]) for line in map(json.loads, path.read_text().splitlines()) if "frame" in line]


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"when": "change"}, [(0, 0), (3, 2), (4, 0), (9, 4)]),
        ({"every_s": 0.2}, [(0, 0), (5, 4)]),
        ({"every_s": 0.08}, [(0, 0), (2, 1), (4, 1), (6, 1), (8, 1)]),
        ({"when": "change", "every_s": 0.12}, [(0, 0), (3, 2), (4, 0), (7, 2), (9, 1)]),
    ],
)
def test_a_thinned_log_has_some_of_the_lines(tmp_path, options, expected):
    """With `when`, `every_s` or both, only some frames have lines, which count those left out."""
    path = tmp_path / "out.jsonl"
    with JsonlSink(path, **options) as sink:
        for i, label in enumerate(["a", "a", "a", "b", "a", "a", "a", "a", "a", "c"]):
            sink.write(labelled(i, label))
    assert shown(path) == expected


def test_each_camera_is_thinned_by_itself(tmp_path):
    """Cameras are independent, and a camera whose time restarts gets a line; another score or box alone is no change."""
    path = tmp_path / "out.jsonl"
    with JsonlSink(path, when="change", every_s=10) as sink:
        for i in range(3):
            sink.write(labelled(100 + i, "car", score=0.9 - i / 10))
            sink.write(labelled(200 + i, "car", camera="yard"))
        sink.write(labelled(0, "car"))
    assert shown(path) == [(100, 0), (200, 0), (0, 2)]


def test_a_thinned_log_has_all_events(tmp_path):
    """And all state changes: both are rare."""
    path = tmp_path / "out.jsonl"
    with JsonlSink(path, every_s=1e9) as sink:
        for i in range(3):
            sink.write(result(frame(i)))
            sink.write_event(event(i))
            sink.write_state(StateChange("gate", "lost", "cut", float(i)))
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    assert [next(key for key in ("frame", "event", "state") if key in line) for line in lines] == [
        *("frame", "event", "state"),
        *("event", "state") * 2,
    ]


def test_a_thinned_log_is_no_recording(tmp_path):
    """Events and shares need every frame, so whatever reads recordings rejects it and says how to record."""
    path = tmp_path / "out.jsonl"
    with JsonlSink(path, when="change") as sink:
        sink.write_state(StateChange("gate", "live", "", 0.0))
        sink.write(result(frame(0)))
    for read in (read_lines, read_labels):
        with pytest.raises(DataError, match=r"out\.jsonl:2: this log is thinned .*; record with jsonl:FILE alone"):
            list(read(path))


def test_a_log_has_one_writer(tmp_path):
    """A second run is rejected before it writes, with the name of the file."""
    with JsonlSink(tmp_path / "out.jsonl") as first:
        first.write(result(frame(0)))
        with pytest.raises(SinkError, match=r"out\.jsonl: another run is writing to this file; stop that run"):
            JsonlSink(tmp_path / "out.jsonl")
    assert len((tmp_path / "out.jsonl").read_text().splitlines()) == 1
    JsonlSink(tmp_path / "out.jsonl").close()
