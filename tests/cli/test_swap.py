"""Tests of `edgecls swap`: a model is put in place and taken back, or refused."""

from __future__ import annotations

import pytest
from typer.testing import CliRunner

from edgecls.cli.entry import app
from edgecls.export.convert import stamp
from edgecls.input_spec import InputSpec
from edgecls.model.card import ModelCard
from tests import tiny

SPEC = InputSpec(height=8, width=8)


def call(*arguments):
    """Run the command in this process."""
    return CliRunner().invoke(app, ["swap", *map(str, arguments)])


def light(note, *labels):
    """The bytes of a model with another note each."""
    card = ModelCard(labels or tiny.LIGHT_LABELS, SPEC, "fp32", made_with={"note": note})
    return stamp(tiny.light_graph(SPEC, len(labels) or 3), card)


@pytest.fixture
def place(tmp_path):
    """A folder with a configuration, its model, and a new one. A rule names a label of the model."""
    (tmp_path / "light.onnx").write_bytes(light("old"))
    (tmp_path / "new.onnx").write_bytes(light("new"))
    (tmp_path / "cameras.toml").write_text(
        f'model = "{tmp_path}/light.onnx"\n[[camera]]\nname = "gate"\nsource = 0\n'
        '[[camera.zone]]\nname = "bar"\narea = [0.1, 0.1, 0.5, 0.5]\nstate = { labels = ["dark"] }\n'
    )
    return tmp_path


def test_a_model_is_put_in_place_and_taken_back(place):
    """The one before is kept beside it, and so is the one that was taken back."""
    old, new = (place / "light.onnx").read_bytes(), (place / "new.onnx").read_bytes()
    done = call("--config", place / "cameras.toml", place / "new.onnx")
    assert (done.exit_code, "is in place; the model before is kept as" in done.stderr) == (0, True), done.output
    assert (place / "light.onnx").read_bytes() == new
    assert (place / "light.previous.onnx").read_bytes() == old
    done = call("--config", place / "cameras.toml", "--back")
    assert (done.exit_code, "the last good model is in place again" in done.stderr) == (0, True), done.output
    assert (place / "light.onnx").read_bytes() == old
    assert (place / "light.rejected.onnx").read_bytes() == new


def test_other_labels_are_said(place):
    """A model that fits the rules and has another label is put in place; a line says what differs."""
    (place / "other.onnx").write_bytes(light("other", "dark", "dim", "glaring"))
    done = call("--config", place / "cameras.toml", place / "other.onnx")
    assert done.exit_code == 0, done.output
    assert "has other labels; it lacks: bright; new in it: glaring" in done.stderr
    done = call("--config", place / "cameras.toml", place / "new.onnx")
    assert "new in it: bright" in done.stderr
    (place / "third.onnx").write_bytes(light("third"))
    assert "note:" not in call("--config", place / "cameras.toml", place / "third.onnx").stderr


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        ((), 2, "expected either NEW.onnx or --back"),
        (("new.onnx", "--back"), 2, "expected either NEW.onnx or --back"),
        (("nothing.onnx",), 1, "nothing.onnx"),
        (("broken.onnx",), 1, "broken.onnx"),
        (("other.onnx",), 1, "dark"),
        (("--back",), 1, "previous"),
    ],
)
def test_a_model_that_cannot_be_used_is_refused(place, monkeypatch, arguments, code, message):
    """In one line, and the model in place stays: missing, damaged, one without a label of the rules, none to take back."""
    monkeypatch.chdir(place)
    (place / "broken.onnx").write_bytes((place / "new.onnx").read_bytes()[:500])
    (place / "other.onnx").write_bytes(light("other", "black", "dim", "bright"))
    before = (place / "light.onnx").read_bytes()
    done = call("--config", "cameras.toml", *arguments)
    assert done.exit_code == code, done.output
    assert message in done.stderr
    assert (place / "light.onnx").read_bytes() == before
