"""Results as lines of JSON."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from edgecls import SinkError, StateChange
from edgecls.run.sink import JsonlSink
from edgecls.run.wire import to_line
from tests.run.disk import fill, small_disk
from tests.run.world import frame, result


def test_each_result_is_one_line(tmp_path):
    """The file holds each result as the line that `to_line` gives, in order."""
    results = [result(frame(i)) for i in range(5)]
    with JsonlSink(tmp_path / "out.jsonl") as sink:
        for one in results:
            sink.write(one)
    assert (tmp_path / "out.jsonl").read_text().splitlines() == [to_line(one) for one in results]


def test_a_change_of_state_stands_between_the_results(tmp_path):
    """What happens to a camera is a line with "state" in its place among those of the frames."""
    change = StateChange("gate", "lost", "cut", 12.3456)
    with JsonlSink(tmp_path / "out.jsonl") as sink:
        sink.write(result(frame(0)))
        sink.write_state(change)
        sink.write(result(frame(1)))
    lines = [json.loads(line) for line in (tmp_path / "out.jsonl").read_text().splitlines()]
    assert lines[1] == {"camera": "gate", "state": "lost", "why": "cut", "at_s": 12.346}
    assert [line.get("frame") for line in lines] == [0, None, 1]


def test_a_line_is_there_at_once(tmp_path):
    """Each line is written out whole before the next result: the file can be followed while it grows."""
    path = tmp_path / "out.jsonl"
    with JsonlSink(path) as sink:
        for i in range(3):
            sink.write(result(frame(i)))
            assert [json.loads(line)["frame"] for line in path.read_text().splitlines()] == list(range(i + 1))


def test_what_stood_in_the_file_stays(tmp_path):
    """A new run goes on behind the last one."""
    path = tmp_path / "out.jsonl"
    for i in range(3):
        with JsonlSink(path) as sink:
            sink.write(result(frame(i)))
    assert path.read_text().splitlines() == [to_line(result(frame(i))) for i in range(3)]


@pytest.mark.parametrize("whole", [b"", (to_line(result(frame(0))) + "\n").encode() * 2])
@pytest.mark.parametrize("half", [b"{", b'{"came', b'{"camera": "g\xc3', b'{"event": "4c9d' + b"x" * 200_000])
def test_half_a_line_of_a_killed_run_is_cut_off(tmp_path, whole, half):
    """So that it does not stand in the middle, however long it is."""
    path = tmp_path / "out.jsonl"
    path.write_bytes(whole + half)
    with JsonlSink(path) as sink:
        sink.write(result(frame(7)))
    assert path.read_bytes() == whole + to_line(result(frame(7))).encode() + b"\n"


def test_a_file_of_somebody_else_is_not_cut(tmp_path):
    """Half a line that no run began is refused, and stays."""
    (tmp_path / "notes.txt").write_text("one\ntwo")
    with pytest.raises(SinkError, match=r"notes\.txt: its last line is not of edgecls run, and has no line break"):
        JsonlSink(tmp_path / "notes.txt")
    assert (tmp_path / "notes.txt").read_text() == "one\ntwo"


def test_lines_that_do_not_fit_on_the_disk_are_lost_and_counted(tmp_path):
    """On a disk that is full for a while: no error, two lines about it, and each line in the file is whole."""
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
        f"lines cannot be kept, and those that are lost are counted: {disk / 'out.jsonl'}: No space left on device",
        f"{disk / 'out.jsonl'}: lines are kept again; {dropped + 1} were lost",
    ]


def test_stdout_stays_open(capsys):
    """Closing the sink of stdout leaves stdout to the program."""
    with JsonlSink() as sink:
        sink.write(result(frame(7)))
    print("after")  # noqa: T201 - stdout is what is tested
    lines = capsys.readouterr().out.splitlines()
    assert json.loads(lines[0])["frame"] == 7
    assert lines[1:] == ["after"]
    assert not sys.stdout.closed


def test_a_name_that_is_not_unicode_is_written(tmp_path):
    """A picture whose file name is not Unicode is a line like any other."""
    with JsonlSink(tmp_path / "out.jsonl") as sink:
        sink.write(result(frame(file="caf\udce9.png")))
    assert json.loads((tmp_path / "out.jsonl").read_bytes())["file"] == "caf\udce9.png"


def test_a_folder_cannot_be_written(tmp_path):
    """A path that is a folder is refused with the system's reason."""
    with pytest.raises(SinkError, match=r"cannot be written \(Is a directory\)"):
        JsonlSink(tmp_path)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")
def test_a_full_disk_is_an_error_of_the_sink():
    """A line that does not fit on the disk is an error that names the file and the reason."""
    sink = JsonlSink("/dev/full")
    with pytest.raises(SinkError, match=r"/dev/full: cannot be written \(No space left on device\)"):
        sink.write(result(frame()))
    with pytest.raises(SinkError, match=r"/dev/full: cannot be written \(No space left on device\)"):
        sink.close()
    sink.close()
