"""Tests of golden pictures: a model file that checks its own results."""

from __future__ import annotations

import base64
import json

import numpy as np
import onnx
import pytest
from typer.testing import CliRunner

from edgecls import Classifier, ConfigError, InputSpec, ModelCard, ModelError
from edgecls.cli.entry import app
from edgecls.export.convert import stamp
from edgecls.image import encode_png
from edgecls.model import golden
from edgecls.model.golden import GOLDEN_KEY, MAX_BYTES, MAX_PICTURES, Golden
from tests import tiny
from tests.drawn import gray_levels, write_video

SPEC = InputSpec(8, 8)
PICTURES = np.repeat(np.array([0, 100, 255], np.uint8), 64).reshape(3, 8, 8, 1)


def answers(batch: np.ndarray) -> np.ndarray:
    """Return the probabilities of the light model."""
    return Classifier.from_bytes(tiny.light_model(), "light").probabilities(batch)


def model(*, off_by: float = 0.0, bound: float = 0.01) -> bytes:
    """Return a model file whose golden results differ from its own by `off_by`."""
    kept = Golden(PICTURES, answers(PICTURES) + np.float32(off_by), bound)
    return stamp(tiny.light_graph(), ModelCard(tiny.LIGHT_LABELS, SPEC, "int8", made_with={"onnxruntime": "1.2.3"}), kept)


def test_a_file_that_says_what_it_said_is_loaded(recwarn):
    """A difference up to the bound is accepted."""
    assert Classifier.from_bytes(model(), "m.onnx").card.scheme == "int8"
    assert Classifier.from_bytes(model(off_by=0.009), "m.onnx")
    assert not recwarn.list


def test_a_file_that_says_something_else_is_refused():
    """The error is one line: the difference, the bound, the device, the versions, and what to do."""
    with pytest.raises(ModelError) as caught:
        Classifier.from_bytes(model(off_by=0.25), "m.onnx", device="cpu")
    text = str(caught.value)
    assert text.startswith("m.onnx: gives other answers here than where it was exported: a probability of its golden pictures ")
    assert "differs by 0.25 (at most 0.01), on cpu with ONNX Runtime " in text
    assert "(exported with 1.2.3); use another `device`" in text
    assert "\n" not in text


def test_who_wants_it_all_the_same_is_warned_or_left_alone(recwarn):
    """`on_mismatch` warns or ignores; another value is rejected."""
    with pytest.warns(RuntimeWarning, match="gives other answers here"):
        Classifier.from_bytes(model(off_by=0.25), "m.onnx", on_mismatch="warn")
    Classifier.from_bytes(model(off_by=0.25), "m.onnx", on_mismatch="ignore")
    assert not recwarn.list
    with pytest.raises(ConfigError, match="expected stop, warn, ignore"):
        Classifier.from_bytes(model(), "m.onnx", on_mismatch="cry")


def test_answers_that_are_no_numbers_are_refused():
    """NaN exceeds every bound."""
    kept = Golden(PICTURES, answers(PICTURES), 1.0)
    assert kept.difference(lambda batch: np.full((len(batch), 3), np.nan, np.float32)) == float("inf")
    assert kept.difference(lambda batch: np.zeros((len(batch), 4), np.float32)) == float("inf")


@pytest.mark.parametrize("color", ["gray", "rgb"])
def test_it_travels_as_text(color):
    """Every level and channel is unchanged after writing and reading."""
    spec = InputSpec(6, 9, color)
    pictures = np.random.default_rng(0).integers(0, 256, (4, *spec.shape), np.uint8)
    before = Golden(pictures, np.random.default_rng(1).random((4, 5), np.float32), 0.02)
    after = Golden.from_json(before.to_json(), spec, 5, "m.onnx")
    assert (after.pictures == pictures).all()
    assert after.probabilities == pytest.approx(before.probabilities, abs=1e-6)
    assert after.bound == 0.02


@pytest.mark.parametrize(
    "change",
    [
        lambda record: record.pop("bound"),
        lambda record: record.update(bound="wide"),
        lambda record: record["pictures"].append("!"),
        lambda record: record["pictures"].append(""),
        lambda record: record["pictures"].pop(),
        lambda record: record["probabilities"][0].pop(),
        lambda record: record.update(pictures=[]),
        lambda record: record.update(pictures=record["pictures"] * 3),
        lambda record: record.update(pictures=3),
        lambda record: record.update(bound=float("nan")),
        lambda record: record.update(bound=float("inf")),
        lambda record: record.update(bound=-1),
        lambda record: record["probabilities"][0].__setitem__(0, float("nan")),
    ],
)
def test_what_was_changed_by_hand_is_one_line(change):
    """Missing, truncated or wrongly shaped golden pictures: the error names the file and what to do."""
    record = json.loads(Golden(PICTURES, answers(PICTURES), 0.01).to_json())
    change(record)
    proto = onnx.load_from_string(model())
    next(entry for entry in proto.metadata_props if entry.key == GOLDEN_KEY).value = json.dumps(record)
    with pytest.raises(ModelError, match=r"^m\.onnx: its golden pictures are damaged \(.*\); export the model again$"):
        Classifier.from_bytes(proto.SerializeToString(), "m.onnx")


