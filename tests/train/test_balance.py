"""Tests of helping classes with few pictures."""

from __future__ import annotations

import csv
import shutil

import keras
import numpy as np
import pytest

from edgecls import extras
from edgecls.errors import ConfigError
from edgecls.input_spec import InputSpec
from edgecls.train import balance
from edgecls.train.config import Layers
from edgecls.train.fit import fit
from tests import drawn
from tests.runs import Listener, config

KINDS = ("none", "weights", "sampler", "focal", "logit-adjust")
PROBABILITIES = np.array([[0.7, 0.2, 0.1], [0.3, 0.6, 0.1]], np.float32)
CLASS_IDS = np.array([0, 2])


def test_weights_are_those_of_the_effective_number():
    """The effective number of 1 picture is 1, of many nearly 1000; the mean weight of a picture is 1."""
    counts = [1, 100, 10_000]
    weights = balance.class_weights(counts)
    effective = [1, (1 - 0.999**100) / 0.001, (1 - 0.999**10_000) / 0.001]
    assert weights / weights[0] == pytest.approx(1 / np.array(effective))
    assert (weights * counts).sum() / sum(counts) == pytest.approx(1)


def test_equal_classes_cost_the_same():
    """Equal classes have weight 1; a class without pictures is not an error."""
    assert balance.class_weights([50, 50]) == pytest.approx([1, 1])
    assert np.isfinite(balance.class_weights([0, 50])).all()


def test_a_balanced_epoch_shows_every_class_as_often():
    """Of 90, 9 and 1 pictures, 33 or 34 of each class are shown: all of the small classes, none twice of the large one."""
    class_ids = np.repeat([0, 1, 2], [90, 9, 1])
    picks = balance.balanced_order(class_ids, np.random.default_rng(0))
    counts = np.bincount(class_ids[picks])
    assert sorted(counts.tolist()) == [33, 33, 34]
    assert len(set(picks[class_ids[picks] == 0].tolist())) == counts[0]
    assert set(picks[class_ids[picks] == 1].tolist()) == set(range(90, 99))
    assert class_ids[picks].tolist() != sorted(class_ids[picks].tolist())


@pytest.mark.parametrize(
    ("kind", "costs"),
    [
        ("none", [-np.log(0.7), -np.log(0.1)]),
        ("sampler", [-np.log(0.7), -np.log(0.1)]),
        ("focal", [-np.log(0.7) * 0.3**2, -np.log(0.1) * 0.9**2]),
        ("logit-adjust", [-np.log(0.7 * 0.8 / (0.56 + 0.02 + 0.01)), -np.log(0.1 * 0.1 / (0.24 + 0.06 + 0.01))]),
    ],
)
def test_what_a_mistake_costs(kind, costs):
    """The expected losses of two pictures are computed by hand, with class shares of 0.8, 0.1 and 0.1."""
    found = balance.loss(kind, [800, 100, 100])(CLASS_IDS, PROBABILITIES)
    assert float(found) == pytest.approx(np.mean(costs), rel=1e-4)


def test_what_a_mistake_costs_by_weight():
    """The loss is the cross-entropy of each picture times the weight of its class."""
    counts = [800, 100, 100]
    weights = balance.class_weights(counts)
    found = balance.loss("weights", counts)(CLASS_IDS, PROBABILITIES)
    assert float(found) == pytest.approx(np.mean([-np.log(0.7) * weights[0], -np.log(0.1) * weights[2]]), rel=1e-4)


def test_a_probability_of_zero_costs_much_and_not_infinitely():
    """A probability of 0 gives a finite loss; otherwise one picture would end a run with NaN."""
    certain = np.array([[1.0, 0.0]], np.float32)
    for kind in KINDS:
        assert np.isfinite(float(balance.loss(kind, [5, 5])(np.array([1]), certain)))


@pytest.mark.parametrize("kind", KINDS)
def test_a_network_that_is_sure_and_wrong_still_learns(kind):
    """A probability of 1e-20 still has a gradient; the loss of Keras would have none."""
    head = keras.layers.Dense(2, activation="softmax")
    model = keras.Sequential([keras.layers.Input((1,)), head])
    head.set_weights([np.zeros((1, 2), np.float32), np.array([23.0, -23.0], np.float32)])
    model.compile(keras.optimizers.SGD(1.0), balance.loss(kind, [9, 1]))
    model.fit(np.ones((8, 1), np.float32), np.ones(8, np.int64), batch_size=8, epochs=1, verbose=0)
    assert head.get_weights()[1][1] > -22.9


