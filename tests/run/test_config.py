"""Tests of cameras.toml."""

from __future__ import annotations

import dataclasses
import tomllib

import pytest
from typer.main import get_command

from edgecls.cli.entry import app
from edgecls.errors import ConfigError
from edgecls.events.detector import Events
from edgecls.health import HealthSettings
from edgecls.regions.geometry import Line, Polygon
from edgecls.regions.motion import MotionSettings
from edgecls.run.camera import Camera
from edgecls.run.config import Config, check_labels, read_config
from edgecls.settings.toml_lines import line_of
from edgecls.sink import ClipSettings, CsvSettings, CutSettings, MqttSettings, QuotaSettings, SqliteSettings
from edgecls.source import ReadingSettings

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
    """Two cameras with lines, zones, rules, and passwords from the environment."""
    config = read(WHOLE)
    north, gate = config.camera
    assert north.source == "rtsp://anna:s3cret@10.0.0.7/1"
    assert config.sinks[1] == "mqtt://anna:s3cret@broker/traffic"
    assert north.reading.fps == 10
    assert north.line[0].line == Line((0.1, 0.6), (0.9, 0.6))
    assert north.ignore == (Polygon.rectangle(0, 0, 1, 0.1),)
    assert north.zone[0].area.corners == ((0.1, 0.1), (0.5, 0.1), (0.5, 0.4))
    assert north.rules.lines[0].right == "in"
    assert gate.source == 0
    assert gate.zone[0].state.enter == 0.8


def test_moving_objects_are_tracked_if_needed(read):
    """With lines, zones of objects, or [camera.motion]; a zone with a state needs no tracking."""
    north, gate = read(WHOLE).camera
    assert (north.follows, gate.follows) == (True, False)
    (alone,) = read('model = "m.onnx"\n[[camera]]\nname = "a"\nsource = 0\n[camera.motion]\nsmallest = 0.01\n').camera
    assert alone.follows
    assert alone.motion == MotionSettings(smallest=0.01)


def test_health_is_checked_unless_it_is_off(read):
    """For each camera by its own settings; if it is off, there are no such events either."""
    text = wrong("[camera.reading]", "[camera.health]\noff = true\n[camera.reading]")
    north, gate = read(text + "[camera.health]\nblack_s = 5\nignore = ['moved']\nclassify_anyway = true\n").camera
    assert (north.health, north.rules.health) == (HealthSettings(off=True), False)
    assert (gate.health, gate.rules.health) == (HealthSettings(black_s=5.0, ignore=("moved",), classify_anyway=True), True)


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
    """Both may be in one file and give one list of settings."""
    config = read(WHOLE.replace("sqlite:events.db", "csv:events.csv") + SINKS)
    assert config.sinks == ("csv:events.csv", "mqtt://anna:s3cret@broker/traffic")
    clips = ClipSettings("clips", cut=CutSettings(pre_s=3.0), quota=QuotaSettings(20.0))
    assert config.sink == (clips, SqliteSettings("events.db", keep_days=30.0))
    assert config.outputs == (CsvSettings("events.csv"), MqttSettings(config.sinks[1]), *config.sink)


def wrong(old, new):
    """Return the whole text with one line changed."""
    assert old in WHOLE
    return WHOLE.replace(old, new, 1)