def test_a_picture_larger_than_the_models_is_not_unpacked(monkeypatch):
    """A small PNG can expand to a gigabyte, so the size in its header is checked first."""
    record = json.loads(Golden(PICTURES, answers(PICTURES), 0.01).to_json())
    record["pictures"][1] = base64.b64encode(encode_png(np.zeros((3000, 3000), np.uint8))).decode()
    monkeypatch.setattr("edgecls.image.decode_as_stored", None)
    with pytest.raises(
        ModelError, match=r"m: its golden pictures are damaged \(expected PNG pictures of 8x8, found 3000x3000\)"
    ):
        Golden.from_json(json.dumps(record), SPEC, 3, "m")


def test_pictures_of_many_classes_are_kept_and_not_many():
    """One picture each of the first eight classes, fewer large ones, at least one; the bound is twice the difference."""
    rng = np.random.default_rng(0)
    small = rng.integers(0, 256, (40, 8, 8, 1), np.uint8)
    kept = golden.make(
        small, np.arange(40) // 2, lambda b: np.zeros((len(b), 2)), lambda b: np.full((len(b), 2), 0.03), scheme="int8"
    )
    assert (kept.pictures == small[0 : 2 * MAX_PICTURES : 2]).all()
    assert kept.bound == pytest.approx(0.06)
    large = rng.integers(0, 256, (3, 300, 300, 3), np.uint8)
    kept = golden.make(large, np.arange(3), lambda b: np.zeros((len(b), 2)), lambda b: np.zeros((len(b), 2)), scheme="fp32")
    assert len(kept.pictures) == 1
    assert large[0].nbytes > MAX_BYTES
    assert kept.bound == golden.SMALLEST_BOUNDS["fp32"]


def test_an_exported_file_carries_them(exported):
    """Every scheme has golden pictures; they reveal a changed bias."""
    for scheme, report in exported.items():
        proto = onnx.load(report.out)
        held = {entry.key: entry.value for entry in proto.metadata_props}
        kept = Golden.from_json(held[GOLDEN_KEY], report.card.input, 4, "m.onnx")
        assert len(kept.pictures) == 4, scheme
        assert golden.SMALLEST_BOUNDS[scheme] <= kept.bound < 0.2
    proto = onnx.load(exported["fp32"].out)
    for weight in proto.graph.initializer:
        if list(weight.dims) == [4] and weight.data_type == onnx.TensorProto.FLOAT:
            changed = onnx.numpy_helper.to_array(weight) + np.float32([2, 0, 0, 0])
            weight.CopyFrom(onnx.numpy_helper.from_array(changed, weight.name))
    with pytest.raises(ModelError, match="gives other answers here"):
        Classifier.from_bytes(proto.SerializeToString(), "m.onnx")


def test_the_command_line_stops_or_warns(tmp_path):
    """The command exits with 1 and one line; with --on-mismatch warn the line is a warning and the run continues."""
    (tmp_path / "m.onnx").write_bytes(model(off_by=0.25))
    clip = write_video(tmp_path / "v.avi", gray_levels([0, 255]))
    command = ["run", "-m", str(tmp_path / "m.onnx"), "-s", str(clip), "--device", "cpu"]
    stopped = CliRunner().invoke(app, command)
    assert (stopped.exit_code, stopped.stdout) == (1, "")
    assert stopped.stderr.startswith("error: ")
    warned = CliRunner().invoke(app, [*command, "--on-mismatch", "warn"])
    assert warned.exit_code == 0
    assert warned.stderr.startswith(f"warning: {tmp_path / 'm.onnx'}: gives other answers here")
    assert len(warned.stdout.splitlines()) == 2


def test_a_text_of_golden_pictures_that_is_too_long_is_refused():
    """Before it takes the memory of its values."""
    with pytest.raises(ModelError, match=r"^m: its golden pictures are damaged \(it has 8,000,001 characters"):
        Golden.from_json(" " * 8_000_001, SPEC, 3, "m")
