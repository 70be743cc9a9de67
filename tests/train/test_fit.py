"""Tests of training runs and their folders."""

from __future__ import annotations

import csv
from dataclasses import replace

import keras
import pytest

from edgecls.dataset import DataConfig, fingerprint, scan
from edgecls.errors import ConfigError, DataError
from edgecls.input_spec import InputSpec
from edgecls.model.card import ModelCard
from edgecls.settings import build, read_toml
from edgecls.train.config import Layers, TrainConfig
from edgecls.train.fit import fit
from tests import drawn
from tests.runs import Listener, config


def test_a_run_folder_holds_everything(trained):
    """The folder has the best and last weights, settings, card, history and report, and no temporary files."""
    assert {p.name for p in trained.out.iterdir()} == {
        "best.keras", "last.keras", "config.toml", "card.json", "history.csv", "report.html",
    }  # fmt: skip


def test_a_small_network_learns_the_shapes(trained):
    """More than 8 of 10 held-out drawings are right; guessing would get 1 of 4."""
    assert trained.val.top1 > 0.8
    assert not trained.interrupted
    assert trained.epochs == 12


def test_the_card_says_what_was_trained_on_what(trained, shapes):
    """The card has labels, fingerprint, split, license, versions and the metrics of the best epoch."""
    card = ModelCard.from_json((trained.out / "card.json").read_text(), "card.json")
    assert card == trained.card
    assert card.labels == ("disc", "ring", "square", "stripes")
    assert card.dataset == fingerprint(scan(shapes))
    assert card.about == "drawn shapes"
    assert card.scheme == "keras"
    assert card.input == InputSpec(24, 24)
    assert card.metrics["top1"] == round(trained.val.top1, 5)
    assert card.metrics["pictures"] == 32
    assert card.measured_on == "the 32 held-out pictures"
    assert card.split.startswith("88 train, 32 val in 120 groups (each picture by itself), seed 0")
    assert card.made_with["keras"] == keras.__version__
    assert (card.made_with["arch"], card.made_with["epochs"], card.made_with["seed"]) == ("classic", "12", "0")