@pytest.mark.parametrize(
    ("text", "at", "said"),
    [
        (wrong("dwell_s = 10", "dwel_s = 10"), "dwel_s", 'camera "north": zone "bay": unknown setting dwel_s; did you'),
        (wrong("[0.5, 0.4],", "[0.5, 1.4],"), "area", 'camera "north": zone "bay": area: (0.5, 1.4) is out'),
        (wrong(", 0.1, 0.3]", ", 0.1]"), "area = [0.2", 'camera "gate": zone "bar": area: expected [x, y, width'),
        (wrong("[0.9, 0.6]]", "[0.1, 0.6]]"), "line = [[", 'camera "north": line "stop line": line: the line goes from'),
        (wrong("leave = 0.5", "leave = 0.9"), "leave = 0.9", 'camera "gate": zone "bar": state.leave (0.9) must be'),
        (wrong('"gate"', '"north"'), "name = \"north\"\nsource = 0", 'camera "north": name: duplicate camera'),
        (wrong('"gate"', '"Gate 1"\n#'), 'name = "G', 'camera "Gate 1": name must be letters, digits, _'),
        (wrong('"bar"', '"bar"\nlook = "both"'), 'look = "both"', 'camera "gate": zone "bar": look must be one of'),
        (wrong('"bay"', '"stop line"'), "name = \"stop line\"\nline",
         'camera "north": line "stop line": name: duplicate name \'stop line\'; give each zone and line its own name'),
        (wrong('"out"', '"in"'), "line = [[", 'camera "north": line "stop line": left and right are both'),
        (wrong("source = 0", ""), "[[camera]]\nname = \"gate", 'camera "gate": source is missing'),
        (wrong('model = "street.onnx"', ""), "", "there is no model; expected the .onnx file of a classifier"),
        (wrong("fps = 10", "fps = 0"), "fps = 0", 'camera "north": reading.fps must be more than 0, not 0.0'),
        (wrong("${PASSWORD}@10", "${PASSWRD}@10"), "source", 'camera "north": source needs the environment variable PASSWRD'),
        ('model = "m.onnx"\ncamera = []\n', "", "there is no [[camera]]; expected one or more"),
        ('model = "m.onnx\n', "model", "not valid TOML ("),
        (PLAIN + "quiet = True\n", "quiet", "not valid TOML (Invalid value, column 9); write true"),
        ("x = [1, 2", "", "not valid TOML (Unclosed array (at end of document))"),
        (wrong("sqlite:ev", "sqlit:ev"), "sinks", "sink 'sqlit:events.db' is not known; expected one of clip, "),
        (wrong("mqtt://", "mqt://"), "sinks", "sink 'mqt://***@broker/traffic' is not known"),
        (WHOLE + SINKS, "sinks", "sink 'sqlite:events.db' is named twice"),
        (PLAIN + SINKS.replace("pre_s", "pre"), "cut", 'sink "clip": unknown setting cut.pre; did you mean cut.pre_s?'),
        (PLAIN + SINKS.replace("= 3 ", "= '3' "), "cut", 'sink "clip": cut.pre_s must be a number, not \'3\''),
        (PLAIN + SINKS.replace("= 20", "= 0"), "most_gb = 0", 'sink "clip": quota.most_gb must be more than 0, not 0.0'),
        (PLAIN + SINKS.replace("sqlite", "sqllite"), 'kind = "sqll', 'sink "sqllite": kind must be one of jsonl'),
        (PLAIN + SINKS.replace('kind = "sqlite"', ""), "[[sink]]\n\npath", 'sink[1]: kind is missing; expected'),
        (PLAIN + SINKS.replace("keep_days = 30", "keep_days = -1"), "keep_days", 'sink "sqlite": keep_days must be more'),
        (wrong("source = 0", "source = 0\nreading = { needed_hw = [32] }"), "reading = {", 'camera "gate": reading.'
         "needed_hw must be a list of 2 whole numbers, not [32]"),
        (wrong("[[camera.line]]", "[camera.line]"), "[camera.line]",
         'camera "north": line must be a list of tables; write [[camera.line]], in double brackets, before each'),
        (PLAIN + "[[camera.motion]]\nwidth = 99\n", "[[camera.motion]]",
         'camera "a": motion must be a single table; write [camera.motion], in single brackets, and only once'),
        (wrong('look = "objects"\ndwell_s = 10', "dwell_s = 10"), "dwell_s", 'camera "north": zone "bay": dwell_s applies to'),
        (wrong("dwell_s = 10", "state = { enter = 0.9 }"), "state = {", 'camera "north": zone "bay": state has no'),
        (WHOLE + "\n[camera.state]\nenter = 0.9\n", "[camera.state]", 'camera "gate": state has no effect, because the'),
        (PLAIN + "\n[camera.track]\nlost_s = 9\n", "[camera.track]", 'camera "a": track has no effect, because nothing'),
        (PLAIN.replace("model", "threads = 0\nmodel", 1), "threads", "threads must be from 1 to 1024, not 0"),
        (PLAIN.replace("model", "threads = 10000\nmodel", 1), "threads", "threads must be from 1 to 1024, not 10000"),
        (PLAIN.replace("model", "on_mismatch = 'go'\nmodel", 1), "on_mismatch", "on_mismatch must be one of stop, warn"),
    ],
)  # fmt: skip
def test_errors_name_their_line(read, text, at, said):
    """One line: the file, the line, the setting, what is expected. No password."""
    with pytest.raises(ConfigError) as error:
        read(text)
    line = f":{text[: text.index(at)].count(chr(10)) + 1}" if at else ""
    assert f"cameras.toml{line}: {said}" in str(error.value)
    assert "s3cret" not in str(error.value)


