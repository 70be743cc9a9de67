"""Tests of the model card: writing, reading and validation."""

from __future__ import annotations

import json

import pytest

from edgecls import InputSpec, ModelCard, ModelError

CARD = ModelCard(("a", "b"), InputSpec(24, 48, "rgb", "letterbox", "linear"), "int8", about="© drawn", metrics={"top1": 0.5})


def changed(**fields):
    """Return the JSON of CARD with some fields changed; None removes a field."""
    table = {**json.loads(CARD.to_json()), **fields}
    return json.dumps({name: value for name, value in table.items() if value is not None})


def test_a_card_survives_json():
    """A card that is written and read again is equal."""
    assert ModelCard.from_json(CARD.to_json(), "x") == CARD


def test_the_same_card_gives_the_same_text():
    """Keys are sorted, so equal cards have equal JSON."""
    text = CARD.to_json()
    assert list(json.loads(text)) == sorted(json.loads(text))
    assert "© drawn" in text


def test_unknown_fields_are_ignored():
    """A card with fields of a later version can be read; its new fields are ignored."""
    extended = changed(hue=1, input={**json.loads(CARD.to_json())["input"], "tint": 2})
    assert ModelCard.from_json(extended, "x") == CARD


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", r"^m\.onnx: its card is damaged .*export the model again$"),
        ("[]", r"^m\.onnx: its card is damaged"),
        ('{"version": "x"}', r"^m\.onnx: its card is damaged"),
        (changed(version=None), r"^m\.onnx: its card is damaged"),
        (changed(version=3), r"^m\.onnx: its card has version 3, this edgecls knows 2; update edgecls$"),
        (changed(labels=None), r"^m\.onnx: its card is incomplete .*labels.*export the model again$"),
        (changed(scheme=None), r"^m\.onnx: its card is incomplete .*scheme"),
        ('{"version": 1e999}', r"^m\.onnx: its card is damaged \(1e999 is beyond the range"),
        ('{"version": 1, "metrics": {"top1": NaN}}', r"^m\.onnx: its card is damaged \(NaN is not a JSON number\)"),
        (changed(metrics={"top1": 10**400}), r"^m\.onnx: its card is damaged \(metrics must be a table of numbers"),
        (
            changed(confidence={"temperature": 1e300}),
            r"^m\.onnx: its card is damaged \(confidence.temperature must be a number",
        ),
        (changed(labels=["a", "\ud800"]), r"^m\.onnx: a label must be a text on one line, the card has '\\ud800'$"),
        ("\0", r"^m\.onnx: its card is damaged"),
        (changed(version=0), r"^m\.onnx: its card is damaged \(version must be a whole number above 0, found '0'\)"),
        ("[" * 100_000, r"^m\.onnx: its card is damaged"),
        (
            "[" + "[]," * 3_000_000 + "[]]",
            r"^m\.onnx: its card is damaged \(it has 9,000,004 characters, expected at most 8,000,000\)",
        ),
        (changed(input=3), r"^m\.onnx: its card is damaged \(input must be a table, found '3'\); export the model again$"),
        (
            changed(input={"height": "24"}),
            r"^m\.onnx: its card is damaged \(input\.height must be a whole number, found '24'\)",
        ),
        (
            changed(input={"width": 24.5}),
            r"^m\.onnx: its card is damaged \(input\.width must be a whole number, found '24\.5'\)",
        ),
        (
            changed(input={"height": True}),
            r"^m\.onnx: its card is damaged \(input\.height must be a whole number, found 'True'\)",
        ),
        (changed(input={"height": -24}), r"^m\.onnx: input size must be 1 to 4096 pixels a side, not 32x-24$"),
        (changed(input={"color": ["rgb"]}), r"^m\.onnx: its card is damaged \(input\.color must be a text"),
        (changed(confidence=[]), r"^m\.onnx: its card is damaged \(confidence must be a table, found '\[\]'\)"),
        (changed(confidence={"temperature": "1"}), r"^m\.onnx: its card is damaged \(confidence\.temperature must be a number"),
        (changed(confidence={"temperature": float("nan")}), r"^m\.onnx: its card is damaged \(NaN is not a JSON number\)"),
        (changed(confidence={"temperature": 0}), r"^m\.onnx: confidence: expected temperatures above 0"),
        (changed(confidence={"reject_below": float("nan")}), r"^m\.onnx: its card is damaged \(NaN is not a JSON number\)"),
        (changed(confidence={"reject_below": -0.1}), r"^m\.onnx: confidence: expected temperatures above 0"),
        (changed(labels="ab"), r"^m\.onnx: its card is damaged \(labels must be a list of texts, found 'ab'\)"),
        (changed(labels=["a", 2]), r"^m\.onnx: its card is damaged \(labels must be a list of texts"),
        (changed(labels=["a", "b\nc"]), r"^m\.onnx: a label must be a text on one line, the card has 'b\\nc'$"),
        (changed(labels=["a", "\x1b[2J"]), r"^m\.onnx: a label must be a text on one line, the card has '\\x1b\[2J'$"),
        (changed(labels=["a", " "]), r"^m\.onnx: a label must be a text on one line, the card has ' '$"),
        (changed(metrics={"top1": "high"}), r"^m\.onnx: its card is damaged \(metrics must be a table of numbers"),
        (changed(metrics=[1]), r"^m\.onnx: its card is damaged \(metrics must be a table of numbers"),
        (changed(made_with={"keras": 3}), r"^m\.onnx: its card is damaged \(made_with must be a table of texts"),
        (changed(scheme=8), r"^m\.onnx: its card is damaged \(scheme must be a text, found '8'\)"),
        (changed(about={}), r"^m\.onnx: its card is damaged \(about must be a text"),
        (changed(labels=["a"]), r"^m\.onnx: a classifier needs at least 2 labels, the card has 1$"),
        (changed(labels=["a", "b", "a"]), r"^m\.onnx: labels must be unique, the card has 'a' twice$"),
        (changed(input={"color": "hsv"}), r"^m\.onnx: input color must be one of gray, rgb, bgr, not 'hsv'$"),
    ],
)
def test_what_is_no_card_is_refused(text, message):
    """Each kind of damage gives an error of one line with the file, what was found and what to do."""
    with pytest.raises(ModelError, match=message):
        ModelCard.from_json(text, "m.onnx")


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"fit": "squash"}, "input fit must be one of stretch, letterbox, center-crop, not 'squash'"),
        ({"interpolation": "cubic"}, "input interpolation must be one of area, linear, not 'cubic'"),
        ({"height": 0}, "input size must be 1 to 4096 pixels a side, not 32x0"),
        ({"width": 5000}, "input size must be 1 to 4096 pixels a side, not 5000x32"),
    ],
)
def test_an_input_that_no_function_can_make_is_refused(given, message):
    """The error lists the allowed values and the given one."""
    with pytest.raises(ModelError) as caught:
        InputSpec(**given)
    assert str(caught.value) == message


def test_gray_has_one_channel_and_colour_three():
    """The shape of an input is (height, width, channels)."""
    assert InputSpec(24, 48).shape == (24, 48, 1)
    assert InputSpec(24, 48, "rgb").shape == (24, 48, 3)
    assert InputSpec(24, 48, "bgr").shape == (24, 48, 3)
