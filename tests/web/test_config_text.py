"""Changing zones, lines, areas and rules in the text of a cameras.toml, with everything else kept."""

from __future__ import annotations

import copy
import tomllib
from difflib import ndiff

import pytest

from edgecls.errors import ConfigError
from edgecls.web.config.text import Item, Wanted, camera_table, changed

TRIANGLE = [[0.1, 0.2], [0.3, 0.4], [0.5, 0.1]]
TEXT = '''# cameras of the yard
model = "m.onnx" # the model

[[camera]]
name = "gate"   # by the road
source = "rtsp://${USER}:${PASSWORD}@10.0.0.7/1"
state.enter = 0.5 # why
# when = "motion"

# --- what is watched ---

# the bay
[[camera.zone]]
name = "${BAY}"  # bay
area = [0.1, 0.1, 0.2, 0.2] # measured
state = { enter = 0.7, leave = 0.2 }
# dwell_s = 3

[["camera".zone]] # second
name = "door # no comment"
area = [
  [0.5, 0.5], # a
  [0.6, 0.5],
  [0.6, 0.7],
]
look = "objects"
[camera.zone.state]
labels = [] # none

# the yard, seen from above
[[camera]]
name = "yard"
source = 0
text = """
[[camera.zone]]
# not a comment
"""
ignore = [
  [0.0, 0.0, 1.0, 0.1], # the sky
  [[0.1, 0.2], [0.3, 0.4], [0.5, 0.1]], # tree
]

[web]
listen = 8765
# the end
'''
INLINE = 'camera = [{name="a", source=0, zone=[{name="z", area=[0,0,1,1]}]}, # first\n {name="b", source=1}]\nmodel="m"\n'
INDENTED = (
    '[[camera]]\n  name="a"\n  source=0\n\n  [camera.track]\n  settle=9 # nine\n\n  [[camera.line]]\n  name="l"\n\n# end\n'
)
LISTED = '[[camera]]\nname = "a"\nzone = [\n  { name = "z", area = [0, 0, 1, 1] }, # one\n]\n'
APART = '[[camera]]\nname = "a"\n[web]\nlisten = 1\n[[camera.zone]]\nname = "z"\narea = [0, 0, 1, 1]\n# last'
FORMS = [(TEXT, "gate"), (TEXT, "yard"), (INLINE, "a"), (INLINE, "b"), (INDENTED, "a"), (LISTED, "a"), (APART, "a")]


def wanted_as_is(text: str, name: str) -> Wanted:
    """What a camera has."""
    table = copy.deepcopy(camera_table(text, name))
    return Wanted(
        {key: [Item(i, one) for i, one in enumerate(table[key])] for key in ("zone", "line", "ignore", "private")},
        table["rules"],
    )


def differences(before: str, after: str) -> tuple[list[str], list[str]]:
    """The lines that went and those that came."""
    lines = list(ndiff(before.splitlines(), after.splitlines()))
    return [line[2:] for line in lines if line[:1] == "-"], [line[2:] for line in lines if line[:1] == "+"]


@pytest.mark.parametrize(("text", "name"), FORMS)
def test_the_same_again_changes_nothing(text, name):
    """Byte by byte, but for a missing line end at the end."""
    assert changed(text, name, wanted_as_is(text, name)).removesuffix("\n") == text.removesuffix("\n")


@pytest.mark.parametrize(("text", "name"), FORMS)
def test_whatever_is_added_in_whatever_form_is_there(text, name):
    """A zone, a line, an area and rules, and every comment stays, in its order."""
    wanted = wanted_as_is(text, name)
    zone = {"name": "Bucht ä", "area": TRIANGLE, "state": {"enter": 0.7}}
    wanted.items["zone"].append(Item(None, zone))
    wanted.items["line"].append(Item(None, {"name": "l2", "line": TRIANGLE[:2], "left": "in", "right": "out"}))
    wanted.items["ignore"].append(Item(None, TRIANGLE))
    wanted.rules["count_every_s"] = 60
    wanted.rules.setdefault("track", {})["frames"] = 5
    after = changed(text, name, wanted)
    table = camera_table(after, name)
    assert (table["zone"][-1], table["line"][-1]["name"], table["ignore"][-1]) == (zone, "l2", TRIANGLE)
    assert table["rules"]["count_every_s"] == 60
    assert table["rules"]["track"]["frames"] == 5
    comments = [line.partition("#")[2] for line in text.splitlines() if "#" in line]
    places = [after.index(f"#{comment}") for comment in comments]
    assert places == sorted(places)
    others = [one for one in tomllib.loads(after)["camera"] if one["name"] != name]
    assert others == [one for one in tomllib.loads(text)["camera"] if one["name"] != name]


def test_only_the_lines_of_what_changes_change():
    """A name, an area and an inner setting; the comments behind them stay."""
    wanted = wanted_as_is(TEXT, "gate")
    wanted.items["zone"][0].value["area"][2] = 0.25
    wanted.items["zone"][0].value["state"]["share"] = 0.8
    wanted.items["zone"][1].value["area"][1] = [0.65, 0.5]
    went, came = differences(TEXT, changed(TEXT, "gate", wanted))
    assert went == ["area = [0.1, 0.1, 0.2, 0.2] # measured", "state = { enter = 0.7, leave = 0.2 }", "  [0.6, 0.5],"]
    assert came == [
        "area = [0.1, 0.1, 0.25, 0.2] # measured",
        "state = { enter = 0.7, leave = 0.2, share = 0.8}",
        "  [0.65, 0.5],",
    ]