@pytest.mark.parametrize(
    ("text", "at", "said"),
    [
        (PLAIN + "sinks = ['csv:e.csv']\n", "sinks",
         "unknown setting sinks; it belongs at the top of the file, above the first [[camera]]"),
        (PLAIN + "[camera.motion]\nquiet = true\n", "quiet", "unknown setting motion.quiet; it belongs at the top of the file"),
        (PLAIN + "[[line]]\nname = 'x'\n", "[[line]]", "unknown setting line; write it as [[camera.line]]"),
        (PLAIN + "[track]\nframes = 3\n", "[track]", "unknown setting track; write it as [camera.track]"),
        (PLAIN + "[[camera.lines]]\nname = 'x'\n", "[[camera.lines]]", "unknown setting lines; did you mean line?"),
        (PLAIN + "settle = 3\n", "settle", "unknown setting settle; it belongs in [camera.track]"),
        (wrong("dwell_s = 10", "enter = 0.7"), "enter", "unknown setting enter; it belongs in [camera.zone.state]"),
        (PLAIN + "keyframes = true\n", "keyframes", "unknown setting keyframes; it belongs in [camera.reading]"),
        (PLAIN + "[[sink]]\nkind = 'clip'\npath = 'x'\npre_s = 3\n", "pre_s",
         "unknown setting pre_s; it belongs in [sink.cut]"),
        (PLAIN + "kind = 'clip'\n", "kind", "unknown setting kind; known are name"),
    ],
)  # fmt: skip
def test_a_setting_in_the_wrong_table_is_said_with_the_right_one(read, text, at, said):
    """And with its line, that of a list of tables too."""
    with pytest.raises(ConfigError) as error:
        read(text)
    assert f"cameras.toml:{text[: text.index(at)].count(chr(10)) + 1}: " in str(error.value)
    assert said in str(error.value)


@pytest.mark.parametrize(
    ("text", "fix"),
    [
        ("model = a/b.onnx\n", '; texts are in quotes: model = "a/b.onnx"'),
        ("source = 10.0.0.7\n", '; texts are in quotes: source = "10.0.0.7"'),
        ("source = rtsp://me:s3cret@host/1\n", '; texts are in quotes: source = "rtsp://***@host/1"'),
        ("password = s3cret\n", '; texts are in quotes: password = "***"'),
        ("quiet = True\n", "; write true"),
        ('model = "a\\q.onnx"\n', "; in double quotes \\ begins a special character: write / in paths, or use single quotes"),
        (
            'model = "C:\\Users\\m.onnx"\n',
            "; in double quotes \\ begins a special character: write / in paths, or use single quotes",
        ),
        ("model: x\n", "; write = between model and its value"),
        ("model = 'a'\nmodel = 'b'\n", "; a setting or a table is there twice"),
        ('model = "a.onnx\n', ""),
    ],
)
def test_what_is_no_toml_is_said_with_what_to_write(read, text, fix):
    """Of the common mistakes; of others the words of the parser alone."""
    with pytest.raises(ConfigError, match="not valid TOML") as error:
        read(text)
    assert str(error.value).endswith(fix or ")")
    assert "s3cret" not in str(error.value)


