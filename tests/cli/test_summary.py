"""Tests of `edgecls summary`: from lines to a table, JSON and a picture."""

from __future__ import annotations

import io
import json
from dataclasses import replace

import pytest

from edgecls.cli.messages import ERASE_LINE, say, status
from edgecls.labels.json_lines import event_line
from tests.cli.test_replay import call
from tests.report.made import Reader
from tests.run.labels import lines, moving, runs, zoned
from tests.run.world import event

LABELS = runs(("shut", 10), ("open", 5), ("unknown", 5), ("shut", 20))


@pytest.fixture
def recording(tmp_path):
    """Write the labels of a file of 40 s."""
    path = tmp_path / "day.jsonl"
    path.write_text("\n".join(lines(LABELS)) + "\n")
    return path


def test_the_table_says_which_labels_for_how_long_and_when(recording):
    """The longest first, with unknown as a label; stderr is empty."""
    done = call("summary", recording)
    assert done.stdout.splitlines() == [
        "gate, the whole frame: 0:00:00.0 to 0:00:40.0, 1000 frames",
        "label    share       time  segments    longest      first       last  score",
        "shut     74.9%  0:00:29.9         2  0:00:20.0  0:00:00.0  0:00:40.0   0.90",
        "open     12.4%  0:00:05.0         1  0:00:05.0  0:00:10.0  0:00:15.0   0.90",
        "unknown  12.4%  0:00:05.0         1  0:00:05.0  0:00:15.0  0:00:20.0   0.90",
    ]
    assert done.stderr == ""


def test_json_has_every_stretch(recording, tmp_path):
    """--out and --json give the same; gap and min apply to it."""
    done = call("summary", recording, "--out", tmp_path / "day.json", "--json")
    record = json.loads((tmp_path / "day.json").read_text())
    assert record == json.loads(done.stdout)
    assert (record["frames"], record["recording"]) == (1000, str(recording))
    (region,) = record["regions"]
    assert [(s["label"], s["start_s"], s["end_s"]) for s in region["stretches"]] == [
        ("shut", 0.0, 9.96),
        ("open", 10.0, 14.96),
        ("unknown", 15.0, 19.96),
        ("shut", 20.0, 39.96),
    ]
    joined = json.loads(call("summary", recording, "--json", "--gap", 11).stdout)["regions"][0]["stretches"]
    assert [(s["label"], s["start_s"], s["end_s"]) for s in joined] == [("shut", 0.0, 39.96)]
    longer = json.loads(call("summary", recording, "--json", "--min", 6).stdout)["regions"][0]["stretches"]
    assert [s["label"] for s in longer] == ["shut", "shut"]
    assert f"{tmp_path / 'day.json'}: written" in done.stderr


def test_the_picture_is_a_whole_svg_file(recording, tmp_path):
    """It has the name of the recording and a row for each label."""
    call("summary", recording, "--picture", tmp_path / "day.svg")
    made = Reader((tmp_path / "day.svg").read_text())
    assert made.tags[0] == "svg"
    assert "day.jsonl" in made.text
    assert len(set(made.of("rect", "y"))) == 3
    assert sorted(p.name for p in tmp_path.iterdir()) == ["day.jsonl", "day.svg"]


def test_rules_objects_and_crossings_come_from_a_config(tmp_path):
    """A car crosses a line. A camera that is not in the file is reported."""
    config, path = tmp_path / "cameras.toml", tmp_path / "r.jsonl"
    config.write_text(
        'model = "m.onnx"\n[[camera]]\nname = "road"\nsource = 0\n'
        '[[camera.line]]\nname = "stop"\nline = [[0.5, 0.0], [0.5, 1.0]]\nleft = "out"\nright = "in"\n'
    )
    road = moving([(x, 50) for x in range(10, 90, 2)])
    path.write_text("\n".join([*road, *zoned({"bar": runs(("shut", 2))})]) + "\n")
    done = call("summary", path, "--config", config)
    assert done.stdout.splitlines()[-5:] == [
        "line         to  label  crossings",
        "road, stop  out    car          1",
        "road, stop   in      -          0",
        "",
        'road, line "stop": too few objects to judge it (1 out, 0 in)',
    ]
    assert "road, motion: " in done.stdout
    assert "with --config CAMERAS.toml those that cross its lines are counted" in call("summary", path).stderr
    (line,) = json.loads(call("summary", path, "--config", config, "--json").stdout)["lines"]
    assert (line["line"], line["verdict"], line["crossings"]) == ("stop", "too few", {"out": 1, "in": 0})
    assert done.stderr.splitlines() == [f"camera gate is not in {config}: the standard rules apply"]


