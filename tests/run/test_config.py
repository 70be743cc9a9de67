"""cameras.toml."""

from __future__ import annotations

import dataclasses
import tomllib

import pytest
from typer.main import get_command

from edgecls.cli import app
from edgecls.errors import ConfigError
from edgecls.run.config import Camera, Config, read_config
from edgecls.run.health import HealthRule
from edgecls.run.motion import MotionRule
from edgecls.run.shapes import Line, Polygon
from edgecls.run.sink import ClipOut, CsvOut, Cut, MqttOut, QuotaRule, SqliteOut
from edgecls.run.source import Reading
from edgecls.toml_lines import line_of

WHOLE = """\
# two cameras over a crossing
model = "street.onnx"
sinks = ["sqlite:events.db", "mqtt://${USER}:${PASSWORD}@broker/traffic"]

[[camera]]
name = "north"
source = "rtsp://${USER}:${PASSWORD}@10.0.0.7/1"
ignore = [[0.0, 0.0, 1.0, 0.1]]

[camera.reading]
fps = 10
read_timeout_s = 5

[[camera.line]]
name = "stop line"
line = [[0.1, 0.6], [0.9, 0.6]]
left = "out"
right = "in"

[[camera.zone]]
name = "bay"
area = [
    [0.1, 0.1],
    [0.5, 0.1],
    [0.5, 0.4],
]
look = "objects"
dwell_s = 10

[[camera]]
name = "gate"
source = 0

[[camera.zone]]
name = "bar"
area = [0.2, 0.2, 0.1, 0.3]

[camera.zone.state]
enter = 0.8
leave = 0.5
"""
PLAIN = 'model = "m.onnx"\n[[camera]]\nname = "a"\nsource = 0\n'
ENVIRONMENT = {"USER": "anna", "PASSWORD": "s3cret"}


@pytest.fixture
def read(tmp_path):
    """Read a text as cameras.toml."""

    def read_text(text, environment=ENVIRONMENT):
        path = tmp_path / "cameras.toml"
        path.write_text(text, encoding="utf-8")
        return read_config(path, environment)

    return read_text


def test_everything_has_its_place(read):
    """Two cameras with lines, zones, rules, and the passwords of the environment."""
    config = read(WHOLE)
    north, gate = config.camera
    assert north.source == "rtsp://anna:s3cret@10.0.0.7/1"
    assert config.sinks[1] == "mqtt://anna:s3cret@broker/traffic"
    assert north.reading.fps == 10
    assert north.line[0].line == Line((0.1, 0.6), (0.9, 0.6))
    assert north.ignore == (Polygon.rectangle(0, 0, 1, 0.1),)
    assert north.zone[0].area.corners == ((0.1, 0.1), (0.5, 0.1), (0.5, 0.4))
    assert north.rules.gates[0].right == "in"
    assert gate.source == 0
    assert gate.zone[0].state.enter == 0.8


def test_what_moves_is_followed_where_it_is_needed(read):
    """For lines and for zones with objects, or where motion is asked for; a zone that shows a state needs none."""
    north, gate = read(WHOLE).camera
    assert (north.follows, gate.follows) == (True, False)
    (alone,) = read('model = "m.onnx"\n[[camera]]\nname = "a"\nsource = 0\n[camera.motion]\nsmallest = 0.01\n').camera
    assert alone.follows
    assert alone.motion == MotionRule(smallest=0.01)


def test_health_is_watched_unless_it_is_off(read):
    """Of each camera by its own rule; one that is off has no events of it either."""
    text = wrong("[camera.reading]", "[camera.health]\noff = true\n[camera.reading]")
    north, gate = read(text + "[camera.health]\nblack_s = 5\nignore = ['moved']\nclassify_anyway = true\n").camera
    assert (north.health, north.rules.health) == (HealthRule(off=True), False)
    assert (gate.health, gate.rules.health) == (HealthRule(black_s=5.0, ignore=("moved",), classify_anyway=True), True)


SINKS = """
[[sink]]
kind = "clip"
path = "clips"
cut = { pre_s = 3 }

[sink.quota]
most_gb = 20

[[sink]]
kind = "sqlite"
path = "events.db"
keep_days = 30
"""


def test_sinks_are_texts_and_tables(read):
    """Both in one file; what they write is one list of settings."""
    config = read(WHOLE.replace("sqlite:events.db", "csv:events.csv") + SINKS)
    assert config.sinks == ("csv:events.csv", "mqtt://anna:s3cret@broker/traffic")
    clips = ClipOut("clips", cut=Cut(pre_s=3.0), quota=QuotaRule(20.0))
    assert config.sink == (clips, SqliteOut("events.db", keep_days=30.0))
    assert config.outputs == (CsvOut("events.csv"), MqttOut(config.sinks[1]), *config.sink)


def wrong(old, new):
    """The whole text with one line changed."""
    assert old in WHOLE
    return WHOLE.replace(old, new, 1)


