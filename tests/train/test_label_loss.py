"""Training with several labels a picture: loss, metrics, targets, balance."""

from __future__ import annotations

import numpy as np
import pytest

from edgecls import metrics as numbers
from edgecls.dataset import DataConfig
from edgecls.errors import ConfigError
from edgecls.train import label_loss
from edgecls.train.augment import mirrored, mirrored_classes
from edgecls.train.targets import LabelTargets
from tests.runs import config

COUNTS = np.array([[90, 10], [50, 50]])


def cost(balance, probability, mark):
    """The loss of one picture whose only marked label is the first, which 10 of 100 pictures show."""
    loss = label_loss.loss(balance, COUNTS)
    return float(loss(np.array([[mark, -1.0]], np.float32), np.array([[probability, 0.3]], np.float32)))


def test_the_loss_is_that_of_the_marked_labels_alone():
    """Binary cross-entropy; what is unknown costs nothing."""
    assert cost("none", 0.25, 1.0) == pytest.approx(-np.log(0.25), rel=1e-4)
    assert cost("none", 0.25, 0.0) == pytest.approx(-np.log(0.75), rel=1e-4)
    assert cost("none", 0.25, -1.0) == 0


def test_rare_labels_can_be_helped():
    """Weights make the rarer of yes and no cost more, focal what is right less, logit-adjust demands a margin for the rare."""
    assert cost("weights", 0.5, 1.0) > 4 * cost("weights", 0.5, 0.0)
    assert cost("focal", 0.9, 1.0) == pytest.approx(-np.log(0.9) * 0.01, rel=1e-3)
    assert cost("logit-adjust", 0.5, 1.0) == pytest.approx(-np.log(0.1), rel=1e-3)


def test_the_metrics_of_an_epoch_are_those_of_the_report():
    """Mean average precision, but for its steps of 1/200, and macro F1 at 0.5, over labels that are shown."""
    rng = np.random.default_rng(0)
    marks = rng.integers(-1, 2, (300, 3)).astype(np.float32)
    marks[:, 2] = np.minimum(marks[:, 2], 0)
    scores = np.clip(0.5 + 0.2 * marks + rng.normal(0, 0.2, marks.shape), 0, 1).astype(np.float32)
    average_precision, f1 = label_loss.metrics(3)
    for metric in (average_precision, f1):
        for part in (slice(0, 100), slice(100, 300)):
            metric.update_state(marks[part], scores[part])
    columns = [(scores[marks[:, i] >= 0, i], marks[marks[:, i] >= 0, i] == 1) for i in range(2)]
    assert float(average_precision.result()) == pytest.approx(
        np.mean([numbers.average_precision(*c) for c in columns]), abs=0.01
    )
    expected = [2 * (shown & (p >= 0.5)).sum() / (shown.sum() + (p >= 0.5).sum()) for p, shown in columns]
    assert float(f1.result()) == pytest.approx(np.mean(expected), abs=1e-6)


def test_unknown_marks_stay_unknown():
    """Smoothing and mixup do not touch them, and an outlier shows no label."""
    batch = np.arange(4 * 8 * 8, dtype=np.uint8).reshape(4, 8, 8, 1)
    marks = np.array([[1, -1], [0, 1], [1, 0], [-1, -1]])
    _, smooth = LabelTargets(smoothing=0.2)(batch, marks, np.random.default_rng(0))
    assert smooth.tolist() == np.where(marks < 0, -1, marks * 0.8 + 0.1).astype(np.float32).tolist()
    _, mixed = LabelTargets(mixup=0.4)(batch, marks, np.random.default_rng(0))
    assert ((mixed == -1) | ((mixed >= 0) & (mixed <= 1))).all()
    assert (mixed[3] == -1).all()
    _, foreign = LabelTargets(outliers=0.999, outlier_kinds=("shapes",))(batch, marks, np.random.default_rng(0))
    assert (foreign == 0).all()


def test_a_picture_counts_for_the_rarest_label_that_it_shows():
    """With `balance=sampler`; one that shows none is of a kind of its own."""
    marks = np.array([[1, 1], [1, 0], [1, -1], [0, 0]])
    assert label_loss.rarest(marks).tolist() == [1, 0, 0, 2]


def test_a_mirrored_picture_swaps_its_labels():
    """With left=right; a picture with a label that must not be mirrored stays as it is."""
    mirror = mirrored_classes(("left", "right", "text"), ("left=right",))
    batch = np.arange(200 * 4, dtype=np.int64).reshape(200, 2, 2, 1).astype(np.uint8)
    marks = np.tile([[1, 0, 0], [1, -1, 1]], (100, 1))
    pictures, found = mirrored(batch, marks, mirror, np.random.default_rng(0))
    flipped = (found[::2] == (0, 1, 0)).all(axis=1)
    assert 20 < flipped.sum() < 80
    assert (pictures[::2][flipped] == batch[::2][flipped][:, :, ::-1]).all()
    assert (found[1::2] == marks[1::2]).all()


def test_the_best_epoch_is_chosen_by_a_metric_of_several_labels(tmp_path):
    """Mean average precision unless another is asked for; one of classes is refused."""
    assert config(tmp_path).best_by == "accuracy"
    data = DataConfig(str(tmp_path), multi_label=True)
    assert config(tmp_path, data=data).best_by == "mean-ap"
    with pytest.raises(ConfigError, match=r"best_by .*mean-ap, macro-f1, with several labels"):
        config(tmp_path, data=data, best_by="accuracy")
    with pytest.raises(ConfigError, match=r"best_by .*accuracy, macro-recall, worst-recall, with one class"):
        config(tmp_path, best_by="mean-ap")