@pytest.mark.parametrize(("name", "content"), [("m.onnx", b"\x08\xff"), ("labels.jsonl", b'{"frame": 0}\n')])
def test_another_file_than_a_cameras_toml_is_sent_where_it_belongs(tmp_path, name, content):
    """By its suffix."""
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ConfigError, match=r"; a (model|recording of labels) is for"):
        read_config(tmp_path / name)


def test_errors_about_health_name_their_line(read):
    """An unknown setting, and an unknown fault."""
    start = WHOLE[: WHOLE.index("[[camera.line]]")]
    for setting, said in (
        ("black = 3", '15: camera "north": unknown setting health.black; did you mean health.black_s?'),
        ("ignore = ['blur']", '15: camera "north": health.ignore[0] must be one of black, overexposed'),
    ):
        with pytest.raises(ConfigError) as error:
            read(f"{start}[camera.health]\n{setting}\n")
        assert said in str(error.value)


def test_a_missing_or_unreadable_file(tmp_path):
    """Missing, or not a text."""
    with pytest.raises(ConfigError, match=r"none\.toml: cannot be read \(No such file"):
        read_config(tmp_path / "none.toml")
    (tmp_path / "x.toml").write_bytes(b"a = '\xff'")
    with pytest.raises(ConfigError, match=r"x\.toml:1: expected text in UTF-8, found the byte 0xff at position 5"):
        read_config(tmp_path / "x.toml")


def test_lines_of_settings():
    """In tables, lists of tables and dotted keys; a setting without a line gets that of its table."""
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


def test_settings_inside_a_text_are_ignored():
    """Neither a table nor a key."""
    text = 'a = """\n[b]\nc = 1\n"""\n[b]\nc = 2\n'
    assert line_of(text, tomllib.loads(text), "b.c") in (3, 6)
    assert line_of(text, tomllib.loads(text), "a") == 1


def test_unknown_labels_name_their_line(read):
    """The line, the camera, the rule, and the labels of the model; the same rules in Python have no line."""
    config = read(
        wrong('"bar"', '"bar"\nstate = { labels = ["opne"] }').replace("[camera.zone.state]\nenter = 0.8\nleave = 0.5", "")
    )
    with pytest.raises(ConfigError) as error:
        check_labels(config, ["open", "closed"])
    assert str(error.value).split("cameras.toml:")[1].partition(": ")[2].startswith('camera "gate": zone "bar": state.labels: ')
    assert "has no label 'opne'; did you mean 'open'?" in str(error.value)
    with pytest.raises(ConfigError, match=r'^camera "gate": zone "bar": state\.labels: the model has no label'):
        Events({"gate": config.camera[1].rules}, labels=["open", "closed"])


@pytest.mark.parametrize(
    "setting",
    [
        'fps = "${SECRET}"',
        'decoder = "${SECRET}"',
        'fps = "rtsp://adm:zzkw%20pw@10.0.0.2/1"',
        'fps = ["rtsp://adm:zzkw%20pw@10.0.0.2/1"]',
        'decoder = "mqtt://adm:zzkw%20pw@h/1"',
        'fps = { password = "zzkw pw" }',
    ],
)
def test_a_secret_in_a_wrong_setting_is_not_shown(read, setting):
    """An address, an environment variable, the value of a password key."""
    start = WHOLE[: WHOLE.index("[[camera.line]]")].replace("fps = 10", setting)
    with pytest.raises(ConfigError, match="reading") as error:
        read(start, {**ENVIRONMENT, "SECRET": "zzkw pw"})
    assert "zzkw" not in str(error.value)
    assert setting.partition(" =")[0] in str(error.value)


EXCEPTIONS = {"config": "is the file itself", "explain": "is the sink explain:FOLDER"}