def test_recalls_over_batches():
    """Class 0 has 3 of 4, class 1 has 1 of 2, class 2 no pictures: mean 0.625, worst 0.5, in batches or at once."""
    truth = np.array([0, 0, 0, 0, 1, 1])
    said = np.eye(3, dtype=np.float32)[[0, 0, 0, 1, 1, 2]]
    macro, worst = balance.recalls(3)
    for metric in (macro, worst):
        metric.update_state(truth[:4], said[:4])
        metric.update_state(truth[4:, None], said[4:])
    assert float(macro.result()) == pytest.approx(0.625)
    assert float(worst.result()) == pytest.approx(0.5)


@pytest.fixture(scope="module")
def unbalanced(tmp_path_factory):
    """Return class folders with sixty discs, sixty squares and eight rings."""
    folder = tmp_path_factory.mktemp("unbalanced")
    drawn.write_class_folders(folder, pictures=60, names=("disc", "square"))
    return drawn.write_class_folders(folder, pictures=8, names=("ring",), seed=1)


def small(pictures, **changes):
    return config(pictures, input=InputSpec(24, 24), layers=Layers(kernels=(16,), dense=32), **changes)


class Copying(Listener):
    """Copies the run folder after the first epoch, as a killed run would leave it."""

    def __init__(self, run, to):
        super().__init__()
        self.copy = run, to

    def epoch(self, row, best):
        super().epoch(row, best)
        if row["epoch"] == 1:
            shutil.copytree(*self.copy)


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_trains_and_goes_on_where_it_stopped(unbalanced, tmp_path, kind):
    """Three epochs at once, and one epoch with two resumed ones, give the same weights, with every loss."""
    settings = small(unbalanced, balance=kind, epochs=3)
    whole = fit(settings, tmp_path / "whole", watcher=Copying(tmp_path / "whole", tmp_path / "parts"))
    parts = fit(settings, tmp_path / "parts", resume=True)
    assert parts.epochs == 3
    keras = extras.load("keras", extra="train", purpose="Training")
    weights = [keras.saving.load_model(run.out / "best.keras", compile=False).get_weights() for run in (whole, parts)]
    assert all((one == other).all() for one, other in zip(*weights, strict=True))
    with (whole.out / "history.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert all(0 <= float(row["val_worst_recall"]) <= float(row["val_macro_recall"]) <= 1 for row in rows)


def test_the_epoch_that_is_kept_is_the_best_by_what_was_asked(unbalanced, tmp_path):
    """The kept epoch has the largest macro recall, which is that of the report."""
    listener = Listener()
    report = fit(small(unbalanced, epochs=6, best_by="macro-recall", balance="weights"), tmp_path / "run", watcher=listener)
    recalls = [row["val_macro_recall"] for row, _ in listener.rows]
    assert report.val.macro_recall == pytest.approx(max(recalls), abs=1e-6)
    assert [best for _, best in listener.rows].count(True) >= 1


def test_patience_ends_a_run_that_gets_no_better(unbalanced, tmp_path):
    """At a rate that is far too high nothing improves, so the run stops early and says so."""
    listener = Listener()
    settings = small(unbalanced, epochs=30, patience=2, rate=10.0, optimizer="sgd")
    report = fit(settings, tmp_path / "run", watcher=listener)
    assert report.epochs < 30
    assert not report.interrupted
    assert any(line.startswith("stopped after 2 epochs without improvement") for line in listener.lines)


@pytest.mark.parametrize("changes", [{"balance": "both"}, {"best_by": "f1"}, {"patience": -1}])
def test_what_is_not_known_is_refused(unbalanced, tmp_path, changes):
    """On the command line and in a file, the error is one line with the allowed values."""
    from edgecls.settings import build
    from edgecls.train.config import TrainConfig

    with pytest.raises(ConfigError):
        build(TrainConfig, {"data": {"path": str(unbalanced)}, **changes}, "settings")
