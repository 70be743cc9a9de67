"""Tests of evaluating a classifier on labelled pictures."""

from __future__ import annotations

import numpy as np
import pytest

from edgecls import Classifier
from edgecls.dataset import Dataset, Item, scan
from edgecls.dataset.matching import match_labels
from edgecls.errors import DataError
from edgecls.evaluate import evaluate
from tests.drawn import plant


def levels(folder, **of):
    """Return a dataset of class folders with plain pictures of the given levels."""
    for name, values in of.items():
        for i, level in enumerate(values):
            plant(folder / name / f"{i}.png", level=level)
    return scan(folder)


def test_a_report_by_hand(light_model, tmp_path):
    """Three dark pictures, one of them classified as dim, one dim, two bright: top-1 5/6, macro recall (2/3 + 1 + 1) / 3."""
    report = evaluate(Classifier.load(light_model), levels(tmp_path, dark=[0, 5, 128], dim=[128], bright=[255, 250]))
    assert report.labels == ("dark", "dim", "bright")
    assert report.confusion.tolist() == [[2, 1, 0], [0, 1, 0], [0, 0, 2]]
    assert report.pictures == 6
    assert report.top1 == pytest.approx(5 / 6)
    assert report.macro_recall == pytest.approx(8 / 9)
    assert report.as_metrics()["worst_recall"] == pytest.approx(2 / 3, abs=1e-5)
    assert report.classes()[0] == ("dark", 3, 0.66667, 1.0)
    assert report.classes()[1] == ("dim", 1, 1.0, 0.5)
    assert report.probabilities.shape == (6, 3)


def test_a_class_without_pictures_has_no_recall(light_model, tmp_path):
    """Of data with two of the model's three labels, the third has 0 pictures and None, and does not count."""
    report = evaluate(Classifier.load(light_model), levels(tmp_path, dark=[0], bright=[255]))
    assert report.classes()[1] == ("dim", 0, None, None)
    assert report.macro_recall == 1


def test_broken_pictures_are_named_or_stop(light_model, tmp_path):
    """A text file among the pictures is a line in the report; with `strict` it raises an error."""
    found = levels(tmp_path, dark=[0, 0], bright=[255])
    (tmp_path / "dark" / "1.png").write_text("text")
    classifier = Classifier.load(light_model)
    report = evaluate(classifier, found)
    assert report.pictures == 2
    assert len(report.broken) == 1
    assert "dark/1.png" in report.broken[0]
    with pytest.raises(DataError, match=r"dark/1\.png"):
        evaluate(classifier, found, strict=True)


def parts():
    """Return a dataset of plain pictures in train, val and test; those of test have wrong labels."""
    rows = [("train", 0, 0), ("train", 1, 255), ("val", 0, 0), ("test", 0, 255), ("test", 1, 0)]
    items = tuple(Item(f"{i}", c, "", part, pixels=np.full((8, 8), v, np.uint8)) for i, (part, c, v) in enumerate(rows))
    return Dataset("drawn", ("dark", "bright"), items, "")


def test_data_with_a_test_part_is_measured_on_it(light_model):
    """By default the test part is evaluated; a named part alone if given; a missing part is an error."""
    classifier = Classifier.load(light_model)
    assert evaluate(classifier, parts()).pictures == 2
    assert evaluate(classifier, parts()).top1 == 0
    assert evaluate(classifier, parts(), split="train").top1 == 1
    assert evaluate(classifier, parts(), split="val").pictures == 1
    with pytest.raises(DataError, match="drawn: has no pictures of the split 'holdout'"):
        evaluate(classifier, parts(), split="holdout")


def named(*labels):
    """Return a dataset that has only class names."""
    return Dataset("drawn", labels, (), "")


def test_labels_are_matched_by_name_or_by_number():
    """Names match in any order, numbers by position; names take precedence over numbers."""
    assert match_labels(named("bright", "dark"), ("dark", "dim", "bright")) == [2, 0]
    assert match_labels(named("0", "00002"), ("dark", "dim", "bright")) == [0, 2]
    assert match_labels(named("1", "0"), ("0", "1")) == [1, 0]


@pytest.mark.parametrize("labels", [("dark", "grim"), ("0", "3"), ("0", "dark")])
def test_a_class_that_the_model_does_not_have_is_refused(labels):
    """The error names the class, some labels of the model, and what to do."""
    with pytest.raises(
        DataError,
        match=r"drawn: class '\w+' is not a label of the model \(dark, dim, bright\); rename .* or learn a model that has it",
    ):
        match_labels(named(*labels), ("dark", "dim", "bright"))


def test_mistakes_come_the_surest_first(light_model, tmp_path):
    """Level 128 is surely dim, 100 a little less; what is right is none of them, and each item belongs to its answer."""
    report = evaluate(Classifier.load(light_model), levels(tmp_path, dark=[0, 100, 128], dim=[127], bright=[255]))
    assert [report.items[i].name for i in report.mistakes(5)] == ["dark/2.png", "dark/1.png"]
    assert report.mistakes(1) == report.mistakes(5)[:1]