@pytest.mark.parametrize(
    ("text", "at", "said"),
    [
        (wrong("dwell_s = 10", "dwel_s = 10"), "dwel_s", "unknown setting camera[0].zone[0].dwel_s; did you mean camera[0]"),
        (wrong("[0.5, 0.4],", "[0.5, 1.4],"), "area", "camera[0].zone[0].area: (0.5, 1.4) is outside of the frame"),
        (wrong(", 0.1, 0.3]", ", 0.1]"), "area = [0.2", "camera[1].zone[0].area: expected [x, y, width, height] or the"),
        (wrong("[0.9, 0.6]]", "[0.1, 0.6]]"), "line = [[", "camera[0].line[0].line: the line goes from (0.1, 0.6) to"),
        (wrong("leave = 0.5", "leave = 0.9"), "leave = 0.9", "camera[1].zone[0].state.leave (0.9) must be at most enter (0.8)"),
        (wrong('"gate"', '"north"'), "name = \"north\"\nsource = 0", "camera[1].name 'north' is that of another"),
        (wrong('"gate"', '"Gate 1"\n#'), 'name = "G', "camera[1].name must be letters, digits, _ and -"),
        (wrong('"bar"', '"bar"\nlook = "both"'), 'look = "both"', "camera[1].zone[0].look must be one of state, objects"),
        (wrong('"bay"', '"stop line"'), "[[camera]]\nname = \"north", "there are 2 zones or lines called 'stop line'"),
        (wrong("source = 0", ""), "[[camera]]\nname = \"gate", "camera[1].source is missing"),
        (wrong('model = "street.onnx"', ""), "", "model is missing"),
        (wrong("fps = 10", "fps = 0"), "fps = 0", "camera[0].reading.fps must be more than 0, not 0.0"),
        (wrong("${PASSWORD}@10", "${PASSWRD}@10"), "source", "camera[0].source needs the variable PASSWRD, which is not set"),
        ('model = "m.onnx"\ncamera = []\n', "", "there is no [[camera]]; expected one or more"),
        ('model = "m.onnx\n', "", "not valid TOML"),
        (wrong("sqlite:ev", "sqlit:ev"), "sinks", "sink 'sqlit:events.db' is not known; expected one of clip, jsonl"),
        (wrong("mqtt://", "mqt://"), "sinks", "sink 'mqt://***@broker/traffic' is not known"),
        (WHOLE + SINKS, "sinks", "sink 'sqlite:events.db' is named twice"),
        (PLAIN + SINKS.replace("pre_s", "pre"), "cut", "unknown setting sink[0].cut.pre; did you mean sink[0].cut.pre_s?"),
        (PLAIN + SINKS.replace("= 3 ", "= '3' "), "cut", "sink[0].cut.pre_s must be float, found '3'"),
        (PLAIN + SINKS.replace("= 20", "= 0"), "most_gb = 0", "sink[0].quota.most_gb must be more than 0, not 0.0"),
        (PLAIN + SINKS.replace("sqlite", "sqllite"), 'kind = "sqll', "sink[1].kind must be one of jsonl, video, window"),
        (PLAIN + SINKS.replace('kind = "sqlite"', ""), "[[sink]]\n\npath", "sink[1].kind is missing: jsonl, video, window"),
        (PLAIN + SINKS.replace("keep_days = 30", "keep_days = -1"), "keep_days", "sink[1].keep_days must be more than 0"),
        (wrong("source = 0", "source = 0\nreading = { needed_hw = [32] }"), "reading = {", "camera[1].reading.needed_hw must "
         "be a list of 2 whole numbers, found [32]"),
        (wrong("[[camera.line]]", "[camera.line]"), "[camera.line]", "camera[0].line must be a list of tables, found {"),
        (wrong('look = "objects"\ndwell_s = 10', "dwell_s = 10"), "dwell_s", "zone bay: dwell_s is of objects; for"),
        (wrong("dwell_s = 10", "state = { enter = 0.9 }"), "state = {", "zone bay: state has no effect on a zone of"),
        (WHOLE + "\n[camera.state]\nenter = 0.9\n", "[camera.state]", "camera[1].state is of the whole frame, which"),
        (PLAIN + "\n[camera.track]\nlost_s = 9\n", "[camera.track]", "camera[0].track has no effect, as nothing is"),
        (PLAIN.replace("model", "threads = 0\nmodel", 1), "threads", "threads must be 1 or more, not 0"),
        (PLAIN.replace("model", "on_mismatch = 'go'\nmodel", 1), "on_mismatch", "on_mismatch must be one of stop, warn"),
    ],
)  # fmt: skip
def test_mistakes_are_said_with_their_line(read, text, at, said):
    """One line: the file, the line where this stands, the setting, what is expected. No password."""
    with pytest.raises(ConfigError) as error:
        read(text)
    line = f", line {text[: text.index(at)].count(chr(10)) + 1}" if at else ""
    assert f"cameras.toml{line}: {said}" in str(error.value)
    assert "s3cret" not in str(error.value)


