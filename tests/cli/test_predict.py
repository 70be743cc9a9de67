"""Tests of `edgecls predict`."""

from __future__ import annotations

import json

import pytest
from typer.testing import CliRunner

from edgecls.cli.entry import app
from edgecls.model.confidence import Confidence
from tests import tiny
from tests.drawn import plant


def call(*arguments):
    """Run the command in this process."""
    return CliRunner().invoke(app, ["predict", *map(str, arguments)])


def test_a_line_for_each_picture(light_model, tmp_path):
    """Black is dark, white is bright: the path, then labels with shares, best first."""
    black, white = plant(tmp_path / "black.png"), plant(tmp_path / "white.png", level=255)
    done = call(light_model, black, white, "--top", 2)
    assert done.exit_code == 0, done.output
    first, second = done.stdout.splitlines()
    assert first == f"{black}: dark 100.0%, dim 0.0%"
    assert second.startswith(f"{white}: bright 100.0%, dim")


def test_a_picture_of_no_class_is_unknown_in_words_too(tmp_path):
    """Level 64 lies between dark and dim: the nearest labels are not given as if they were its own."""
    confidence = Confidence(temperature=1.0, reject_temperature=1.0, reject_below=0.9)
    (tmp_path / "careful.onnx").write_bytes(tiny.light_model(confidence=confidence))
    gray = plant(tmp_path / "gray.png", level=64)
    done = call(tmp_path / "careful.onnx", gray, "--top", 1)
    assert done.stdout.startswith(f"{gray}: unknown (nearest: d")


def test_json_is_one_object_a_picture(light_model, tmp_path):
    """It has file, label, score and the top labels as pairs."""
    black = plant(tmp_path / "black.png")
    record = json.loads(call(light_model, black, "--json", "--top", 1).stdout)
    assert set(record) == {"file", "label", "score", "top"}
    assert (record["file"], record["label"]) == (str(black), "dark")
    assert record["top"] == [["dark", record["score"]]]
    assert record["score"] == pytest.approx(1, abs=1e-4)


def test_a_broken_picture_among_good_ones(light_model, tmp_path):
    """The good ones are classified, the broken one is named on stderr, and the exit code is 1."""
    good, cut = plant(tmp_path / "good.png"), plant(tmp_path / "cut.jpg", size_hw=(64, 64))
    cut.write_bytes(cut.read_bytes()[:-10])
    done = call(light_model, cut, good, tmp_path / "none.png")
    assert done.exit_code == 1
    assert [line.split(":")[0] for line in done.stdout.splitlines()] == [str(good)]
    assert f"left out: {cut}: the JPEG is cut off after" in done.stderr
    assert "none.png: cannot be read (No such file or directory)" in done.stderr
    assert done.stderr.splitlines()[-1] == "error: 2 of 3 pictures could not be read; see above"


def test_a_folder_is_no_picture(light_model, tmp_path):
    """The line says how to give what is in it."""
    done = call(light_model, tmp_path)
    assert done.stderr.splitlines()[0] == f"left out: {tmp_path}: a folder; give its pictures: {tmp_path}/*"


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("none.onnx", None, "none.onnx: the model cannot be read (No such file or directory)"),
        ("text.onnx", b"text", "text.onnx: expected an .onnx file, found another format"),
        ("foreign.onnx", tiny.light_graph().SerializeToString(),
         "an edgecls card, found none in its metadata (empty); make one with: edgecls export"),
        ("labels.onnx", tiny.light_model(labels=("dark", "bright")),
         "the card has 2 labels, the graph gives probabilities ['N', 3]"),
    ],
)  # fmt: skip
def test_a_bad_model_is_one_line_and_exit_code_1(tmp_path, name, content, message):
    """Missing, a text, without a card, or with the wrong number of labels."""
    if content is not None:
        (tmp_path / name).write_bytes(content)
    done = call(tmp_path / name, plant(tmp_path / "a.png"))
    assert done.exit_code == 1
    assert done.stdout == ""
    assert len(done.stderr.splitlines()) == 1
    assert message in done.stderr


def test_wrong_usage_is_exit_code_2(light_model):
    """Without a picture, or with --top 0."""
    assert call(light_model).exit_code == 2
    assert call(light_model, "x.png", "--top", 0).exit_code == 2
