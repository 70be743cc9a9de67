"""Tests of `edgecls export`."""

from __future__ import annotations

import json

import pytest
from typer.testing import CliRunner

from edgecls import Classifier
from edgecls.cli.entry import app
from edgecls.model import cpu


def call(*arguments):
    """Run the command in this process."""
    return CliRunner().invoke(app, ["export", *map(str, arguments)])


def test_a_run_is_exported_to_a_file(edgecls, trained, tmp_path):
    """Exit code 0, a table with the three forms on stdout, two messages on stderr, and a file that loads."""
    done = edgecls("export", trained.out, "--out", "m.onnx", "--scheme", "int8", "--max-drop", 10)
    assert done.returncode == 0, done.stderr
    assert [line.split()[0] for line in done.stdout.splitlines()] == ["form", "keras", "fp32", "int8"]
    warning, written = done.stderr.splitlines()
    assert warning.startswith("warning: 32 held-out pictures are too few to calibrate the scores")
    assert written.startswith("m.onnx: written as int8; accuracy on 32 held-out pictures; largest difference to Keras ")
    assert written.endswith(" at temperature 1")
    assert Classifier.load(tmp_path / "m.onnx").card.scheme == "int8"


def test_json_has_parity_and_forms(trained, tmp_path):
    """One object on one line: the file, the data, the difference to Keras, and each form."""
    done = call(trained.out, "--out", tmp_path / "m.onnx", "--scheme", "fp32", "--json")
    assert done.exit_code == 0, done.output
    record = json.loads(done.stdout)
    assert set(record) == {"out", "measured_on", "parity", "forms", "ladder"}
    assert set(record["parity"]) == {"largest_difference", "mean_difference", "agreement", "top1_drop", "macro_recall_drop"}
    assert [form["name"] for form in record["forms"]] == ["keras", "fp32"]
    assert set(record["forms"][0]) == {"name", "top1", "macro_recall", "bytes", "us"}
    assert record["ladder"]["chosen"] == "fp32"


@pytest.mark.parametrize(
    ("out", "options", "message"),
    [
        ("file/m.onnx", (), "file is no folder"),
        ("m.bin", (), "m.bin: expected a file name that ends in .onnx"),
        ("m.onnx", ("--scheme", "int4"), "scheme 'int4' is not known; expected auto or one of fp32, fp16, int8"),
        ("m.onnx", ("--calibration", "none"), "none: no such file or folder"),
        ("m.onnx", ("--test", "none"), "none: no such file or folder"),
    ],
)
def test_an_impossible_export_is_one_line_and_exit_code_1(trained, tmp_path, out, options, message):
    """A folder that is a file, another ending, an unknown scheme, missing data: no file is written."""
    (tmp_path / "file").touch()
    done = call(trained.out, "--out", tmp_path / out, *options)
    assert done.exit_code == 1
    assert len(done.stderr.splitlines()) == 1
    assert message in done.stderr
    assert not list(tmp_path.glob("*.onnx"))


def test_a_folder_without_a_run_is_refused(tmp_path):
    """The line says what is missing and which command creates it."""
    done = call(tmp_path, "--out", tmp_path / "m.onnx")
    assert done.exit_code == 1
    assert "missing: best.keras, card.json, config.toml; make one with: edgecls train" in done.stderr


def test_wrong_usage_is_exit_code_2(trained):
    """Without --out, or with a negative --max-drop."""
    assert call(trained.out).exit_code == 2
    assert call(trained.out, "--out", "m.onnx", "--max-drop", -1).exit_code == 2


def test_auto_is_the_default(trained, tmp_path):
    """All forms are in the table, progress and the reason for the choice on stderr, and the ladder beside the file."""
    done = call(trained.out, "--out", tmp_path / "m.onnx", "--max-drop", 10)
    assert done.exit_code == 0, done.output
    first = [line.split()[0] for line in done.stdout.splitlines()]
    assert first[:7] == ["form", "keras", "fp32", "fp16", "int8", "int8-tensor", "int8-percentile"]
    assert "int8-percentile: " in done.stderr
    assert "m.onnx: written as " in done.stderr
    assert ", the fastest that passes (of equally fast ones the smallest, then the closest to fp32); " in done.stderr
    assert {path.name for path in tmp_path.iterdir()} == {"m.onnx", "m.ladder.json", "m.ladder.svg"}


@pytest.mark.parametrize("as_json", [False, True])
def test_a_gate_that_none_passes_shows_the_table(trained, tmp_path, as_json):
    """Exit code 1, the table with reasons (or the ladder as JSON) on stdout, one error line, and no file."""
    options = ["--scheme", "fp16", "--max-bytes", 1000, *(["--json"] if as_json else [])]
    done = call(trained.out, "--out", tmp_path / "m.onnx", *options)
    assert done.exit_code == 1
    assert done.stderr.splitlines()[-1].startswith(f"error: {tmp_path / 'm.onnx'}: fp16 has ")
    assert list(tmp_path.iterdir()) == []
    if as_json:
        record = json.loads(done.stdout)
        assert record["out"] is None
        assert record["ladder"]["chosen"] is None
    else:
        lines = done.stdout.splitlines()
        assert [line.split()[0] for line in lines] == ["form", "keras", "fp32", "fp16", "fp16:"]
        assert lines[-1].endswith("bytes, at most 1,000")


def test_times_of_another_processor_are_named(trained, tmp_path):
    """Below the table of an export for ARM on another processor, and vice versa."""
    here = cpu.this()
    target = "x86" if here.kind == "arm" else "arm"
    done = call(trained.out, "--out", tmp_path / "m.onnx", "--target", target, "--scheme", "fp16")
    assert done.exit_code == 0, done.output
    assert done.stdout.splitlines()[-1] == (
        f"times were measured on {here.name}, not on {target}, so the smallest was chosen, not the fastest"
    )
