"""A recording is read line by line; what is no recording is one line that says where."""

from __future__ import annotations

import io
import sys
from types import SimpleNamespace

import pytest

from edgecls.errors import DataError
from edgecls.run.recording import read_labels
from edgecls.run.wire import event_line
from tests.run.labels import lines
from tests.run.world import event

STATE = '{"camera": "gate", "state": "lost", "why": "", "at_s": 1.0}'


def read(path, text):
    """What a file of this text holds, and what is said of it."""
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    told = []
    return list(read_labels(path, say=told.append)), told


def test_labels_are_read_and_other_lines_passed_over(tmp_path):
    """Events, states of cameras and empty lines stand between them."""
    one, two = lines(["a", "b"])
    found, told = read(tmp_path / "r.jsonl", "\n".join([STATE, one, "", event_line(event()), two]) + "\n")
    assert [(seen.camera, seen.moment.frame, seen.detections[0].prediction.label) for seen in found] == [
        ("gate", 0, "a"),
        ("gate", 1, "b"),
    ]
    assert told == []


def test_half_a_last_line_is_left_out_and_said(tmp_path):
    """Wherever a killed run was cut off: within a name, within a character, before its line break."""
    one, two = (line.encode() for line in lines(["a", "b"]))
    for half in (two[:20], two[:-1], b'{"camera": "\xc3'):
        found, told = read(tmp_path / "r.jsonl", one + b"\n" + half)
        assert len(found) == 1
        assert told == [
            f"{tmp_path / 'r.jsonl'}, line 2: the last line is not whole and was left out; the run was ended while it wrote it"
        ]
    assert len(read(tmp_path / "r.jsonl", one + b"\n" + two)[0]) == 2  # whole, but for the line break


@pytest.mark.parametrize(
    ("bad", "why"),
    [
        (b'{"camera": "gate", "fra', "not a line of edgecls run (JSONDecodeError"),
        (b"\xff\xfe", "expected a line in UTF-8, found other bytes at 0"),
        (b"3", "not a line of edgecls run (TypeError"),
        (b'{"frame": 3}', "not a line of edgecls run (KeyError: 'time_s')"),
        (lines(["a"])[0].replace("0.0", "NaN").encode(), "a time that is no number"),
        (lines(["a"])[0].replace('"a"', "7").encode(), "a name that is no text"),
        (lines(["a"], live_from=1.0)[0].replace('"at_s": 1.0', '"at_s": "x"').encode(), "a time that is no number"),
        (b"{" + b" " * (4 << 20) + b"}", "longer than 4 MB; expected lines of edgecls run"),
    ],
)
def test_a_broken_line_is_named_by_its_number(tmp_path, bad, why):
    """A line in the middle that no run wrote stops the reading."""
    one = lines(["a"])[0].encode()
    with pytest.raises(DataError) as error:
        read(tmp_path / "r.jsonl", one + b"\n" + bad + b"\n" + one + b"\n")
    assert str(error.value).startswith(f"{tmp_path / 'r.jsonl'}, line 2: ")
    assert why in str(error.value)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("", "found none; the file is empty"),
        ("\n\n", "found none; the file is empty"),
        (f"{event_line(event())}\n{event_line(event(1))}\n{STATE}\n", "(2 of events, 1 of states of cameras)"),
        ('{"id": 1}\n', "(1 of something else)"),
    ],
)
def test_a_file_without_labels_says_what_it_has_instead(tmp_path, text, found):
    """An empty one, one of events, one of something else."""
    with pytest.raises(DataError, match=r"expected lines of labels as edgecls run writes them, found") as error:
        read(tmp_path / "r.jsonl", text)
    assert found in str(error.value)


def test_a_file_that_cannot_be_read_is_one_line(tmp_path):
    """One that is not there, and a folder."""
    with pytest.raises(DataError, match=r"none\.jsonl: cannot be read \(No such file"):
        list(read_labels(tmp_path / "none.jsonl"))
    with pytest.raises(DataError, match=r"cannot be read \(Is a directory\)"):
        list(read_labels(tmp_path))


def test_stdin_is_a_recording_too(monkeypatch):
    """By the name -."""
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO("\n".join(lines(["a", "b"])).encode())))
    assert len(list(read_labels("-"))) == 2
