"""Two models on the same pictures: which of them is right where, and what the new one loses."""

from __future__ import annotations

import hashlib
import json

import cv2
import numpy as np
import pytest

import edgecls
from edgecls.compare.held_out import keys_of, read_held_out, unseen
from edgecls.dataset import scan
from edgecls.errors import ConfigError, DataError
from edgecls.export.convert import stamp
from edgecls.input_spec import InputSpec
from edgecls.model.card import ModelCard
from edgecls.model.confidence import Confidence
from edgecls.report.comparison import comparison_html
from tests import tiny
from tests.drawn import plant
from tests.report.made import Reader


@pytest.fixture
def data(tmp_path):
    """Ten pictures of each class: of level 0, 128 and 255."""
    for name, level in (("dark", 0), ("dim", 128), ("bright", 255)):
        for i in range(10):
            plant(tmp_path / "data" / name / f"{i}.png", level=level)
    return tmp_path / "data"


@pytest.fixture
def model(tmp_path):
    """Write models: `model("name.onnx", labels)` is the light model with other labels."""

    def write(name, labels=tiny.LIGHT_LABELS, spec=None, **card):
        spec = spec or InputSpec(height=8, width=8)
        graph = tiny.light_graph(spec, len(labels))
        (tmp_path / name).write_bytes(stamp(graph, ModelCard(tuple(labels), spec, "fp32", **card)))
        return tmp_path / name

    return write


def test_equal_models_are_as_good_as_each_other(model, data):
    """Other input, same answers: nothing differs, p is 1, and the new one may replace the old one."""
    found = edgecls.compare_models(
        model("old.onnx"), model("new.onnx", spec=InputSpec(height=12, width=6)), data, device="cpu", say=lambda _: None
    )
    assert (found.fixed, found.broken, found.p) == (0, 0, 1)
    assert found.failures(0) == ()
    assert found.verdict.startswith("new.onnx is as good as old.onnx")


def test_a_class_that_is_lost_is_named_first_and_proved(model, data):
    """The new model takes dark for dim and the other way round: 20 of 30 are lost, ten in each of two classes."""
    found = edgecls.compare_models(
        model("old.onnx"), model("new.onnx", ("dim", "dark", "bright")), data, device="cpu", say=lambda _: None
    )
    assert (found.fixed, found.broken) == (0, 20)
    assert [(c.label, c.old, c.new, c.broken, c.is_worse) for c in found.classes] == [
        ("dark", 1, 0, 10, True),
        ("dim", 1, 0, 10, True),
        ("bright", 1, 1, 0, False),
    ]
    assert "new.onnx is worse than old.onnx" in found.verdict
    low, high = found.interval
    assert -0.9 < low < -2 / 3 < high < -0.4
    assert found.failures(50) == ("new.onnx loses 66.67 points of top-1 and 66.67 points of macro recall, at most 50",)
    assert found.failures(70, ["bright"]) == ()
    assert found.failures(70, ["dim", "dim"]) == ("new.onnx loses 100.00 points of the recall of dim, at most 70",)
    assert sorted(found.old.report.items[i].name.split("/")[0] for i in found.broken_pictures()) == ["dark"] * 10 + ["dim"] * 10


def test_two_pictures_of_difference_prove_nothing(model, data):
    """The better one is said to be not proved better."""
    for i in range(8):
        (data / "dark" / f"{i}.png").unlink()
        (data / "dim" / f"{i}.png").unlink()
    (data / "dim" / "8.png").unlink()
    plant(data / "dim" / "8.png", level=0)
    found = edgecls.compare_models(
        model("old.onnx", ("dim", "dark", "bright")), model("new.onnx"), data, device="cpu", say=lambda _: None
    )
    assert (found.fixed, found.broken) == (3, 1)
    assert "not proved better" in found.verdict


def test_classes_that_one_model_does_not_know_are_left_out_and_named(model, data):
    """The new model has another class instead of `bright`: both are compared on the other two."""
    lines = []
    found = edgecls.compare_models(
        model("old.onnx"), model("new.onnx", ("dark", "dim", "glare")), data, device="cpu", say=lines.append
    )
    assert [change.label for change in found.classes] == ["dark", "dim"]
    assert found.old.report.pictures == 20
    assert "left out: bright, which new.onnx has no label for" in lines
    assert found.notes == tuple(lines)


def test_models_without_a_common_class_are_refused(model, data):
    """One line names the classes and both lists."""
    with pytest.raises(edgecls.DataError, match="expected a class that is a label of both models, found bright, dark, dim"):
        edgecls.compare_models(model("old.onnx"), model("new.onnx", ("a", "b")), data, device="cpu")


def test_a_named_class_without_pictures_is_refused(model, data):
    """The message lists those that there are."""
    found = edgecls.compare_models(model("old.onnx"), model("new.onnx"), data, device="cpu", say=lambda _: None)
    with pytest.raises(edgecls.ConfigError, match=r"class 'glare' has no pictures .* expected one of bright, dark, dim"):
        found.failures(classes=["glare"])


