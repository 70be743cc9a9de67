"""Tests of a loss that becomes NaN or infinite."""

from __future__ import annotations

import csv

import keras
import numpy as np
import pytest

from edgecls.errors import TrainError
from edgecls.model.card import ModelCard
from edgecls.train import compiled, folder
from edgecls.train.divergence import guard
from edgecls.train.fit import fit
from tests.runs import Listener, config


def test_a_rate_that_is_too_high_stops_at_once_and_says_so(shapes, tmp_path):
    """The error has the batch, the epoch, the rate and what to do; an incomplete epoch leaves no model."""
    listener = Listener()
    where = r"run: the loss became nan in batch \d+ of 6 of epoch 1"
    why = r"the learning rate 1e\+30 is too high: train again with a smaller `rate` \(there is no whole epoch to keep\)"
    with pytest.raises(TrainError, match=f"{where}; .*{why}"):
        fit(config(shapes, optimizer="sgd", rate=1e30, epochs=50), tmp_path / "run", watcher=listener)
    assert listener.batches < 6
    assert listener.ended == 1
    assert not list((tmp_path / "run").glob("*.keras"))


@keras.saving.register_keras_serializable(package="tests")
class BreaksDown(keras.optimizers.schedules.LearningRateSchedule):
    """A normal rate for two epochs of six batches, then one at which every network diverges."""

    def __call__(self, step):
        return keras.ops.where(step < 12, 1e-3, 1e30)

    def get_config(self):
        return {}


def test_the_whole_epochs_before_it_are_kept(shapes, tmp_path, monkeypatch):
    """If epoch 3 diverges, card, history and best.keras are those of two epochs, and the error is still raised."""
    monkeypatch.setattr(compiled, "learning_rate", lambda *_: BreaksDown())
    monkeypatch.setattr(folder, "TRAINED_WITH", (*folder.TRAINED_WITH, __name__))
    with pytest.raises(TrainError, match=r"of epoch 3; .* \(epoch 2 and the best so far are kept\)"):
        fit(config(shapes, optimizer="sgd", epochs=5), tmp_path / "run")
    with (tmp_path / "run" / "history.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [row["epoch"] for row in rows] == ["1", "2"]
    card = ModelCard.from_json((tmp_path / "run" / "card.json").read_text(), "card.json")
    assert card.made_with["epochs"] == "2"
    assert card.metrics["top1"] == pytest.approx(max(float(row["val_accuracy"]) for row in rows), abs=1e-5)
    assert all(np.isfinite(w).all() for w in keras.saving.load_model(tmp_path / "run" / "last.keras").get_weights())


@pytest.mark.parametrize("loss", [float("nan"), float("inf")])
def test_a_validation_without_a_number_is_not_saved(tmp_path, loss):
    """The last update of an epoch may break the weights: the validation reveals it before the epoch is saved."""
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
    model.compile("sgd")
    watch = guard(keras, tmp_path, 6)
    watch.set_model(model)
    watch.on_epoch_begin(0)
    watch.on_train_batch_end(5, {"loss": 1.0})
    watch.on_epoch_end(0, {"loss": 1.0, "val_loss": 2.0})
    with pytest.raises(TrainError, match=rf"the loss became {loss} in the validation of epoch 1; .* rate 0.01 is too high"):
        watch.on_epoch_end(0, {"loss": 1.0, "val_loss": loss})
