"""Tests of `edgecls info`."""

from __future__ import annotations

import dataclasses
import hashlib
import json

import onnx
from typer.testing import CliRunner

from edgecls.cli.entry import app
from edgecls.model.card import METADATA_KEY


def call(*arguments):
    """Run the command in this process."""
    return CliRunner().invoke(app, ["info", *map(str, arguments)])


def test_json_is_the_card_inside_the_file(exported):
    """Every field of the card in the file's metadata, with its name, size and hash."""
    path = exported["int8"].out
    record = json.loads(call(path, "--json").stdout)
    metadata = {entry.key: entry.value for entry in onnx.load(path).metadata_props}
    inside = json.loads(metadata[METADATA_KEY])
    assert {name: record[name] for name in inside} == inside
    assert inside == json.loads(json.dumps(dataclasses.asdict(exported["int8"].card)))
    content = path.read_bytes()
    assert record["sha256"] == hashlib.sha256(content).hexdigest()
    assert (record["bytes"], record["file"]) == (len(content), str(path))
    assert set(record) == {*inside, "file", "bytes", "sha256"}


def test_text_shows_the_card(exported):
    """Size, scheme, input, labels, accuracy and its data, data and its licence, versions."""
    text = call(exported["fp32"].out).stdout
    for part in (
        "fp32, 4 labels",
        "24x24 gray, fit stretch, area",
        "disc, ring, square, stripes",
        "top1 ",
        "on 32 held-out pictures",
        "drawn shapes",
        "sha256:",
        "keras ",
    ):
        assert part in text


def test_a_card_with_nothing_on_it_is_shown(light_model):
    """Without metrics, licence and data there are dashes."""
    lines = call(light_model).stdout.splitlines()
    assert "measured  - on -" in lines
    assert "about     -" in lines


def test_a_file_without_a_card_is_exit_code_1(tmp_path):
    """A text called .onnx is one line."""
    (tmp_path / "text.onnx").write_text("text")
    done = call(tmp_path / "text.onnx")
    assert done.exit_code == 1
    assert done.stderr.startswith("error: ")
    assert len(done.stderr.splitlines()) == 1