def test_a_broken_picture_is_left_out_of_both(model, data):
    """And said once."""
    (data / "dim" / "0.png").write_bytes(b"\x89PNG but not really")
    lines = []
    found = edgecls.compare_models(model("old.onnx"), model("new.onnx"), data, device="cpu", say=lines.append)
    assert found.old.report.pictures == found.new.report.pictures == 29
    assert sum("0.png" in line for line in lines) == 1


def test_unknown_is_compared_too(model, data, tmp_path):
    """Level 64 is between dark and dim: foreign to the careful model, known to the other."""
    careful = Confidence(temperature=1.0, reject_temperature=1.0, reject_below=0.9)
    plant(tmp_path / "foreign" / "0.png", level=64)
    found = edgecls.compare_models(
        model("old.onnx"), model("new.onnx", confidence=careful), data, unknown=tmp_path / "foreign", device="cpu",
        say=lambda _: None,
    )  # fmt: skip
    assert (found.old.foreign_unknown, found.new.foreign_unknown) == (0, 1)
    assert ("foreign unknown", "0.00%", "100.00%", "+100.00 points") in found.rows()


def test_the_page_says_what_the_terminal_says(model, data):
    """Well-formed, with the verdict, the failures, a row for each class and the pictures that are lost."""
    hostile = '<script>alert("1")</script>'
    data.joinpath("dark").rename(data / "dark-")
    found = edgecls.compare_models(
        model("old.onnx", ("dark-", "dim", hostile)), model("new.onnx", ("dim", "dark-", hostile)), data, device="cpu",
        say=lambda _: None,
    )  # fmt: skip
    page = Reader(comparison_html(found, found.failures()))
    assert found.verdict in page.text
    assert "loses 100.00 points of top-1" in page.text
    assert page.tags.count("figure") == 20
    assert page.tags.count("script") == 1
    assert "left out: bright, which old.onnx has no label for" in page.text


def record_of(path, model, answers):
    """Write the record of a model."""
    digest = hashlib.sha256(model.read_bytes()).hexdigest()
    path.write_text(json.dumps({"model_sha256": digest, "labels": list(tiny.LIGHT_LABELS), "held_out": answers}))
    return path


def test_learned_pictures_count_as_cross_validation_says(model, tmp_path):
    """Its own answers, all right, would flatter it: one was wrong when it was held out, one never was, one is alike."""
    data, rng = tmp_path / "data", np.random.default_rng(0)
    for name, level in (("dark", 0), ("dim", 128), ("bright", 255)):
        for i in range(4):
            picture = np.clip(rng.normal(level, 4, (8, 8, 3)), 0, 255).astype(np.uint8)
            (data / name).mkdir(parents=True, exist_ok=True)
            cv2.imwrite(str(data / name / f"day{i // 2}-{i}.png"), picture)
    old, new = model("old.onnx"), model("new.onnx", about="new")
    dataset = scan(data, group="(day.)")
    keys = dict(zip([item.name for item in dataset.items], keys_of(dataset), strict=True))
    answers = {keys["dark/day0-0.png"]: [0.1, 0.8, 0.1], keys["dim/day0-0.png"]: None, keys["bright/day0-1.png"]: [0, 0.1, 0.9]}
    record = record_of(tmp_path / "new.json", new, answers)
    said = []
    found = edgecls.compare_models(old, new, data, device="cpu", held_out=[record], say=said.append)
    assert (found.fixed, found.broken, found.new.report.pictures) == (0, 1, 11)
    worst = found.classes[0]
    assert (worst.label, worst.pictures, worst.old, worst.new) == ("dark", 4, 1, 0.75)
    assert "left out: 1 picture that no fold of cross-validation held out" in said
    assert "note: of new.onnx, the answers to 2 pictures are those of cross-validation" in said
    kept, notes = unseen(dataset, [read_held_out(record), None])
    assert sorted(item.name for item in kept.items if "day0" in item.name) == ["bright/day0-1.png", "dark/day0-0.png"]
    assert notes[1] == "left out: 3 pictures alike to learned ones"


def test_a_record_belongs_to_one_model(model, data, tmp_path):
    """That of another model, a damaged one, and one that leaves nothing to compare."""
    old, new = model("old.onnx"), model("new.onnx", about="new")
    for content, why in (("{", "expected a record"), ('{"held_out": []}', "expected a record")):
        (tmp_path / "bad.json").write_text(content)
        with pytest.raises(ConfigError, match=why):
            edgecls.compare_models(old, new, data, held_out=[tmp_path / "bad.json"])
    record = record_of(tmp_path / "m.json", old, dict.fromkeys(keys_of(scan(data))))
    with pytest.raises(DataError, match="learned from every picture"):
        edgecls.compare_models(old, new, data, held_out=[record], device="cpu", say=lambda _: None)
    old.write_bytes(new.read_bytes() + b"")
    with pytest.raises(ConfigError, match="another model, or the model has changed"):
        edgecls.compare_models(old, new, data, held_out=[record], device="cpu", say=lambda _: None)
