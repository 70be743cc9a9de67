"""The JSON Schema of cameras.toml agrees with `read_config` about names, types, choices and limits."""

from __future__ import annotations

import copy
import dataclasses
import json
import math
import re
import tomllib
from typing import TYPE_CHECKING, Any, get_args

import jsonschema
import pytest

from edgecls.errors import ConfigError
from edgecls.events.states import StateSettings
from edgecls.events.tracker import TrackSettings
from edgecls.regions.motion import MotionSettings
from edgecls.run.config import Config
from edgecls.settings import build, fields_of
from edgecls.settings.limits import limits_of
from edgecls.settings.schema import schema_of
from edgecls.train.config import TrainConfig
from tests.conftest import ROOT
from tests.run.test_config import WHOLE

if TYPE_CHECKING:
    from collections.abc import Iterator

SCHEMA = schema_of(Config, title="cameras.toml")
VALIDATOR = jsonschema.Draft202012Validator(SCHEMA)
EVENTS = (ROOT / "docs" / "events.md").read_text(encoding="utf-8")
EVERYTHING = """\
model = "street.onnx"
device = "cpu"
threads = 2
on_mismatch = "warn"
quiet = true
sinks = ["jsonl:-", "sqlite:events.db?keep_days=30"]

[web]
listen = "127.0.0.1:8765"
passwords = "passwords.json"
hosts = ["cameras.example"]
certificate = "cert.pem"
key = "key.pem"

[fleet]
broker = "mqtts://user:password@broker/fleet"
device = "roof-17"
heartbeat_s = 30
least_s = 10
hosts = ["bundles.example"]
allow = ["https", "http"]
most_mb = 50

[bundle]
folder = "bundles"
keys = ["fleet.pub"]
name = "street"
keep = 5
sinks = true
settle_s = 300
trial = {frames = 500, unknown = 0.2, score = 0.2}

[shadow]
model = "new.onnx"
share = 0.2
store = "disagreements"
per_day = 50
quota = {most_gb = 2}
promote = {frames = 500, agree = 0.95, worst = 0.8}
trial = {frames = 500, unknown = 0.2, score = 0.2}

[[sink]]
kind = "jsonl"
path = "out.jsonl"
when = "change"
every_s = 60
events = false

[[sink]]
kind = "video"
path = "{camera}.mp4"
part_s = 60
quota = {most_gb = 20, keep_free_gb = 5}

[[sink]]
kind = "collect"
path = "pictures"
margin = 0.3
embed = false
choice = {per_day = 50, random = 0.1, doubtful = 0.6, unlike = 10, apart_s = 30}
quota = {most_gb = 2}

[[sink]]
kind = "window"

[[sink]]
kind = "clip"
path = "clips"
cut = {pre_s = 3, post_s = 8, most_s = 60, late_s = 5, kinds = ["crossing"]}

[[sink]]
kind = "snapshot"
path = "shots"
quota = {most_gb = 1}
shot = {shows = ["crop"], quality = 80, late_s = 5, held_bytes = 9, kinds = ["object"]}

[[sink]]
kind = "csv"
path = "events.csv"

[[sink]]
kind = "sqlite"
path = "more.db"
keep_days = 7.5

[[sink]]
kind = "mqtt"
to = "mqtts://broker/traffic"
answer_wait_s = 5

[[sink]]
kind = "webhook"
to = "https://host/path"
timeout_s = 3

[[sink]]
kind = "prometheus"
to = 9108

[[camera]]
name = "north"
source = "rtsp://10.0.0.7/1"
substream = "rtsp://10.0.0.7/2"
when = "motion"
ignore = [[0.0, 0.0, 1.0, 0.1], [[0, 0], [1, 0], [1, 1]]]
private = [[0.0, 0.0, 0.1, 0.1], [[0, 0], [1, 0], [1, 1]]]
count_every_s = 60
track = {overlap = 0.3, frames = 3, settle = 6, travel = 1, lost_s = 2, anchor = "bottom", ignore = ["background"]}
motion.method = "knn"
motion.width = 200
motion.smallest = 0.01
motion.largest = 0.8
motion.history_s = 30
motion.warm_up_s = 1
motion.around = 0.1
motion.max_regions = 16

[camera.detector]
model = "detector.onnx"
fps = 10
score = 0.5
low = 0.2
classes = ["car", "truck"]
gate = "motion"
names = "both"
classify = ["car"]
around = 0.1
max_regions = 16

[camera.left]
after_s = 20
smallest = 0.01
area = [[0.1, 0.1, 0.2, 0.2]]
labels = ["car"]
kinds = ["left"]

[camera.drift]
learn_h = 24
window_h = 2
fewest = 20
tolerance = 1.5
stays_h = 72
off = true

[camera.health]
frozen_s = 20
black_s = 1
overexposed_s = 1
covered_s = 1
defocused_s = 1
moved_s = 1
stays_s = 90
clear_s = 2
warm_up_s = 3
learn_s = 30
ignore = ["moved"]
classify_anyway = true
off = true

[camera.reading]
decoder = "pyav"
decode = "auto"
decode_width = 320
fast_decode = true
keyframes = true
strict = true
every = 2
fps = 5
needed_hw = [32, 32]
open_timeout_s = 5
read_timeout_s = 5
give_up_after_s = 60
keep_s = 10
keep_bytes = 1000000

[[camera.zone]]
name = "bay"
area = [0.1, 0.1, 0.2, 0.2]
look = "objects"
dwell_s = 3

[[camera.zone]]
name = "door"
area = [0.5, 0.1, 0.2, 0.2]
every_s = 60

[[camera.line]]
name = "stop line"
line = [[0.1, 0.6], [0.9, 0.6]]
left = "out"
right = "in"
labels = ["car", "truck"]

[[camera]]
name = "gate"
source = 1

[camera.state]
enter = 0.7
leave = 0.5
seconds = 2
frames = 4
share = 0.7
dwell_s = 1
cooldown_s = 1
hold_s = 5
labels = ["car"]
unknown = "ignore"
"""
EVERY_SETTING = tomllib.loads(EVERYTHING)
TYPES = r"a whole number|a number|a text|true or false|a table|a list of [\w ]+"
STRUCTURE = re.compile(rf"unknown setting|is missing|must be one of|must be (?:{TYPES})(?: or (?:{TYPES}))*, not|, found ")
"""Errors of `build` about names, types and choices."""