def test_a_new_zone_stands_behind_those_of_its_camera():
    """Before the comment of the next camera."""
    wanted = wanted_as_is(TEXT, "gate")
    wanted.items["zone"].append(Item(None, {"name": "new", "area": [0.0, 0.0, 0.5, 0.5]}))
    after = changed(TEXT, "gate", wanted)
    new = '\n[[camera.zone]]\nname = "new"\narea = [0.0, 0.0, 0.5, 0.5]\n'
    assert after == TEXT.replace("labels = [] # none\n", f"labels = [] # none\n{new}")


def test_what_is_removed_takes_its_own_comments_along():
    """And leaves those that stand apart."""
    wanted = wanted_as_is(TEXT, "gate")
    del wanted.items["zone"][0]
    wanted.rules.clear()
    went, came = differences(TEXT, changed(TEXT, "gate", wanted))
    assert "# the bay" in went
    assert "# --- what is watched ---" not in went
    assert [line for line in went if line and not line.startswith("#")] == [
        "state.enter = 0.5 # why", "[[camera.zone]]", 'name = "${BAY}"  # bay', "area = [0.1, 0.1, 0.2, 0.2] # measured",
        "state = { enter = 0.7, leave = 0.2 }",
    ]  # fmt: skip
    assert came == []


def test_areas_are_added_and_removed_within_their_list():
    """Each with its own comment."""
    wanted = wanted_as_is(TEXT, "yard")
    wanted.items["ignore"][:] = [wanted.items["ignore"][1], Item(None, [0.0, 0.0, 1.0, 0.5])]
    after = changed(TEXT, "yard", wanted)
    assert differences(TEXT, after) == (["  [0.0, 0.0, 1.0, 0.1], # the sky"], ["  [0.0, 0.0, 1.0, 0.5],"])
    wanted.items["ignore"].clear()
    assert "ignore" not in tomllib.loads(changed(TEXT, "yard", wanted))["camera"][1]


def test_variables_stay_as_written(monkeypatch):
    """Nothing that they stand for is in the text; a camera may be called by one."""
    monkeypatch.setenv("PASSWORD", "secret")
    monkeypatch.setenv("SIDE", "north")
    text = TEXT.replace('"gate"', '"gate-${SIDE}"')
    wanted = wanted_as_is(text, "gate-north")
    wanted.items["zone"][0].value["area"] = TRIANGLE
    after = changed(text, "gate-north", wanted)
    assert ("${PASSWORD}" in after, '"${BAY}"' in after, '"gate-${SIDE}"' in after, "secret" in after) == (
        True,
        True,
        True,
        False,
    )


def test_the_page_is_told_nothing_else_of_a_camera():
    """Neither its source nor its other settings."""
    assert set(camera_table(TEXT, "gate")) == {"zone", "line", "ignore", "private", "rules"}
    assert camera_table(TEXT, "gate")["rules"] == {"state": {"enter": 0.5}}


@pytest.mark.parametrize(("text", "name"), FORMS)
def test_private_areas_and_left_objects_are_written(text, name):
    """And taken out again; a change that says nothing of private areas leaves them."""
    wanted = wanted_as_is(text, name)
    wanted.items["private"].append(Item(None, TRIANGLE))
    with_left = wanted.rules | {"left": {"after_s": 60, "area": [TRIANGLE]}}
    after = changed(text, name, Wanted(wanted.items, with_left))
    table = camera_table(after, name)
    assert (table["private"], table["rules"]["left"]) == ([TRIANGLE], {"after_s": 60, "area": [TRIANGLE]})
    del wanted.items["private"]
    assert camera_table(changed(after, name, wanted), name)["private"] == [TRIANGLE]
    wanted.items["private"] = []
    assert camera_table(changed(after, name, wanted), name) == camera_table(text, name)


@pytest.mark.parametrize("name", ["", "Gate", "gate ", "yard2"])
def test_an_unknown_camera_is_refused(name):
    """By its name."""
    with pytest.raises(ConfigError, match="there is no camera"):
        changed(TEXT, name, Wanted({}, {}))


@pytest.mark.parametrize("item", [Item(7, {"name": "x"}), Item(None, {"name": None}), Item(0, {"name": [{"a": None}]})])
def test_what_cannot_be_written_as_asked_is_refused(item):
    """A place that the list does not have, and values that TOML does not have."""
    with pytest.raises(ConfigError, match="in a way that the page cannot change"):
        changed(TEXT, "gate", Wanted({"zone": [item]}, {}))


def test_tables_apart_from_their_camera_are_found():
    """TOML lets another table stand between them."""
    wanted = wanted_as_is(APART, "a")
    wanted.items["zone"][0].value["name"] = "y"
    assert differences(APART, changed(APART, "a", wanted)) == (['name = "z"'], ['name = "y"'])
