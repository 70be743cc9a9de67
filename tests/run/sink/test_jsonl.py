"""Results as lines of JSON."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from edgecls import SinkError, StateChange
from edgecls.run.sink import JsonlSink
from edgecls.run.wire import to_line
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


def test_what_stood_in_the_file_is_replaced(tmp_path):
    """A new run starts a new file."""
    path = tmp_path / "out.jsonl"
    path.write_text("old\n")
    with JsonlSink(path):
        pass
    assert path.read_text() == ""


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