def test_every_option_of_a_run_has_its_place_in_the_file():
    """As a setting of the file, of a camera, or of its reading: with the option's name, seconds with their unit, lists in the
    singular or plural. Exceptions have a reason, and none is unnecessary.
    """
    places = {field.name for table in (Config, Camera, ReadingSettings) for field in dataclasses.fields(table)}
    options = {parameter.name for parameter in get_command(app).commands["run"].params}
    homeless = {name for name in options if not {name, f"{name}_s", f"{name}s"} & places}
    assert homeless == set(EXCEPTIONS)


@pytest.mark.parametrize(
    ("names", "one", "other", "file"),
    [
        ("a", "video:{camera}.mp4", "video:a.mp4", "a.mp4"),
        ("ab", "video:{camera}-b.mp4", "video:a-{camera}.mp4", "a-b.mp4"),
        ("ab", "jsonl:b.mp4", "video:./{camera}.mp4", "b.mp4"),
        ("a", "csv:.a.part.mp4", "video:{camera}.mp4", ".a.part.mp4"),
    ],
)
def test_two_sinks_that_meet_in_a_file_of_a_camera_are_refused(tmp_path, monkeypatch, names, one, other, file):
    """Their names differ until the name of a camera is inserted."""
    monkeypatch.chdir(tmp_path)
    cameras = "".join(f"[[camera]]\nname = '{name}'\nsource = {i}\n" for i, name in enumerate(names))
    (tmp_path / "cameras.toml").write_text(f"model = 'm.onnx'\nsinks = ['{one}', '{other}']\n{cameras}")
    with pytest.raises(ConfigError) as error:
        read_config("cameras.toml")
    told = f"cameras.toml:2: sinks '{one}' and '{other}' would write to the same file ({file}); name another file"
    assert str(error.value) == told


def test_two_sinks_that_meet_in_no_file_are_not_refused(tmp_path, monkeypatch):
    """With these cameras, their names stay different."""
    monkeypatch.chdir(tmp_path)
    sinks = "sinks = ['video:{camera}-b.mp4', 'video:a-{camera}.mp4', 'csv:a.mp4', 'jsonl:-']"
    cameras = "[[camera]]\nname = 'c'\nsource = 0\n[[camera]]\nname = 'd'\nsource = 1\n"
    (tmp_path / "cameras.toml").write_text(f"model = 'm.onnx'\n{sinks}\n{cameras}")
    assert len(read_config("cameras.toml").outputs) == 4


@pytest.mark.parametrize(
    ("sink", "why"),
    [
        ("video:out.mp4", "several cameras need {camera} in the name of the video, such as out-{camera}.mp4"),
        ("video:out-{start}.mp4", "several cameras need {camera} in the name of the video, such as out-{start}-{camera}.mp4"),
        ("video:out-{cam}.mp4", "{cam} is not a placeholder; did you mean {camera}? known are {camera} and {start}"),
        ("video:{camera}.avi", "would write to b.avi, which is an input; name another file"),
        ("jsonl:./b.avi", "would write to b.avi, which is an input; name another file"),
        ("csv:m.onnx", "would write to m.onnx, which is an input; name another file"),
        ("sqlite:cameras.toml", "would write to cameras.toml, which is an input; name another file"),
    ],
)
@pytest.mark.parametrize("is_table", [False, True])
def test_an_impossible_sink_names_its_line(tmp_path, monkeypatch, sink, why, is_table):
    """One video for two cameras, an unknown placeholder, an input as output: in a text and in a table."""
    monkeypatch.chdir(tmp_path)
    kind, path = sink.split(":")
    table = f"[[sink]]\nkind = '{kind}'\npath = '{path}'\n" if is_table else ""
    texts = "" if is_table else f"sinks = ['jsonl:-', 'video:{{camera}}-{{start}}.mp4', '{sink}']"
    cameras = "[[camera]]\nname = 'a'\nsource = 0\n[[camera]]\nname = 'b'\nsource = 'b.avi'\n"
    (tmp_path / "cameras.toml").write_text(f"model = 'm.onnx'\n{texts}\n{cameras}{table}")
    with pytest.raises(ConfigError) as error:
        read_config("cameras.toml")
    assert str(error.value).startswith(f"cameras.toml:{9 if is_table else 2}: ")
    assert why in str(error.value)
