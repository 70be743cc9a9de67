"""Tests of `edgecls adopt`."""

from __future__ import annotations

import json

import pytest
from typer.testing import CliRunner

from edgecls import Classifier
from edgecls.cli.entry import app
from tests import foreign


@pytest.fixture
def world(tmp_path):
    """Create a folder with foreign.onnx, labels.txt and pictures/."""
    foreign.write(tmp_path / "foreign.onnx")
    (tmp_path / "labels.txt").write_text("\n".join(foreign.LABELS))
    foreign.write_pictures(tmp_path / "pictures", count=20)
    return tmp_path


def call(world, *arguments):
    """Run the command on the foreign file in this process."""
    command = ["adopt", str(world / "foreign.onnx"), "--out", str(world / "m.onnx"), *map(str, arguments)]
    return CliRunner().invoke(app, command)


def test_a_file_becomes_one_that_runs_like_our_own(edgecls, world):
    """Adopted in int8, it works with predict and eval: the table on stdout, messages on stderr, correct labels."""
    done = edgecls(
        "adopt", "foreign.onnx", "--out", "m.onnx", "--labels", "labels.txt", "--values", "0..1", "--check", "pictures",
        "--scheme", "int8", "--calibration", "pictures", "--about", "drawn colors",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    rows = [line.rsplit(maxsplit=1) for line in done.stdout.splitlines()]
    assert rows[:2] == [["fed with", "top1"], ["rgb, 0..1", "100.00%"]]
    assert len(rows) == 9
    read, taken, written = done.stderr.splitlines()
    assert read == "foreign.onnx: ONNX opset 18 by tests"
    assert taken.startswith(
        "taken: rgb, 0..1, 8x8, nchw, gives logits, softmax put behind; pictures are fitted by stretch, area"
    )
    assert written.startswith("m.onnx: written, int8, 4 labels; accuracy 100.00% on 80 check pictures (sha256:")
    assert written.endswith(", the same label on 100.00%")
    predicted = edgecls("predict", "m.onnx", world / "pictures" / "green" / "003.png", "--json")
    assert json.loads(predicted.stdout)["label"] == "green"
    measured = edgecls("eval", "m.onnx", "pictures", "--json")
    assert json.loads(measured.stdout)["top1"] == 1
    assert Classifier.load(world / "m.onnx").card.about == "drawn colors"
    ran = edgecls("run", "--model", "m.onnx", "--source", world / "pictures" / "blue")
    assert [json.loads(line)["label"] for line in ran.stdout.splitlines()] == ["blue"] * 20


def test_json_has_all_of_it(world):
    """One object on stdout: the input, the preprocessing, every one that was tried, the metrics and the origin."""
    done = call(world, "--labels", world / "labels.txt", "--check", world / "pictures", "--json")
    assert done.exit_code == 0, done.output
    record = json.loads(done.stdout)
    assert record["feed"] == {"color": "rgb", "values": "0..1"}
    assert record["input"]["color"] == "rgb"
    assert record["tried"][0] == {"color": "rgb", "values": "0..1", "top1": 1.0}
    assert len(record["tried"]) == 8
    assert record["metrics"]["top1"] == 1
    assert record["largest_difference"] < 1e-6
    assert record["made_with"]["adopted_from"] == "foreign.onnx"
    assert "fed with" in done.stderr


def test_missing_information_is_one_line_and_exit_code_1(world):
    """The line names the options."""
    done = call(world)
    assert done.exit_code == 1
    assert len(done.stderr.splitlines()) == 1
    assert "--labels FILE (4 labels, one per line; or numbers); --color rgb|bgr; --values 0..1|" in done.stderr
    assert not (world / "m.onnx").exists()


def test_wrong_preprocessing_is_exit_code_1_with_the_table(world):
    """The table is printed, and the line says what fits; with --force the file is written anyway."""
    said = ("--labels", world / "labels.txt", "--color", "rgb", "--values", "-1..1", "--check", world / "pictures")
    done = call(world, *said)
    assert done.exit_code == 1
    assert done.stdout.splitlines()[1].split() == ["rgb,", "0..1", "100.00%"]
    assert "rgb, 0..1 (100.0%) fits clearly better than rgb, -1..1 (" in done.stderr.splitlines()[-1]
    assert not (world / "m.onnx").exists()
    assert call(world, *said, "--force").exit_code == 0


def test_the_options_reach_the_model(world):
    """--mean and --std, --fit, --interpolation, --layout, --size and --output-name reach the card and the graph."""
    foreign.write(world / "foreign.onnx", unit=4, center=(0.5, 0.4, 0.3), side="S", ending="Softmax")
    done = call(
        world, "--labels", "numbers", "--color", "rgb", "--values", "0..1", "--mean", "0.5,0.4,0.3", "--std", "0.25",
        "--size", "12x10", "--layout", "nchw", "--fit", "letterbox", "--interpolation", "linear", "--output", "probabilities",
        "--output-name", "y",
    )  # fmt: skip
    assert done.exit_code == 0, done.output
    card = Classifier.load(world / "m.onnx").card
    assert (card.input.height, card.input.width, card.input.fit, card.input.interpolation) == (10, 12, "letterbox", "linear")
    assert card.made_with["adopted_as"] == "rgb, 0..1, mean 0.5,0.4,0.3, std 0.25; nchw; gives probabilities"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--size", "big"), "--size big: expected a number of pixels such as 224, or WIDTHxHEIGHT such as 48x32"),
        (("--mean", "a,b"), "--mean a,b: expected one number, or three separated by commas"),
        (("--color", "yuv"), "--color yuv: expected one of gray, rgb, bgr"),
        (("--scheme", "int8"), "--calibration DATA (pictures to calibrate --scheme int8 with)"),
        (("--scheme", "int4"), "scheme 'int4' is not known; expected auto or one of fp32, fp16, int8, int8-tensor, "),
        (("--labels", "none.txt", "--color", "rgb", "--values", "0..1"), "none.txt: cannot be read"),
        (("--labels", "numbers", "--check", "none"), "none: no such file or folder"),
    ],
)
def test_an_invalid_option_is_one_line_and_exit_code_1(world, options, message):
    """The line names the option and what is expected."""
    done = call(world, *options)
    assert done.exit_code == 1
    assert message in done.stderr.splitlines()[-1]
    assert not (world / "m.onnx").exists()


def test_a_file_that_is_no_model_is_one_line(world):
    """A text, and a missing file."""
    (world / "foreign.onnx").write_text("text")
    assert "expected an .onnx file, found another format" in call(world).stderr
    (world / "foreign.onnx").unlink()
    assert "the model cannot be read (No such file or directory)" in call(world).stderr


def test_out_must_be_an_onnx_file(world):
    """As for every command that writes a model."""
    command = ["adopt", str(world / "foreign.onnx"), "--out", str(world / "m.bin")]
    done = CliRunner().invoke(app, command)
    assert (done.exit_code, "expected a file name that ends in .onnx" in done.stderr) == (1, True)
