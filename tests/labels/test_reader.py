"""A recording is read line by line; what is no recording is one line that says where."""

from __future__ import annotations

import io
import json
import sys
from types import SimpleNamespace

import pytest

from edgecls.errors import DataError
from edgecls.labels.json_lines import event_line
from edgecls.labels.reader import read_labels
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
            f"{tmp_path / 'r.jsonl'}:2: the last line is incomplete and was skipped; the run ended while writing it"
        ]
    assert len(read(tmp_path / "r.jsonl", one + b"\n" + two)[0]) == 2  # whole, but for the line break


@pytest.mark.parametrize(("name", "use"), [("cameras.toml", "`config`"), ("road.mp4", "run --source"), ("m.onnx", "`model`")])
def test_a_file_that_is_no_recording_is_sent_where_it_belongs(tmp_path, name, use):
    """By its suffix, whether it is text or not."""
    for content in (b'model = "m.onnx"\n', b"\xff\x00\n"):
        with pytest.raises(DataError, match=f"{name}: expected lines of labels as edgecls run writes them.*{use}"):
            read(tmp_path / name, content)


@pytest.mark.parametrize(
    ("bad", "why"),
    [
        (b'{"camera": "gate", "fra', "not a line of edgecls run: it is no JSON (Invalid control character, character 23)"),
        (b"\xff\xfe", "expected a line in UTF-8, found other bytes at 0"),
        (b"3", "not a line of edgecls run (TypeError"),
        (b'{"frame": 3}', "not a line of edgecls run (KeyError: 'camera')"),
        (lines(["a"])[0].replace("0.0", "NaN").encode(), "NaN is not a JSON number"),
        (lines(["a"])[0].replace('"a"', "7").encode(), "label: expected a text, found 7"),
        (
            lines(["a"], live_from=1.0)[0].replace('"at_s": 1.0', '"at_s": "x"').encode(),
            "at_s: expected a time in seconds since 1970",
        ),
        (b"{" + b" " * (4 << 20) + b"}", "longer than 4 MB; expected lines of edgecls run"),
    ],
)
def test_a_broken_line_is_named_by_its_number(tmp_path, bad, why):
    """A line in the middle that no run wrote stops the reading."""
    one = lines(["a"])[0].encode()
    with pytest.raises(DataError) as error:
        read(tmp_path / "r.jsonl", one + b"\n" + bad + b"\n" + one + b"\n")
    assert str(error.value).startswith(f"{tmp_path / 'r.jsonl'}:2: ")
    assert why in str(error.value)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("", "found none; the file is empty"),
        ("\n\n", "found none; the file is empty"),
        (
            f"{event_line(event())}\n{event_line(event(1))}\n{STATE}\n",
            "(2 of events, 1 of states of cameras); edgecls replay writes",
        ),
        (f"{STATE}\n", "(1 of states of cameras)"),
        ('{"id": 1}\n', "(1 of something else)"),
    ],
)
def test_a_file_without_labels_says_what_it_has_instead(tmp_path, text, found):
    """An empty one, one of events, one of something else."""
    with pytest.raises(DataError, match=r"expected lines of labels as edgecls run writes them, found") as error:
        read(tmp_path / "r.jsonl", text)
    assert found in str(error.value)
    assert ("the recording that it has read" in str(error.value)) == ("events" in found)


def test_a_file_that_cannot_be_read_is_one_line(tmp_path):
    """One that is not there, and a folder."""
    with pytest.raises(DataError, match=r"none\.jsonl: cannot be read \(No such file"):
        list(read_labels(tmp_path / "none.jsonl"))
    with pytest.raises(DataError, match=r"cannot be read \(expected a file, found a folder\)"):
        list(read_labels(tmp_path))


def test_stdin_is_a_recording_too(monkeypatch):
    """By the name -."""
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO("\n".join(lines(["a", "b"])).encode())))
    assert len(list(read_labels("-"))) == 2


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-16-be"])
def test_a_byte_order_mark_is_no_part_of_a_recording(tmp_path, encoding):
    """PowerShell writes UTF-16 with one; recordings that were joined have one within."""
    text = "\n".join(lines(["grün", "b"])) + "\n"
    found, told = read(
        tmp_path / "r.jsonl", ("\ufeff" if encoding == "utf-16-be" else "").encode(encoding) + text.encode(encoding)
    )
    assert [seen.detections[0].prediction.label for seen in found] == ["grün", "b"]
    joined, _ = read(tmp_path / "r.jsonl", text.encode("utf-8-sig") * 2)
    assert (len(joined), told) == (4, [])


