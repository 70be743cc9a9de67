"""Tests of `edgecls eval`."""

from __future__ import annotations

import json

import onnxruntime
import pytest
from typer.testing import CliRunner

from edgecls.cli.entry import app
from edgecls.dataset import fingerprint, scan
from edgecls.model.confidence import Confidence
from tests import tiny
from tests.drawn import plant
from tests.report.made import Reader


def call(*arguments):
    """Run the command in this process."""
    return CliRunner().invoke(app, ["eval", *map(str, arguments)])


@pytest.fixture
def data(tmp_path):
    """Write pictures: dark of levels 0, 5 and 128; dim of 128; bright of 255."""
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
    """A row for each class, then accuracy and time; no colours in a pipe."""
    done = call(light_model, data)
    lines = done.stdout.splitlines()
    assert lines[0].split() == ["class", "pictures", "recall", "precision"]
    assert lines[1].split() == ["dark", "3", "66.67%", "100.00%"]
    assert "top1 80.00%" in done.stdout
    assert "5 pictures, 0 broken" in done.stdout
    assert "\x1b" not in done.stdout


@pytest.fixture
def careful_model(tmp_path):
    """Return the model of dark, dim and bright, for which a picture with a best score below 0.9 is unknown."""
    path = tmp_path / "careful.onnx"
    confidence = Confidence(temperature=1.0, reject_temperature=1.0, reject_below=0.9)
    path.write_bytes(tiny.light_model(confidence=confidence))
    return path


def test_the_share_of_unknown_is_measured(careful_model, data, tmp_path):
    """Level 64 is between dark and dim: one of six labelled pictures is unknown, and both foreign ones; none is an error."""
    plant(data / "dark" / "64.png", level=64)
    for i in range(2):
        plant(tmp_path / "strange" / "deep" / f"{i}.png", level=64)
    done = call(careful_model, data, "--unknown", tmp_path / "strange", "--json")
    assert done.exit_code == 0, done.output
    record = json.loads(done.stdout)
    assert record["coverage"] == round(5 / 6, 5)
    assert record["risk"] == 0.2
    assert record["foreign_unknown"] == 1
    assert record["risk_coverage"][-1][0] == 1
    text = call(careful_model, data, "--unknown", tmp_path / "strange").stdout
    assert "83.33% got a label, of which 20.00% are wrong; the rest is unknown" in text
    assert "100.00% of the pictures of other classes are unknown" in text
    (tmp_path / "empty").mkdir()
    nothing = call(careful_model, data, "--unknown", tmp_path / "empty")
    assert nothing.exit_code == 1
    assert "expected a folder of pictures of no class, found none" in nothing.stderr


def test_a_broken_picture_is_named_on_stderr_and_counted(light_model, data):
    """Stdout stays valid JSON; with --strict the exit code is 1."""
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
    """There is no silent fallback to the CPU: one line with the command that helps."""
    done = call(light_model, data, "--device", "cuda")
    assert done.exit_code == 1
    assert done.stdout == ""
    assert len(done.stderr.splitlines()) == 1
    assert "error: device cuda: the installed ONNX Runtime was built for" in done.stderr
    assert "pip install 'edgecls[gpu]', or use --device cpu" in done.stderr


def test_classes_that_the_model_does_not_have_are_refused(light_model, shapes):
    """The line names the first class and the model's labels."""
    done = call(light_model, shapes)
    assert done.exit_code == 1
    assert "class 'disc' is not a label of the model (dark, dim, bright)" in done.stderr


def test_a_part_that_is_not_there_is_refused(light_model, data):
    """With --split test for data without parts."""
    done = call(light_model, data, "--split", "test")
    assert done.exit_code == 1
    assert "has no pictures of the split 'test'" in done.stderr


def test_a_report_is_a_page_beside_the_numbers(light_model, data, tmp_path):
    """--report writes the page and says so on stderr; stdout is unchanged."""
    plain = call(light_model, data, "--json", "--device", "cpu")
    done = call(light_model, data, "--json", "--device", "cpu", "--report", tmp_path / "r.html")
    assert done.exit_code == 0, done.output
    assert {**json.loads(done.stdout), "ms": 0, "p99_ms": 0} == {**json.loads(plain.stdout), "ms": 0, "p99_ms": 0}
    assert done.stderr.splitlines()[-1] == f"{tmp_path / 'r.html'}: written"
    read = Reader((tmp_path / "r.html").read_text(encoding="utf-8"))
    assert f"light.onnx Measured on 5 pictures of {data}" in read.text
    assert "Top-1 80.00 % 4 of 5 right" in read.text
    assert "one picture on cpu" in read.text
    assert "dark/2.png" in read.text
    assert read.tags.count("img") == 1


def test_a_report_has_broken_and_foreign_pictures_and_the_ladder(light_model, data, tmp_path):
    """Broken pictures by name, the share of --unknown, and the ladder file beside the model."""
    (data / "dark" / "0.png").write_text("text")
    plant(tmp_path / "strange" / "0.png")
    model = tmp_path / "m.onnx"
    model.write_bytes(light_model.read_bytes())
    (tmp_path / "m.ladder.json").write_text(json.dumps({"chosen": "int8", "rungs": [{"name": "int8", "top1": 0.5}]}))
    call(model, data, "--unknown", tmp_path / "strange", "--report", tmp_path / "r.html")
    text = Reader((tmp_path / "r.html").read_text(encoding="utf-8")).text
    assert "1 more could not be read" in text
    assert "dark/0.png: not a picture that OpenCV can decode" in text
    assert "Of no class 0.0 %" in text
    assert "int8 taken 50.00 % yes" in text


def test_a_report_on_the_training_pictures_has_a_warning(data, tmp_path):
    """If the pictures are those on the card, the page warns that the numbers are too good."""
    learned, strange = tmp_path / "learned.onnx", tmp_path / "strange.onnx"
    learned.write_bytes(tiny.light_model(dataset=fingerprint(scan(data))))
    strange.write_bytes(tiny.light_model(dataset="sha256:0"))
    for model, said in ((learned, True), (strange, False)):
        call(model, data, "--report", tmp_path / "r.html")
        assert ("the numbers are too good" in (tmp_path / "r.html").read_text(encoding="utf-8")) is said


@pytest.mark.parametrize("name", ["r.txt", "none/r.html", "data"])
def test_a_report_that_cannot_be_written_stops_before_the_work(light_model, data, tmp_path, name):
    """Another ending, a missing folder, or a folder: one line, exit code 1, nothing on stdout."""
    done = call(light_model, data, "--report", tmp_path / name)
    assert done.exit_code == 1
    assert done.stdout == ""
    assert done.stderr.startswith(f"error: report {tmp_path / name}: ")
    assert len(done.stderr.splitlines()) == 1