def test_the_history_has_one_row_an_epoch_and_best_is_the_best_of_them(trained):
    """There are rows for epochs 1 to 12; the accuracy of best.keras is the largest validation accuracy."""
    with (trained.out / "history.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [row["epoch"] for row in rows] == [str(i) for i in range(1, 13)]
    assert max(float(row["val_accuracy"]) for row in rows) == pytest.approx(trained.val.top1, abs=1e-6)


def test_the_settings_of_a_run_train_it_again(trained):
    """config.toml gives a config with the same data, input and layers."""
    again = build(TrainConfig, read_toml(trained.out / "config.toml"), "config.toml")
    assert again.input == InputSpec(24, 24)
    assert again.layers == Layers(kernels=(16,), dense=64)
    assert again.epochs == 12


def test_a_folder_that_cannot_be_written_is_refused_first(shapes, tmp_path):
    """A path below a regular file is rejected before anything is decoded."""
    (tmp_path / "file").write_text("")
    listener = Listener()
    with pytest.raises(ConfigError, match=r"run: cannot be written to .*; choose another `out`"):
        fit(config(shapes), tmp_path / "file" / "run", watcher=listener)
    assert listener.lines == []


def broken_copy(folder):
    """Return drawn shapes with a truncated disc/000.png and a text file named ring/000.png."""
    drawn.write_class_folders(folder, pictures=8)
    picture = folder / "disc" / "000.png"
    picture.write_bytes(picture.read_bytes()[:50])
    (folder / "ring" / "000.png").write_text("text")
    return folder


def test_broken_pictures_are_named_counted_and_left_out(tmp_path):
    """The run names both, counts them, says how to stop at them, and continues."""
    listener = Listener()
    fit(config(broken_copy(tmp_path / "data"), epochs=1), tmp_path / "run", watcher=listener)
    left_out = [line for line in listener.lines if line.startswith("left out: ")]
    assert len(left_out) == 2
    assert "disc/000.png" in "".join(left_out)
    assert "ring/000.png" in "".join(left_out)
    counted = [line for line in listener.lines if "left out, unreadable; `strict` stops instead" in line]
    assert sum(int(line.split()[1]) for line in counted) == 2


def test_strict_stops_at_a_broken_picture(tmp_path):
    """With `strict`, the run raises a DataError that names the picture, before a model is written."""
    data = broken_copy(tmp_path / "data")
    with pytest.raises(DataError, match=r"000\.png"):
        fit(config(data, data=DataConfig(str(data), strict=True, val_fraction=0.25)), tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_a_class_with_one_group_is_warned_of(tmp_path):
    """A class whose pictures are all in one group is not validated; a warning says so."""
    drawn.write_class_folders(tmp_path / "data", pictures=6)
    listener = Listener()
    data = DataConfig(str(tmp_path / "data"), group=r"(disc|(?:ring|sq|st).*)")
    fit(config(tmp_path, data=data, epochs=1), tmp_path / "run", watcher=listener)
    assert any("warning: 1 class(es) have a single group and are not validated: disc" in line for line in listener.lines)


def test_the_watcher_hears_begin_batches_epochs_and_end(short_run):
    """Two epochs of six batches call begin once, batch twelve times, epoch twice, and end once."""
    _, listener = short_run
    assert listener.began == (0, 2, 6)
    assert listener.batches == 12
    assert [row["epoch"] for row, _ in listener.rows] == [1, 2]
    assert listener.rows[0][1]
    assert listener.ended == 1


def test_a_step_is_traced_once(shapes, tmp_path, monkeypatch):
    """All variables exist before the first step; TensorFlow would trace a step that makes one a second time, for seconds."""
    traces = []
    step = keras.Model.train_step
    monkeypatch.setattr(keras.Model, "train_step", lambda self, data: traces.append(1) or step(self, data))
    fit(config(shapes, optimizer="adamw"), tmp_path / "run")
    assert len(traces) == 1


@pytest.mark.parametrize(("optimizer", "kind"), [("adam", "Adam"), ("adamw", "AdamW"), ("sgd", "SGD"), ("rmsprop", "RMSprop")])
def test_every_optimizer_trains(shapes, tmp_path, optimizer, kind):
    """The saved model has the configured optimizer."""
    fit(config(shapes, optimizer=optimizer, schedule="cosine", weight_decay=0.01, rate=0.01, epochs=1), tmp_path / "run")
    assert keras.saving.load_model(tmp_path / "run" / "last.keras").optimizer.__class__.__name__ == kind


@pytest.mark.parametrize("optimizer", ["adam", "adamw", "sgd", "rmsprop"])
def test_every_optimizer_trains_without_weight_decay(shapes, tmp_path, optimizer):
    """The classic network has no weight decay by default."""
    fit(config(shapes, optimizer=optimizer, epochs=1), tmp_path / "run")
    assert not keras.saving.load_model(tmp_path / "run" / "last.keras").optimizer.weight_decay


def test_parts_that_the_data_names_are_kept(tmp_path):
    """With train/ and val/ folders, the card says so, and the held-out pictures are those of val/."""
    drawn.write_class_folders(tmp_path / "data" / "train", pictures=6)
    drawn.write_class_folders(tmp_path / "data" / "val", pictures=3, seed=1)
    drawn.write_class_folders(tmp_path / "data" / "test", pictures=2, seed=2)
    report = fit(config(tmp_path / "data", epochs=1), tmp_path / "run")
    assert report.card.split == "as the data says: 24 train, 12 val"
    assert report.val.pictures == 12


@pytest.mark.parametrize("balance", ["none", "weights", "focal", "logit-adjust"])
def test_soft_targets_learn_and_measure_as_class_ids_do(shapes, tmp_path, balance):
    """With smoothing, mixup and outliers, the history has the same columns, and its accuracy equals the report's."""
    settings = config(shapes, label_smoothing=0.1, mixup=0.2, strangers=0.1, balance=balance, keep="last")
    report = fit(settings, tmp_path / "run")
    with (report.out / "history.csv").open() as file:
        last = list(csv.DictReader(file))[-1]
    assert float(last["val_accuracy"]) == pytest.approx(report.val.top1, abs=1e-6)
    assert float(last["val_macro_recall"]) == pytest.approx(report.val.macro_recall, abs=1e-6)


def test_a_network_learns_from_a_teacher_alone(trained, exported, shapes, tmp_path):
    """With a teacher weight of 1, a smaller network learns the teacher's labels."""
    settings = config(
        shapes,
        input=InputSpec(24, 24),
        layers=Layers(kernels=(8,), dense=32),
        epochs=12,
        teachers=(str(exported["fp32"].out),),
        teacher_weight=1.0,
    )
    assert fit(settings, tmp_path / "run").val.top1 > 0.5  # chance gives 0.25


def test_few_pictures_are_normalized_as_the_trained_network_normalizes_them(shapes, tmp_path):
    """The moving averages adapt to short epochs; over a hundred batches they would still be those of the untrained network."""
    few = replace(config(shapes, epochs=20), arch="edge", layers=Layers(width=0.25), batch=32, dropout=0.0)
    model = keras.saving.load_model(fit(few, tmp_path / "run").out / "last.keras")
    momenta = {layer.momentum for layer in model.layers if isinstance(layer, keras.layers.BatchNormalization)}
    rows = list(csv.DictReader((tmp_path / "run" / "history.csv").read_text().splitlines()))
    assert momenta == {0.9}
    assert max(float(row["val_accuracy"]) for row in rows[:12]) > 0.6
