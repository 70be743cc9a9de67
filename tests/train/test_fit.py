"""Training runs, their folder, and what ends them early."""

from __future__ import annotations

import csv
import json
from dataclasses import replace

import keras
import numpy as np
import pytest

from edgecls.card import InputSpec, ModelCard
from edgecls.dataset import DataConfig, fingerprint, scan
from edgecls.errors import ConfigError, DataError
from edgecls.settings import build, read_toml
from edgecls.train import folder
from edgecls.train.config import Augment, Layers, TrainConfig
from edgecls.train.fit import fit
from tests import drawn
from tests.runs import Listener, config


def weights(path):
    """The weights of a .keras file."""
    return keras.saving.load_model(path).get_weights()


def equal(a, b):
    """Whether two lists of arrays are equal to the bit."""
    return len(a) == len(b) and all(np.array_equal(x, y) for x, y in zip(a, b, strict=True))


def test_a_run_folder_holds_everything(trained):
    """Best and last weights, settings, card, history and a page; nothing else, no rest of a write."""
    assert {p.name for p in trained.out.iterdir()} == {
        "best.keras", "last.keras", "config.toml", "card.json", "history.csv", "report.html",
    }  # fmt: skip


def test_a_small_network_learns_the_shapes(trained):
    """On held-out drawings it is right in more than 8 of 10, where chance gives 1 of 4."""
    assert trained.val.top1 > 0.8
    assert not trained.interrupted
    assert trained.epochs == 12