def test_a_cut_off_recording_of_powershell_loses_its_last_line_alone(tmp_path):
    """Half of a character and half of a line; damage within is named by its line."""
    whole = ("\n".join(lines(["a", "b"])) + "\n").encode("utf-16")
    found, told = read(tmp_path / "r.jsonl", whole[:-21])
    assert len(found) == 1
    assert ":2: the last line is incomplete" in told[0]
    with pytest.raises(DataError, match=r"r\.jsonl:1: expected a line in UTF-16, found other bytes"):
        read(tmp_path / "r.jsonl", whole[:40] + b"\xff\xdf" * 2 + whole[40:])


FRAME = {"camera": "gate", "frame": 0, "time_s": 0.0, "label": "a", "score": 0.9, "top": [["a", 0.9]]}
BOX = {"region": "motion", "box": [0, 0, 9, 9], "label": "a", "score": 0.9, "top": [["a", 0.9]]}
MOMENT = {"frame": 0, "time_s": 0.0, "at_s": None}


@pytest.mark.parametrize(
    "bad",
    [
        *({**FRAME, "frame": frame} for frame in (-1, 0.5, "1", True, None, 2**63, 10**400, [])),
        *({**FRAME, "time_s": time} for time in ("0", None, True, 1e11, -1e300, 10**400)),
        *({**FRAME, "at_s": time} for time in ("0", -1, 1e12, 10**400, [])),
        *({**FRAME, "score": score} for score in (None, "0.9", 2, -0.5, 1e300, True)),
        *({**FRAME, "top": top} for top in (None, 3, ["a"], [["a", None]], [["a", 7]], [[1, 0.5]])),
        *({**FRAME, "size": size} for size in (None, [0, 0], [1], ["1", "1"], [1e3, 1e3], [10**30, 1])),
        *({**FRAME, "detections": found} for found in (3, {}, [3], [{**BOX, "box": [0, 0, 1]}], [{**BOX, "box": [0.5] * 4}])),
        *({**FRAME, "detections": [{**BOX, "region": region}]} for region in (None, 1, [])),
        *({**FRAME, "unfit": unfit} for unfit in (3, {}, {"fault": 1, "since": MOMENT, "last": MOMENT})),
        {**FRAME, "unfit": {"fault": "black", "since": {**MOMENT, "time_s": 1.0}, "last": MOMENT}},
        *({**FRAME, "camera": name} for name in (None, 1, [])),
        {"camera": "gate", "state": "lost", "why": "", "at_s": "now"},
        {"camera": "gate", "state": "lost", "why": None, "at_s": 1.0},
    ],
    ids=lambda bad: json.dumps(bad)[-60:],
)
def test_values_that_no_frame_has_are_refused_with_their_line(tmp_path, bad):
    """Numbers of another kind or beyond what they measure, lists that are none, names that are no texts."""
    one = lines(["a"])[0]
    with pytest.raises(DataError, match=r"r\.jsonl:2: not a line of edgecls run \(") as caught:
        read(tmp_path / "r.jsonl", f"{one}\n{json.dumps(bad)}\n{one}\n")
    assert len(str(caught.value)) < 400 + len(str(tmp_path))


@pytest.mark.parametrize("bad", ["NaN", "Infinity", "-Infinity", "1e999", "9" * 5000, "[" * 5000])
def test_numbers_that_are_none_are_refused_with_their_line(tmp_path, bad):
    """Python's own words for them, what no float holds, and nesting without end, wherever they stand."""
    one = lines(["a"])[0]
    for place in ('"time_s": 0.0', '"score": 0.9', '"age_ms": 1.0'):
        text = one.replace(place, place.split(":")[0] + f": {bad}")
        with pytest.raises(DataError, match=r"r\.jsonl:1: not a line of edgecls run \("):
            read(tmp_path / "r.jsonl", f"{text}\n{one}\n")
