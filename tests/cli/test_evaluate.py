"""`edgecls eval`."""

from __future__ import annotations

import json

import onnxruntime
import pytest
from typer.testing import CliRunner

from edgecls.cli import app
from tests.drawn import plant


def call(*arguments):
    """Run the command in this process."""
    return CliRunner().invoke(app, ["eval", *map(str, arguments)])


@pytest.fixture
def data(tmp_path):
    """dark: levels 0, 5 and 128; dim: 128; bright: 255."""
    for name, levels in (("dark", (0, 5, 128)), ("dim", (128,)), ("bright", (255,))):
        for i, level in enumerate(levels):
            plant(tmp_path / "data" / name / f"{i}.png", level=level)
    return tmp_path / "data"


def test_json_is_one_object_with_the_promised_keys(light_model, data):
    """top1 4/5, macro recall 8/9; recall and precision of each class; milliseconds and device."""
    done = call(light_model, data, "--json", "--device", "cpu")
    assert done.exit_code == 0, done.output
    record = json.loads(done.stdout)
    assert record["top1"] == 0.8
    assert record["macro_recall"] == pytest.approx(8 / 9, abs=1e-5)
    assert (record["pictures"], record["broken"], record["device"]) == (5, 0, "cpu")
    assert record["classes"][0] == {"label": "dark", "pictures": 3, "recall": 0.66667, "precision": 1.0}
    assert {"ms", "p99_ms", "worst_recall", "calibration_error"} <= set(record)


def test_text_is_a_table_and_a_summary(light_model, data):
    """A row for each class, then accuracy and time; a pipe gets no colours."""
    done = call(light_model, data)
    lines = done.stdout.splitlines()
    assert lines[0].split() == ["class", "pictures", "recall", "precision"]
    assert lines[1].split() == ["dark", "3", "66.67%", "100.00%"]
    assert "top1 80.00%" in done.stdout
    assert "5 pictures, 0 broken" in done.stdout
    assert "\x1b" not in done.stdout


def test_a_broken_picture_is_named_on_stderr_and_counted(light_model, data):
    """Stdout stays JSON; with --strict it is exit code 1."""
    (data / "dark" / "0.png").write_text("text")
    done = call(light_model, data, "--json")
    assert json.loads(done.stdout)["broken"] == 1
    assert "left out: " in done.stderr
    assert "dark/0.png" in done.stderr
    strict = call(light_model, data, "--strict")
    assert strict.exit_code == 1
    assert strict.stdout == ""


@pytest.mark.skipif(
    "CUDAExecutionProvider" in onnxruntime.get_available_providers(), reason="this machine's ONNX Runtime has CUDA"
)
def test_cuda_that_is_not_there_is_exit_code_1_with_a_hint(light_model, data):
    """No silent fallback to the CPU: one line with the command that helps."""
    done = call(light_model, data, "--device", "cuda")
    assert done.exit_code == 1
    assert done.stdout == ""
    assert len(done.stderr.splitlines()) == 1
    assert "error: device cuda: the installed ONNX Runtime was built for" in done.stderr
    assert "pip install 'edgecls[gpu]', or take --device cpu" in done.stderr


def test_classes_that_the_model_does_not_have_are_refused(light_model, shapes):
    """The line names the first class and the model's labels."""
    done = call(light_model, shapes)
    assert done.exit_code == 1
    assert "class 'disc' is not a label of the model (dark, dim, bright, ...)" in done.stderr


def test_a_part_that_is_not_there_is_refused(light_model, data):
    """--split test on data without parts."""
    done = call(light_model, data, "--split", "test")
    assert done.exit_code == 1
    assert "has no pictures of the split 'test'" in done.stderr