def problems(table: dict[str, Any]) -> list[str]:
    """Return the errors of the schema for a parsed file."""
    return [error.message for error in VALIDATOR.iter_errors(table)]


def refusal(table: dict[str, Any]) -> str:
    """Return the error of `build` for a parsed file, or ""."""
    try:
        build(Config, table, "f")
    except ConfigError as error:
        return str(error)
    return ""


def test_the_schema_is_valid():
    """By the metaschema of its draft; and it survives JSON."""
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    assert SCHEMA["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert json.loads(json.dumps(SCHEMA)) == SCHEMA


@pytest.mark.parametrize("text", [WHOLE, EVERYTHING, *re.findall(r"```toml\n(.*?)```", EVENTS, re.DOTALL)])
def test_valid_files_match_the_schema(text):
    """The examples in the tests and the documentation, and a file with every setting."""
    assert problems(tomllib.loads(text)) == []


def test_the_file_with_every_setting_is_complete():
    """It contains all settings of all tables, so the tests below cover all settings."""
    present = {path[-1] for path, _ in leaves(EVERY_SETTING)} | {"unknown", "camera", "sink", "state"}
    tables = {"Config": SCHEMA, **SCHEMA["$defs"]}
    assert refusal(EVERY_SETTING) == ""
    every = {name for table in tables.values() for name in table["properties"]}
    assert (
        every
        - present
        - {
            "zone",
            "line",
            "reading",
            "track",
            "motion",
            "left",
            "detector",
            "health",
            "drift",
            "cut",
            "shot",
            "quota",
            "choice",
            "web",
            "shadow",
            "promote",
            "trial",
        }
        == set()
    )


def leaves(value: Any, path: tuple[str | int, ...] = ()) -> Iterator[tuple[tuple[str | int, ...], Any]]:
    """Yield each setting with its path: values and lists of values, and the lists and tables that contain them."""
    if path and isinstance(path[-1], str):
        yield path, value
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, one in inner:
        yield from leaves(one, (*path, key))


def changed(path: tuple[str | int, ...], value: Any) -> dict[str, Any]:
    """Return the file with every setting, with a changed value at a path, and only one camera and one sink."""
    table = copy.deepcopy(EVERY_SETTING)
    for name in ("camera", "sink"):
        if path[:1] == (name,) and len(path) > 1:
            table[name] = [table[name][path[1]]]
            path = (name, 0, *path[2:])
        else:
            table[name] = table[name][-1:]
    at: Any = table
    for key in path[:-1]:
        at = at[key]
    at[path[-1]] = value
    return table


OTHERS = (True, "x", 3.5, 7, -1, [], {}, ["x"], [0.5], [[0.1, 0.1], [0.2, 0.2]], [{}], {"x": 1}, "car", [0.1, 0.1, 0.2, 0.2])


@pytest.mark.parametrize("path", [path for path, _ in leaves(EVERY_SETTING)], ids=lambda p: ".".join(map(str, p)))
def test_both_refuse_the_same_types_and_choices(path):
    """For any value of a setting: if `build` accepts it, so does the schema; if `build` refuses it because of its type or its
    choices, so does the schema.
    """
    for value in OTHERS:
        table = changed(path, value)
        error = refusal(table)
        if not error:
            assert problems(table) == [], value
        elif STRUCTURE.search(error):
            assert not VALIDATOR.is_valid(table), (value, error)


@pytest.mark.parametrize("path", [path for path, v in leaves(EVERY_SETTING) if isinstance(v, dict)] + [()])
def test_both_refuse_unknown_and_missing_names(path):
    """An extra key in any table, and any missing key that has no default."""
    table = tomllib.loads(EVERYTHING)
    at: Any = table
    for key in path:
        at = at[key]
    at["nothing"] = 1
    assert "unknown setting" in refusal(table)
    assert problems(table)
    del at["nothing"]
    for name in list(at):
        value = at.pop(name)
        assert bool(problems(table)) == bool(STRUCTURE.search(refusal(table))), name
        at[name] = value


@pytest.mark.parametrize("i", range(10))
def test_sinks_are_told_apart_by_their_kind(i):
    """A missing kind, the kind of another sink, and an unknown kind, with a hint at the most similar one."""
    table = tomllib.loads(EVERYTHING)
    kind = table["sink"][i].pop("kind")
    assert f"sink[{i}].kind is missing; expected one of jsonl, video" in refusal(table)
    assert problems(table)
    table["sink"][i]["kind"] = kind[:-1]
    assert f"sink[{i}].kind must be one of jsonl, video, " in refusal(table)
    assert f"did you mean {kind}?" in refusal(table)
    assert problems(table)
    table["sink"][i]["kind"] = "csv" if kind == "window" else "window"
    assert STRUCTURE.search(refusal(table))
    assert problems(table)


def test_the_schema_describes_settings():
    """Descriptions come from the docstrings, defaults from the dataclasses, choices from the types."""
    state = SCHEMA["$defs"]["StateSettings"]["properties"]
    assert state["dwell_s"]["description"].startswith("A state is reported after it has lasted")
    assert state["unknown"]["description"].endswith("still counts against the current one.")
    assert SCHEMA["$defs"]["StateSettings"]["description"].startswith("When a label becomes a state")
    assert "Attributes" not in SCHEMA["$defs"]["StateSettings"]["description"]
    assert state["enter"] == {
        "description": state["enter"]["description"],
        "type": "number",
        "minimum": 0,
        "maximum": 1,
        "default": 0.6,
    }
    assert SCHEMA["$defs"]["Camera"]["properties"]["when"]["enum"] == ["always", "motion"]
    assert "default" not in SCHEMA["properties"]["threads"]
    assert SCHEMA["$defs"]["ClipSettings"]["required"] == ["kind", "path"]


RECORDED = ("JsonlSettings", "ClipSettings", "SnapshotSettings", "CollectSettings")
REQUIRED: dict[str, dict[str, Any]] = {
    "Config": {"model": "m.onnx", "camera": [{"name": "gate", "source": 0}]},
    "Camera": {"name": "gate", "source": 0},
    "Zone": {"name": "bay", "area": [0.1, 0.1, 0.2, 0.2], "look": "objects"},
    "VideoSettings": {"path": "x.mp4", "quota": {"most_gb": 1}},
    "MqttSettings": {"to": "mqtt://host/topic"},
    "WebhookSettings": {"to": "https://host/path"},
    "DetectorSettings": {"model": "d.onnx"},
    "BundleSettings": {"folder": "bundles", "keys": ["fleet.pub"]},
    "FleetSettings": {"broker": "mqtt://host/fleet"},
    "ShadowSettings": {"model": "new.onnx"},
    "TrainConfig": {"data": {"path": "x"}},
} | {name: {"path": "x"} for name in (*RECORDED, "SqliteSettings", "DataConfig")}
"""The other settings that each table needs, besides the one that a test changes."""


def tables_in(cls: Any) -> set[Any]:
    """Return all dataclasses in the settings of a dataclass, including itself."""
    found, waiting = set(), [cls]
    while waiting:
        one = waiting.pop()
        if dataclasses.is_dataclass(one) and one not in found and not hasattr(one, "from_setting"):
            found.add(one)
            waiting += fields_of(one).values()
        waiting += get_args(one)
    return found


TABLES = sorted(tables_in(Config) | tables_in(TrainConfig), key=lambda cls: cls.__name__)
LIMITED = [(cls, field) for cls in TABLES for field in dataclasses.fields(cls) if limits_of(field)]


def test_the_fields_with_limits_are_found():
    """In cameras.toml and in the settings of a training; the next tests depend on them."""
    names = {f"{cls.__name__}.{field.name}" for cls, field in LIMITED}
    assert {"StateSettings.enter", "MotionSettings.width", "CutSettings.pre_s", "TrainConfig.epochs", "Layers.kernels"} <= names
    assert len(names) > 60


@pytest.mark.parametrize(("cls", "field"), LIMITED, ids=lambda one: getattr(one, "__name__", getattr(one, "name", "")))
def test_the_schema_refuses_what_the_code_refuses(cls, field):
    """TOML, Python and the schema agree at each limit and on both sides of it."""
    limits, required = limits_of(field), REQUIRED.get(cls.__name__, {})
    validator = jsonschema.Draft202012Validator(schema_of(cls, title="a table"))
    good = build(cls, required, "f")
    is_whole = "int" in str(fields_of(cls)[field.name])
    ends = [end for end in (limits.at_least, limits.above, limits.at_most, limits.below) if end is not None and end != math.inf]
    values: list[Any] = [end + step for end in ends for step in ((-1, 0, 1) if is_whole else (-1, -1e-6, 0, 1e-6, 1))]
    values = [round(value) if is_whole else float(value) for value in values] if ends else [limits.choices[0], "x"]
    if isinstance(getattr(good, field.name), tuple):
        values = [[], *([value] for value in values)]
    refused = [value for value in values if not limits.hold(value)]
    assert 0 < len(refused) < len(values)
    for value in values:
        table = {**required, field.name: value}
        if value in refused:
            assert not validator.is_valid(table), value
            with pytest.raises(ConfigError, match=rf"{field.name}(\[0\])? must be "):
                build(cls, table, "f")
            with pytest.raises(ConfigError, match=f"{field.name} must be "):
                dataclasses.replace(good, **{field.name: tuple(value) if isinstance(value, list) else value})
        else:
            assert validator.is_valid(table), value


@pytest.mark.parametrize("value", [math.nan, "7", ()])
def test_python_refuses_values_that_are_not_numbers(value):
    """As for TOML; only numbers are within the limits."""
    with pytest.raises(ConfigError, match="enter must be a score from 0 to 1, not "):
        StateSettings(enter=value)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: MotionSettings(method="sift"), "method must be one of median, mog2, knn, not 'sift'"),
        (lambda: TrackSettings(anchor="top"), "anchor must be one of middle, bottom, not 'top'"),
        (lambda: StateSettings(unknown="drop"), "unknown must be one of state, ignore, not 'drop'"),
    ],
)
def test_python_refuses_an_unknown_choice(make, message):
    """With the same message as for TOML."""
    with pytest.raises(ConfigError, match=message):
        make()