def test_crossings_that_a_run_has_reported_are_counted_without_a_config(tmp_path):
    """They are in the recording, each in two lines: when it begins, and when it ends."""
    config, path = tmp_path / "cameras.toml", tmp_path / "r.jsonl"
    config.write_text(
        'model = "m.onnx"\n[[camera]]\nname = "road"\nsource = 0\n'
        '[[camera.line]]\nname = "stop"\nline = [[0.5, 0.0], [0.5, 1.0]]\nleft = "out"\nright = "in"\n'
    )
    path.write_text("\n".join(moving([(x, 50) for x in range(10, 90, 2)])) + "\n")
    events = call("replay", path, "--config", config).stdout
    path.write_text(path.read_text() + events)
    done = call("summary", path)
    assert done.stdout.splitlines()[-2:] == ["line         to  label  crossings", "road, stop  out    car          1"]
    assert "the crossings are those of the recording; with --config CAMERAS.toml they are counted anew" in done.stderr
    assert json.loads(call("summary", path, "--json").stdout)["crossings"][0]["objects"] == 1


def test_an_impossible_summary_is_one_line(tmp_path, recording):
    """Nothing is written, and the output path is checked first."""
    cases = [
        ((tmp_path / "none.jsonl",), "none.jsonl: cannot be read (No such file"),
        ((recording, "--picture", "x.png"), "x.png: expected a file name that ends in .svg"),
        ((recording, "--out", tmp_path / "no" / "x.json"), "does not exist; create it first"),
    ]
    (tmp_path / "empty.jsonl").touch()
    cases.append(((tmp_path / "empty.jsonl", "--out", tmp_path / "x.json"), "the file is empty"))
    for arguments, text in cases:
        done = call("summary", *arguments, code=1)
        assert text in done.stderr
        assert done.stderr.startswith("error: ")
        assert len(done.stderr.splitlines()) == 1
    assert not (tmp_path / "x.json").exists()
    assert "--gap" in call("summary", recording, "--gap", -1, code=2).output


def test_a_killed_run_is_summed_up(recording):
    """Except for its incomplete last line, which is reported."""
    recording.write_text(recording.read_text()[:-30])
    done = call("summary", recording)
    assert "999 frames" in done.stdout
    assert done.stderr == (f"{recording}:1000: the last line is incomplete and was skipped; the run ended while writing it\n")


HOSTILE = "\x1b[2J\x07red\u202egreen\u2028\x9b31m\n--"


def test_hostile_names_steer_no_terminal(tmp_path):
    """Labels, cameras and regions of a recording are not trusted: each stays in its row, with control characters escaped."""
    path = tmp_path / "day.jsonl"
    path.write_text("\n".join(lines(runs((HOSTILE, 10), ("open", 5)))).replace('"gate"', json.dumps(HOSTILE)) + "\n")
    done = call("summary", path)
    shown = done.stdout.splitlines()
    assert len(shown) == 4
    assert all(line.isprintable() for line in shown)
    assert "\\x1b[2J" in shown[0]
    assert any(line.startswith("\\x1b[2J\\x07red\\u202egreen") for line in shown[2:])


def test_hostile_names_steer_no_terminal_in_the_lines_of_a_run(monkeypatch):
    """In the status line and the lines of stderr."""
    screen = io.StringIO()
    screen.isatty = lambda: True
    monkeypatch.setattr("sys.stderr", screen)
    status(f"{HOSTILE} 5.0 fps")
    say(f"{HOSTILE}: lost")
    plain = screen.getvalue().replace(ERASE_LINE, "")
    assert not set(plain) & set("\x1b\x07\x9b\u202e\u2028")
    assert "\\u202egreen" in plain


def test_drift_is_listed(recording):
    """What the run has reported, with its likely cause, in the table and as JSON; the end replaces the beginning."""
    begun = event(kind="drift", label="lens", score=0.27, region="frame", ended=False)
    with recording.open("a") as file:
        file.write(event_line(begun) + "\n" + event_line(replace(begun, end=begun.start)) + "\n")
    shown = call("summary", recording).stdout
    assert "likely cause" in shown
    assert "lens" in shown
    (found,) = json.loads(call("summary", recording, "--json").stdout)["drift"]
    assert (found["label"], found["score"], found["end"] is None) == ("lens", 0.27, False)