def test_mistakes_about_health_are_said_with_their_line(read):
    """A setting that is none, and a fault that is none."""
    start = WHOLE[: WHOLE.index("[[camera.line]]")]
    for setting, said in (
        ("black = 3", "line 15: unknown setting camera[0].health.black; did you mean camera[0].health.black_s?"),
        ("ignore = ['blur']", "line 15: camera[0].health.ignore[0] must be one of black, overexposed"),
    ):
        with pytest.raises(ConfigError) as error:
            read(f"{start}[camera.health]\n{setting}\n")
        assert said in str(error.value)


def test_a_file_that_is_none(tmp_path):
    """Missing, or no text."""
    with pytest.raises(ConfigError, match=r"none\.toml: cannot be read \(No such file"):
        read_config(tmp_path / "none.toml")
    (tmp_path / "x.toml").write_bytes(b"a = '\xff'")
    with pytest.raises(ConfigError, match=r"x\.toml: expected a text in UTF-8, found other bytes at 5"):
        read_config(tmp_path / "x.toml")


def test_lines_of_settings():
    """Of tables, lists of tables, dotted keys; what has none takes that of the table around it."""
    table = tomllib.loads(WHOLE)
    lines = WHOLE.splitlines()
    for path, text in (
        ("model", 'model = "street.onnx"'),
        ("camera[0]", "[[camera]]"),
        ("camera[0].reading.fps", "fps = 10"),
        ("camera[0].zone[0].area", "area = ["),
        ("camera[0].zone[0].area[2]", "area = ["),
        ("camera[1].source", "source = 0"),
        ("camera[1].zone[0].state.leave", "leave = 0.5"),
    ):
        assert (path, line_of(WHOLE, table, path)) == (path, lines.index(text) + 1)
    assert lines[line_of(WHOLE, table, "camera[1].zone[0].dwell_s") - 1] == "[[camera.zone]]"
    assert line_of(WHOLE, table, "nothing") == line_of(WHOLE, table, "") == 0


def test_what_looks_like_a_setting_in_a_text_is_none():
    """Neither a table nor a key."""
    text = 'a = """\n[b]\nc = 1\n"""\n[b]\nc = 2\n'
    assert line_of(text, tomllib.loads(text), "b.c") in (3, 6)
    assert line_of(text, tomllib.loads(text), "a") == 1


EXCEPTIONS = {"config": "is the file itself"}


def test_every_option_of_a_run_has_its_place_in_the_file():
    """As a setting of the file, of a camera, or of how a camera is read, by the option's name, seconds with their unit, lists
    in the singular or plural; the exceptions have their reason, and none is there in vain.
    """
    places = {field.name for table in (Config, Camera, Reading) for field in dataclasses.fields(table)}
    options = {parameter.name for parameter in get_command(app).commands["run"].params}
    homeless = {name for name in options if not {name, f"{name}_s", f"{name}s"} & places}
    assert homeless == set(EXCEPTIONS)


@pytest.mark.parametrize(
    ("sink", "why"),
    [
        ("video:out.mp4", "several cameras need {camera} in the name of the video, such as out-{camera}.mp4"),
        ("video:out-{start}.mp4", "several cameras need {camera} in the name of the video, such as out-{start}-{camera}.mp4"),
        ("video:out-{cam}.mp4", "{cam} stands for nothing; did you mean {camera}? known are {camera} and {start}"),
        ("video:{camera}.avi", "would write to b.avi, which is read; name another file"),
        ("jsonl:./b.avi", "would write to b.avi, which is read; name another file"),
        ("csv:m.onnx", "would write to m.onnx, which is read; name another file"),
        ("sqlite:cameras.toml", "would write to cameras.toml, which is read; name another file"),
    ],
)
@pytest.mark.parametrize("is_table", [False, True])
def test_a_sink_that_cannot_be_is_told_with_its_line(tmp_path, monkeypatch, sink, why, is_table):
    """One video of two cameras, an unknown placeholder, what is read itself: in a text and in a table."""
    monkeypatch.chdir(tmp_path)
    kind, path = sink.split(":")
    table = f"[[sink]]\nkind = '{kind}'\npath = '{path}'\n" if is_table else ""
    texts = "" if is_table else f"sinks = ['jsonl:-', 'video:{{camera}}-{{start}}.mp4', '{sink}']"
    cameras = "[[camera]]\nname = 'a'\nsource = 0\n[[camera]]\nname = 'b'\nsource = 'b.avi'\n"
    (tmp_path / "cameras.toml").write_text(f"model = 'm.onnx'\n{texts}\n{cameras}{table}")
    with pytest.raises(ConfigError) as error:
        read_config("cameras.toml")
    assert str(error.value).startswith(f"cameras.toml, line {9 if is_table else 2}: ")
    assert why in str(error.value)
