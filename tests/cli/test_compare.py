"""Tests of `edgecls compare`."""

from __future__ import annotations

import json

import pytest
from typer.testing import CliRunner

from edgecls.cli.entry import app
from tests import tiny
from tests.drawn import plant


def call(*arguments):
    """Run the command in this process."""
    return CliRunner().invoke(app, ["compare", *map(str, arguments)])


@pytest.fixture
def files(tmp_path):
    """Return a good model, one that takes dark for dim, and five pictures of each class."""
    (tmp_path / "good.onnx").write_bytes(tiny.light_model())
    (tmp_path / "bad.onnx").write_bytes(tiny.light_model(labels=("dim", "dark", "bright")))
    for name, level in (("dark", 0), ("dim", 128), ("bright", 255)):
        for i in range(5):
            plant(tmp_path / "data" / name / f"{i}.png", level=level)
    return tmp_path / "good.onnx", tmp_path / "bad.onnx", tmp_path / "data"


def test_a_better_model_passes(files):
    """Exit code 0; tables of the numbers and the classes, then the verdict."""
    good, bad, data = files
    done = call(bad, good, data)
    assert done.exit_code == 0, done.output
    assert "good.onnx is better than bad.onnx" in done.stdout
    rows = [line.split() for line in done.stdout.splitlines()]
    assert ["bright", "5", "100.00%", "100.00%", "+0.00", "0", "0", "1"] in rows
    assert next(row for row in rows if row[:1] == ["top-1"])[1:5] == ["33.33%", "100.00%", "+66.67", "points"]


def test_a_worse_model_fails(files):
    """Exit code 1, and one line for each limit that it exceeds."""
    good, bad, data = files
    done = call(good, bad, data, "--class", "dark", "--max-drop", "1.5")
    assert done.exit_code == 1
    assert done.stderr.splitlines() == [
        "error: bad.onnx loses 66.67 points of top-1 and 66.67 points of macro recall, at most 1.5",
        "error: bad.onnx loses 100.00 points of the recall of dark, at most 1.5",
    ]


def test_json_is_one_object(files):
    """With what a script needs to decide, also when the new model fails."""
    good, bad, data = files
    done = call(good, bad, data, "--json")
    record = json.loads(done.stdout)
    assert (done.exit_code, record["passes"], record["fixed"], record["broken"]) == (1, False, 0, 10)
    assert record["old"]["top1"] == 1
    assert record["new"]["top1"] == pytest.approx(1 / 3, abs=1e-4)
    assert record["top1_change_95"][0] < record["top1_change"] < record["top1_change_95"][1] < 0
    assert {c["label"] for c in record["classes"]} == {"dark", "dim", "bright"}


def test_the_page_is_written_for_a_model_that_fails_too(files, tmp_path):
    """A place that is no .html file is refused before anything is measured."""
    good, bad, data = files
    assert call(good, bad, data, "--report", tmp_path / "page.html").exit_code == 1
    assert "bad.onnx against good.onnx" in (tmp_path / "page.html").read_text()
    done = call(good, bad, data, "--report", tmp_path / "page.txt")
    assert "expected a file name that ends in .html" in done.stderr