def test_the_card_says_what_was_trained_on_what(trained, shapes):
    """Labels, fingerprint, split, terms, versions and the measure of the best epoch stand on the card."""
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
    """Epochs 1 to 12; the measure of best.keras is the largest validation accuracy."""
    with (trained.out / "history.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [row["epoch"] for row in rows] == [str(i) for i in range(1, 13)]
    assert max(float(row["val_accuracy"]) for row in rows) == pytest.approx(trained.val.top1, abs=1e-6)


def test_the_settings_of_a_run_train_it_again(trained):
    """config.toml builds a config whose data, input and layers are the run's."""
    again = build(TrainConfig, read_toml(trained.out / "config.toml"), "config.toml")
    assert again.input == InputSpec(24, 24)
    assert again.layers == Layers(kernels=(16,), dense=64)
    assert again.epochs == 12


@pytest.mark.parametrize("arch", ["classic", "edge"])
def test_the_same_seed_gives_the_same_weights_and_the_same_card(shapes, tmp_path, arch):
    """Two runs of one config are equal to the bit, augmentation and dropout included; another seed is not."""
    settings = config(shapes, arch=arch, augment=Augment(), dropout=0.2)
    one, two = (fit(settings, tmp_path / name) for name in ("one", "two"))
    other = fit(config(shapes, arch=arch, augment=Augment(), dropout=0.2, seed=1), tmp_path / "three")
    assert equal(weights(one.out / "last.keras"), weights(two.out / "last.keras"))
    assert not equal(weights(one.out / "last.keras"), weights(other.out / "last.keras"))
    assert one.card == two.card


@pytest.mark.parametrize("arch", ["classic", "edge", "residual"])
def test_a_run_that_was_interrupted_and_resumed_is_the_run_that_was_not(shapes, tmp_path, arch):
    """Ctrl-C after epoch 2 of 4, then resumed: the weights equal those of four epochs in a row, to the bit."""
    settings = config(shapes, arch=arch, augment=Augment(), dropout=0.2, epochs=4)
    whole = fit(settings, tmp_path / "whole")
    first = fit(settings, tmp_path / "parts", watcher=Listener(stop_after=2))
    assert first.interrupted
    assert first.epochs == 2
    listener = Listener()
    second = fit(settings, tmp_path / "parts", resume=True, watcher=listener)
    assert not second.interrupted
    assert [row["epoch"] for row, _ in listener.rows] == [3, 4]
    assert equal(weights(whole.out / "last.keras"), weights(second.out / "last.keras"))
    assert equal(weights(whole.out / "best.keras"), weights(second.out / "best.keras"))
    assert whole.card == second.card


def test_an_interrupt_inside_an_epoch_goes_back_to_the_last_whole_one(shapes, tmp_path):
    """Ctrl-C in batch 9 of 6 an epoch keeps epoch 1; resumed, the weights equal those of the undisturbed run."""
    settings = config(shapes)
    whole = fit(settings, tmp_path / "whole")
    cut = fit(settings, tmp_path / "cut", watcher=Listener(stop_in_batch=9))
    assert cut.interrupted
    assert cut.epochs == 1
    assert {p.name for p in cut.out.iterdir()} >= {"best.keras", "card.json", "report.html"}
    second = fit(settings, tmp_path / "cut", resume=True)
    assert equal(weights(whole.out / "last.keras"), weights(second.out / "last.keras"))


def test_an_interrupt_keeps_the_best_epoch(shapes, tmp_path):
    """After Ctrl-C the run can be exported: card.json has the measure of best.keras."""
    report = fit(config(shapes, epochs=5), tmp_path / "run", watcher=Listener(stop_after=3))
    with (report.out / "history.csv").open() as file:
        accuracies = [float(row["val_accuracy"]) for row in csv.DictReader(file)]
    assert len(accuracies) == 3
    assert json.loads((report.out / "card.json").read_text())["metrics"]["top1"] == pytest.approx(max(accuracies), abs=1e-5)


def test_an_interrupt_before_the_first_whole_epoch_is_passed_on(shapes, tmp_path):
    """There is nothing to keep: KeyboardInterrupt comes out, and no model is left."""
    listener = Listener(stop_in_batch=2)
    with pytest.raises(KeyboardInterrupt):
        fit(config(shapes), tmp_path / "run", watcher=listener)
    assert listener.ended == 1
    assert not list((tmp_path / "run").glob("*.keras"))


def test_resume_without_a_run_is_refused(shapes, tmp_path):
    """The error names the folder and what is missing; nothing is made."""
    with pytest.raises(ConfigError, match=r"run: there is no run to resume \(best.keras and last.keras are missing\)"):
        fit(config(shapes), tmp_path / "run", resume=True)
    assert not (tmp_path / "run").exists()


def test_an_existing_run_is_not_written_over(shapes, trained):
    """Without resume the error says both ways out, and the run stays as it was."""
    before = (trained.out / "best.keras").read_bytes()
    with pytest.raises(ConfigError, match="holds a run already; go on with --resume, or take another --out"):
        fit(config(shapes), trained.out)
    assert (trained.out / "best.keras").read_bytes() == before


def test_resuming_a_run_that_is_done_says_so(shapes, tmp_path):
    """With no epoch left the run stays as it is, made by the backend that made it, and the way on is named."""
    first = fit(config(shapes), tmp_path / "run")
    elsewhere = replace(first.card, made_with={**first.card.made_with, "backend": "torch 9.9"})
    folder.write_card(first.out, elsewhere)
    before = (first.out / "last.keras").read_bytes()
    listener = Listener()
    again = fit(config(shapes), tmp_path / "run", resume=True, watcher=listener)
    assert any("all 2 epochs are done already; give more --epochs to go on" in line for line in listener.lines)
    assert listener.rows == []
    assert (first.out / "last.keras").read_bytes() == before
    assert again.card == elsewhere


def test_a_history_that_does_not_fit_stops_a_resume(shapes, tmp_path):
    """A damaged history.csv is named."""
    fit(config(shapes, epochs=1), tmp_path / "run")
    (tmp_path / "run" / "history.csv").write_text("epoch,loss\n1,x\n")
    with pytest.raises(ConfigError, match=r"history\.csv: cannot be read, so the run cannot be resumed"):
        fit(config(shapes), tmp_path / "run", resume=True)


def test_a_folder_that_cannot_be_written_is_refused_first(shapes, tmp_path):
    """A path below a regular file is refused before anything is decoded."""
    (tmp_path / "file").write_text("")
    listener = Listener()
    with pytest.raises(ConfigError, match=r"run: cannot be written to .*; take another --out"):
        fit(config(shapes), tmp_path / "file" / "run", watcher=listener)
    assert listener.lines == []


def broken_copy(folder):
    """Drawn shapes of which disc/000.png is cut off in its middle and ring/000.png is text."""
    drawn.write_class_folders(folder, pictures=8)
    picture = folder / "disc" / "000.png"
    picture.write_bytes(picture.read_bytes()[:50])
    (folder / "ring" / "000.png").write_text("text")
    return folder


def test_broken_pictures_are_named_counted_and_left_out(tmp_path):
    """Both are said by name, then a count with the way to stop at them; the run goes on."""
    listener = Listener()
    fit(config(broken_copy(tmp_path / "data"), epochs=1), tmp_path / "run", watcher=listener)
    left_out = [line for line in listener.lines if line.startswith("left out: ")]
    assert len(left_out) == 2
    assert "disc/000.png" in "".join(left_out)
    assert "ring/000.png" in "".join(left_out)
    counted = [line for line in listener.lines if "could not be read and were left out; --strict stops instead" in line]
    assert sum(int(line.split()[1]) for line in counted) == 2


def test_strict_stops_at_a_broken_picture(tmp_path):
    """With strict the run ends in a DataError that names it, before any model is written."""
    data = broken_copy(tmp_path / "data")
    with pytest.raises(DataError, match=r"000\.png"):
        fit(config(data, data=DataConfig(str(data), strict=True, val_fraction=0.25)), tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_a_class_with_one_group_is_warned_of(tmp_path):
    """A class whose pictures are all one group is not validated; the run says so."""
    drawn.write_class_folders(tmp_path / "data", pictures=6)
    listener = Listener()
    data = DataConfig(str(tmp_path / "data"), group=r"(disc|(?:ring|sq|st).*)")
    fit(config(tmp_path, data=data, epochs=1), tmp_path / "run", watcher=listener)
    assert any("warning: 1 class(es) have a single group and are not validated: disc" in line for line in listener.lines)


def test_the_watcher_hears_begin_batches_epochs_and_end(shapes, tmp_path):
    """Two epochs of six batches: begin once, twelve batches, two rows of which the first is best, end once."""
    listener = Listener()
    fit(config(shapes), tmp_path / "run", watcher=listener)
    assert listener.began == (0, 2, 6)
    assert listener.batches == 12
    assert [row["epoch"] for row, _ in listener.rows] == [1, 2]
    assert listener.rows[0][1]
    assert listener.ended == 1


@pytest.mark.parametrize(("optimizer", "kind"), [("adam", "Adam"), ("adamw", "AdamW"), ("sgd", "SGD"), ("rmsprop", "RMSprop")])
def test_every_optimizer_trains(shapes, tmp_path, optimizer, kind):
    """The saved model has the optimizer that was asked for."""
    fit(config(shapes, optimizer=optimizer, schedule="cosine", weight_decay=0.01, rate=0.01, epochs=1), tmp_path / "run")
    assert keras.saving.load_model(tmp_path / "run" / "last.keras").optimizer.__class__.__name__ == kind


@pytest.mark.parametrize("optimizer", ["adam", "adamw", "sgd", "rmsprop"])
def test_every_optimizer_trains_without_weight_decay(shapes, tmp_path, optimizer):
    """The classic network has none of its own, so none is what it gets."""
    fit(config(shapes, optimizer=optimizer, epochs=1), tmp_path / "run")
    assert not keras.saving.load_model(tmp_path / "run" / "last.keras").optimizer.weight_decay


def test_parts_that_the_data_names_are_kept(tmp_path):
    """train/ and val/ folders: the card says so and the held-out pictures are those of val/."""
    drawn.write_class_folders(tmp_path / "data" / "train", pictures=6)
    drawn.write_class_folders(tmp_path / "data" / "val", pictures=3, seed=1)
    drawn.write_class_folders(tmp_path / "data" / "test", pictures=2, seed=2)
    report = fit(config(tmp_path / "data", epochs=1), tmp_path / "run")
    assert report.card.split == "as the data says: 24 train, 12 val"
    assert report.val.pictures == 12


def test_sums_in_bfloat16_leave_a_network_in_float32(shapes, tmp_path):
    """The run learns, its best weights compute in float32, and resumed it is the run that was not interrupted."""
    settings = config(shapes, arch="edge", precision="bfloat16", epochs=3, layers=Layers(width=0.5))
    whole = fit(settings, tmp_path / "whole")
    best = keras.saving.load_model(whole.out / "best.keras")
    assert {layer.compute_dtype for layer in best.layers if layer.weights} == {"float32"}
    assert keras.config.dtype_policy().name == "float32"
    fit(settings, tmp_path / "parts", watcher=Listener(stop_after=1))
    parts = fit(settings, tmp_path / "parts", resume=True)
    assert equal(weights(whole.out / "last.keras"), weights(parts.out / "last.keras"))
    assert equal(weights(whole.out / "best.keras"), weights(parts.out / "best.keras"))


@pytest.mark.parametrize("balance", ["none", "weights", "focal", "logit-adjust"])
def test_soft_targets_learn_and_measure_as_class_ids_do(shapes, tmp_path, balance):
    """With smoothing, mixup and strangers a run has the same numbers in its history, and its accuracy is that of its report."""
    settings = config(shapes, label_smoothing=0.1, mixup=0.2, strangers=0.1, balance=balance, keep="last")
    report = fit(settings, tmp_path / "run")
    with (report.out / "history.csv").open() as file:
        last = list(csv.DictReader(file))[-1]
    assert float(last["val_accuracy"]) == pytest.approx(report.val.top1, abs=1e-6)
    assert float(last["val_macro_recall"]) == pytest.approx(report.val.macro_recall, abs=1e-6)


def test_a_network_learns_from_a_teacher_alone(trained, exported, shapes, tmp_path):
    """With all the weight on the teacher, whose file it names, a smaller network comes to see what it sees."""
    settings = config(
        shapes,
        input=InputSpec(24, 24),
        layers=Layers(kernels=(8,), dense=32),
        epochs=12,
        teachers=(str(exported["fp32"].out),),
        teacher_weight=1.0,
    )
    assert fit(settings, tmp_path / "run").val.top1 > 0.5  # chance gives 0.25


def test_more_epochs_stretch_the_schedule_of_a_resumed_run(shapes, tmp_path):
    """A cosine over two epochs ends at nothing; resumed for four it goes on in the middle of one over four."""
    fit(config(shapes, schedule="cosine"), tmp_path / "run")
    fit(config(shapes, schedule="cosine", epochs=4), tmp_path / "run", resume=True)
    optimizer = folder.load_model(keras, tmp_path / "run" / "last.keras").optimizer
    assert optimizer.get_config()["learning_rate"]["config"]["falling"] == 4 * 6


def test_few_pictures_are_normalized_as_the_trained_network_normalizes_them(shapes, tmp_path):
    """Moving averages over a hundred batches would still be those of the untrained network: one class for every picture."""
    few = replace(config(shapes, epochs=20), arch="edge", layers=Layers(width=0.25), batch=32, dropout=0.0)
    model = keras.saving.load_model(fit(few, tmp_path / "run").out / "last.keras")
    momenta = {layer.momentum for layer in model.layers if isinstance(layer, keras.layers.BatchNormalization)}
    rows = list(csv.DictReader((tmp_path / "run" / "history.csv").read_text().splitlines()))
    assert momenta == {0.9}
    assert max(float(row["val_accuracy"]) for row in rows[:12]) > 0.6
