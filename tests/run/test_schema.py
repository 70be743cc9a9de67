"""The JSON Schema of cameras.toml says what `read_config` says, as far as names, types and choices go."""

from __future__ import annotations

import copy
import json
import re
import tomllib
from typing import TYPE_CHECKING, Any

import jsonschema
import pytest

from edgecls.errors import ConfigError
from edgecls.run.config import Config
from edgecls.schema import schema_of
from edgecls.settings import build
from tests.conftest import ROOT
from tests.run.test_config import WHOLE

if TYPE_CHECKING:
    from collections.abc import Iterator

SCHEMA = schema_of(Config, title="cameras.toml")
VALIDATOR = jsonschema.Draft202012Validator(SCHEMA)
README = (ROOT / "README.md").read_text(encoding="utf-8")
EVERYTHING = """\
model = "street.onnx"
device = "cpu"
threads = 2
on_mismatch = "warn"
quiet = true
sinks = ["jsonl:-", "sqlite:events.db?keep_days=30"]

[[sink]]
kind = "jsonl"
path = "out.jsonl"

[[sink]]
kind = "video"
path = "{camera}.mp4"
part_s = 60
quota = {most_gb = 20, keep_free_gb = 5}

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
source = 0
when = "motion"
ignore = [[0.0, 0.0, 1.0, 0.1], [[0, 0], [1, 0], [1, 1]]]
count_every_s = 60
track = {overlap = 0.3, frames = 3, settle = 6, lost_s = 2, anchor = "bottom", ignore = ["background"]}
motion = {method = "knn", width = 200, smallest = 0.01, largest = 0.8, history_s = 30, warm_up_s = 1, around = 0.1}

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
STRUCTURE = re.compile(r"unknown setting|is missing|must be one of|, found ")
"""What `build` says of names, types and choices."""


def problems(table: dict[str, Any]) -> list[str]:
    """What the schema has against a table, as a file of it would be read."""
    return [error.message for error in VALIDATOR.iter_errors(table)]


def refusal(table: dict[str, Any]) -> str:
    """What `build` has against it."""
    try:
        build(Config, table, "f")
    except ConfigError as error:
        return str(error)
    return ""


def test_it_is_a_schema_of_the_draft_that_it_names():
    """By the draft's own schema; and it survives JSON."""
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    assert SCHEMA["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert json.loads(json.dumps(SCHEMA)) == SCHEMA


@pytest.mark.parametrize("text", [WHOLE, EVERYTHING, "".join(re.findall(r"```toml\n(.*?)```", README, re.DOTALL))])
def test_good_files_are_good(text):
    """Those of the tests, those of the README, and one that says everything."""
    assert problems(tomllib.loads(text)) == []


def test_the_file_that_says_everything_does():
    """No setting of any table is left out of it: so no setting is left out of the tests below."""
    said = {path[-1] for path, _ in leaves(tomllib.loads(EVERYTHING))} | {"unknown", "camera", "sink", "state"}
    tables = {"Config": SCHEMA, **SCHEMA["$defs"]}
    assert refusal(tomllib.loads(EVERYTHING)) == ""
    every = {name for table in tables.values() for name in table["properties"]}
    assert every - said - {"zone", "line", "reading", "track", "motion", "health", "cut", "shot", "quota"} == set()


def leaves(value: Any, path: tuple[str | int, ...] = ()) -> Iterator[tuple[tuple[str | int, ...], Any]]:
    """Each setting with its path: values, lists of them, and the lists and tables that hold others."""
    if path and isinstance(path[-1], str):
        yield path, value
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, one in inner:
        yield from leaves(one, (*path, key))


def changed(path: tuple[str | int, ...], value: Any) -> dict[str, Any]:
    """The file that says everything, with another value there."""
    table = copy.deepcopy(tomllib.loads(EVERYTHING))
    at: Any = table
    for key in path[:-1]:
        at = at[key]
    at[path[-1]] = value
    return table


OTHERS = (True, "x", 3.5, 7, -1, [], {}, ["x"], [0.5], [[0.1, 0.1], [0.2, 0.2]], [{}], {"x": 1}, "car", [0.1, 0.1, 0.2, 0.2])


@pytest.mark.parametrize("path", [path for path, _ in leaves(tomllib.loads(EVERYTHING))], ids=lambda p: ".".join(map(str, p)))
def test_both_refuse_the_same_types_and_choices(path):
    """Whatever stands in the place of a setting: what `build` takes the schema takes; what it refuses for its type or as no
    choice, the schema refuses.
    """
    for value in OTHERS:
        table = changed(path, value)
        said, found = refusal(table), problems(table)
        if not said:
            assert found == [], value
        elif STRUCTURE.search(said):
            assert found, (value, said)


@pytest.mark.parametrize("path", [path for path, v in leaves(tomllib.loads(EVERYTHING)) if isinstance(v, dict)] + [()])
def test_both_refuse_unknown_and_missing_names(path):
    """A key too many in any table, and each key that has no default missing."""
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
    """No kind, another one's kind, and one that nobody knows, with the nearest that is known."""
    table = tomllib.loads(EVERYTHING)
    kind = table["sink"][i].pop("kind")
    assert f"sink[{i}].kind is missing: jsonl, video" in refusal(table)
    assert problems(table)
    table["sink"][i]["kind"] = kind[:-1]
    assert f"sink[{i}].kind must be one of jsonl, video, " in refusal(table)
    assert f"did you mean {kind}?" in refusal(table)
    assert problems(table)
    table["sink"][i]["kind"] = "csv" if kind == "window" else "window"
    assert STRUCTURE.search(refusal(table))
    assert problems(table)


def test_it_says_what_a_setting_is_for():
    """Descriptions are of the docstrings, defaults those of the dataclasses, choices those of the types."""
    state = SCHEMA["$defs"]["StateRule"]["properties"]
    assert state["dwell_s"]["description"].startswith("It is told of when it has lasted `dwell_s`")
    assert state["enter"] == {"description": state["enter"]["description"], "type": "number", "default": 0.6}
    assert SCHEMA["$defs"]["Camera"]["properties"]["when"]["enum"] == ["always", "motion"]
    assert "default" not in SCHEMA["properties"]["threads"]
    assert SCHEMA["$defs"]["ClipOut"]["required"] == ["kind", "path"]
