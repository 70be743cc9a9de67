"""Arguments of `Run` that have the wrong type: one line each, before anything is opened."""

from __future__ import annotations

import pytest

from edgecls import CallbackSink, ConfigError, CountingLine, Line, MotionSettings, Polygon, Run, Zone, open_source, zones
from edgecls.run.given import configured, read_given
from edgecls.run.options import from_options

LINE = CountingLine("x", Line((0.0, 0.5), (1.0, 0.5)), left="out", right="in")
GOOD = {"model": "m.onnx", "sources": [0]}
ADDRESS = "rtsp://me:s3cret@host/1"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            {"config": "street.onnx", "sources": [0]},
            "config must be a cameras.toml, but street.onnx is a model; write model='street",
        ),
        ({"config": "road.mp4"}, "config must be a cameras.toml, but road.mp4 is a video; write sources=['road.mp4']"),
        ({"config": {"model": "m"}}, "config must be the path of a cameras.toml, or a Config, not {'model': 'm'}"),
        ({"model": 3, "sources": [0]}, "model must be the path of an .onnx file, not 3"),
        ({"model": "m", "sources": "road.mp4"}, "sources must be a list such as ['road.mp4'], not 'road.mp4'"),
        ({"model": "m", "sources": 0}, "sources must be a list such as [0], not 0"),
        ({"model": "m", "sources": [0, None]}, "sources[1] must be a camera number, a path or a URL, not None"),
        ({"model": "m", "sources": {0}}, "sources must be a list of camera numbers, paths and URLs, not {0}"),
        (GOOD | {"lines": [("a", (0, 0.5, 1, 0.5))]}, "lines must be a dict such as {'entry': (0.1, 0.6, 0.9, 0.6)}, or"),
        (GOOD | {"lines": {"a": "0,0.5,1,0.5"}}, "lines['a'] must be four numbers (x1, y1, x2, y2), not '0,0.5,1,0.5'"),
        (GOOD | {"lines": {"a": 3}}, "lines['a'] must be four numbers (x1, y1, x2, y2), not 3"),
        (GOOD | {"lines": {3: (0, 0.5, 1, 0.5)}}, "lines: the name 3 must be a text"),
        (GOOD | {"lines": {"a": LINE}}, "lines['a'] is a CountingLine, which has its own name; pass a list: lines"),
        (GOOD | {"lines": {"a": [[0, 0.5], [1, 0.5]]}}, "line a: expected x1,y1,x2,y2, two points as fractions of the frame"),
        (GOOD | {"zones": [LINE]}, "zones must be a dict such as {'gate': (0.4, 0.2, 0.1, 0.3)}, or a list of Zone"),
        (GOOD | {"zones": {"a": None}}, "zones['a'] must be four numbers (x, y, width, height), not None"),
        (GOOD | {"zones": {"a": ("0", 0, 1, 1)}}, "zone a: expected x,y,w,h as fractions of the frame (0 to 1)"),
        (GOOD | {"motion": "yes"}, "motion must be True, False or MotionSettings(...), not 'yes'"),
        (GOOD | {"sinks": "csv:e.csv"}, "sinks must be a list such as ['csv:e.csv'], not 'csv:e.csv'"),
        (GOOD | {"sinks": 3}, "sinks must be a list such as ['csv:events.csv'], not 3"),
        (GOOD | {"sinks": [3]}, "sinks[0] must be a text such as 'csv:events.csv', or settings of a sink, not 3"),
        (GOOD | {"sinks": [CallbackSink(on_event=print)]}, "sinks[0] is an open CallbackSink; append it to `sinks` of the run"),
        (GOOD | {"spool": 3}, "spool must be the path of a folder, not 3"),
        (GOOD | {"say": "loud"}, "say must be a function that takes one line of text, such as print, not 'loud'"),
        ({"model": "m", "sources": ADDRESS}, "sources must be a list such as ['rtsp://***@host/1'], not 'rtsp://***@host/1'"),
        (GOOD | {"motion": [ADDRESS]}, "motion must be True, False or MotionSettings(...), not ['rtsp://***@host/1']"),
    ],
)
def test_an_argument_of_the_wrong_type_is_one_line(arguments, message):
    """What it must be, what it is, without passwords."""
    with pytest.raises(ConfigError) as error:
        Run(**arguments)
    assert str(error.value).startswith(message)
    assert "\n" not in str(error.value)


def test_another_config_is_checked_as_the_first_one():
    """`reload` takes what `Run` takes."""
    for config in ("street.onnx", 3):
        with pytest.raises(ConfigError, match=r"^config must be"):
            read_given(config)


def test_lines_and_zones_may_be_objects():
    """So their sides have names, and zones may watch objects; by name they have the usual ones."""
    yard = Zone("yard", Polygon.rectangle(0.1, 0.1, 0.3, 0.3), look="objects")
    (camera,) = from_options("m.onnx", [0], zones=[yard], lines=[LINE]).camera
    assert (camera.zone, camera.line) == ((yard,), (LINE,))
    (camera,) = from_options("m.onnx", [0], lines={"x": (0.0, 0.5, 1.0, 0.5)}).camera
    assert (camera.line[0].left, camera.line[0].right) == ("left", "right")


@pytest.mark.parametrize(
    ("motion", "settings"),
    [(False, None), (True, MotionSettings()), (MotionSettings(width=160), MotionSettings(width=160))],
)
def test_motion_is_an_argument(motion, settings):
    """As the option --motion of the command line."""
    config = configured(None, "m.onnx", [0], zones=None, lines=None, motion=motion, sinks=())
    assert config.camera[0].motion == settings


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: zones([(0, 0, 1, 1)]), "expected zones by name, such as {'gate': (0.4, 0.2, 0.1, 0.3)}, found [(0, 0, 1, 1)]"),
        (lambda: zones({"a": (1, 2)}), "zone a: expected four numbers (x, y, width, height), found (1, 2)"),
        (lambda: zones({"a": None}), "zone a: expected four numbers (x, y, width, height), found None"),
        (lambda: open_source(["a", "b"]), "a source must be a camera number, a path or a URL, not ['a', 'b']; pass each"),
        (lambda: open_source(None), "a source must be a camera number, a path or a URL, not None"),
    ],
)
def test_so_are_those_of_the_pieces(call, message):
    """`edgecls.zones` and `edgecls.open_source`."""
    with pytest.raises(ConfigError) as error:
        call()
    assert str(error.value).startswith(message)
