"""Tests of interrupted and resumed runs."""

from __future__ import annotations

import csv
import functools
import json
import shutil
from dataclasses import replace

import keras
import numpy as np
import pytest

from edgecls.errors import ConfigError
from edgecls.train import folder
from edgecls.train.config import Augment
from edgecls.train.fit import fit
from edgecls.train.model import ARCHITECTURES
from tests.runs import SMALL, Listener, config


def weights(path):
    """Return the weights of a .keras file."""
    return keras.saving.load_model(path).get_weights()


def equal(a, b):
    """Return whether two lists of arrays are equal bit by bit."""
    return len(a) == len(b) and all(np.array_equal(x, y) for x, y in zip(a, b, strict=True))


def one_block(layers, x, _shape, dropout):
    """A single residual block: TensorFlow traces it in a fraction of the time that the whole network takes."""
    x = layers.Conv2D(8, 3, strides=2)(x)
    x = layers.Add()([x, layers.BatchNormalization()(layers.Conv2D(8, 3, padding="same")(x))])
    return layers.Dropout(dropout)(layers.Flatten()(x))


@pytest.fixture(scope="module")
def whole(shapes, tmp_path_factory):
    """Return settings with everything that is random, per architecture, and the folder of a run of three epochs."""
    out = tmp_path_factory.mktemp("whole")

    @functools.cache
    def trained_with(arch):
        layers = SMALL if arch == "classic" else replace(SMALL, width=0.25)
        settings = config(shapes, arch=arch, layers=layers, augment=Augment(), dropout=0.2, epochs=3)
        return settings, fit(settings, out / arch)

    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(ARCHITECTURES, "residual", replace(ARCHITECTURES["residual"], features=one_block))
        yield trained_with


def test_the_same_seed_gives_the_same_weights_and_the_same_card(whole, tmp_path):
    """Two runs with the same config are equal bit by bit, including augmentation and dropout; another seed differs."""
    settings, one = whole("classic")
    two = fit(settings, tmp_path / "two")
    other = fit(replace(settings, seed=1), tmp_path / "three")
    assert equal(weights(one.out / "last.keras"), weights(two.out / "last.keras"))
    assert not equal(weights(one.out / "last.keras"), weights(other.out / "last.keras"))
    assert one.card == two.card


@pytest.mark.parametrize("arch", ["classic", "edge", "residual"])
def test_a_run_that_was_interrupted_and_resumed_is_the_run_that_was_not(whole, tmp_path, arch):
    """After Ctrl-C in epoch 2 of 3 and resuming, the weights equal those of three epochs without a break."""
    settings, undisturbed = whole(arch)
    first = fit(settings, tmp_path / "parts", watcher=Listener(stop_after=2))
    assert first.interrupted
    assert first.epochs == 2
    listener = Listener()
    second = fit(settings, tmp_path / "parts", resume=True, watcher=listener)
    assert not second.interrupted
    assert [row["epoch"] for row, _ in listener.rows] == [3]
    assert equal(weights(undisturbed.out / "last.keras"), weights(second.out / "last.keras"))
    assert equal(weights(undisturbed.out / "best.keras"), weights(second.out / "best.keras"))
    assert undisturbed.card == second.card


def test_an_interrupt_inside_an_epoch_goes_back_to_the_last_whole_one(short_run, shapes, tmp_path):
    """Ctrl-C in batch 9, with 6 per epoch, keeps epoch 1; the resumed run equals the uninterrupted one."""
    settings, (whole, _) = config(shapes), short_run
    cut = fit(settings, tmp_path / "cut", watcher=Listener(stop_in_batch=9))
    assert cut.interrupted
    assert cut.epochs == 1
    assert {p.name for p in cut.out.iterdir()} >= {"best.keras", "card.json", "report.html"}
    second = fit(settings, tmp_path / "cut", resume=True)
    assert equal(weights(whole.out / "last.keras"), weights(second.out / "last.keras"))


def test_an_interrupt_keeps_the_best_epoch(shapes, tmp_path):
    """After Ctrl-C the run can be exported: card.json has the metrics of best.keras."""
    report = fit(config(shapes, epochs=5), tmp_path / "run", watcher=Listener(stop_after=3))
    with (report.out / "history.csv").open() as file:
        accuracies = [float(row["val_accuracy"]) for row in csv.DictReader(file)]
    assert len(accuracies) == 3
    assert json.loads((report.out / "card.json").read_text())["metrics"]["top1"] == pytest.approx(max(accuracies), abs=1e-5)


def test_an_interrupt_before_the_first_whole_epoch_is_passed_on(shapes, tmp_path):
    """There is no epoch to keep: KeyboardInterrupt is raised, and no model is left."""
    listener = Listener(stop_in_batch=2)
    with pytest.raises(KeyboardInterrupt):
        fit(config(shapes), tmp_path / "run", watcher=listener)
    assert listener.ended == 1
    assert not list((tmp_path / "run").glob("*.keras"))


def test_resume_without_a_run_is_refused(shapes, tmp_path):
    """The error names the folder and what is missing; no file is written."""
    with pytest.raises(ConfigError, match=r"run: there is no run to resume \(best.keras or last.keras is missing\)"):
        fit(config(shapes), tmp_path / "run", resume=True)
    assert not (tmp_path / "run").exists()


def test_an_existing_run_is_not_written_over(shapes, trained):
    """Without `resume`, the error gives both alternatives, and the run is unchanged."""
    before = (trained.out / "best.keras").read_bytes()
    with pytest.raises(ConfigError, match="already has a run; continue it with `resume`, or choose another `out`"):
        fit(config(shapes), trained.out)
    assert (trained.out / "best.keras").read_bytes() == before


def test_resuming_a_run_that_is_done_says_so(short_run, shapes, tmp_path):
    """If all epochs are done, the run and its versions are unchanged, and a message says how to continue."""
    first, _ = short_run
    run = shutil.copytree(first.out, tmp_path / "run")
    elsewhere = replace(first.card, made_with={**first.card.made_with, "backend": "torch 9.9"})
    folder.write_card(run, elsewhere)
    before = (run / "last.keras").read_bytes()
    listener = Listener()
    again = fit(config(shapes), run, resume=True, watcher=listener)
    assert any("all 2 epochs are already done; to continue, give more `epochs`" in line for line in listener.lines)
    assert listener.rows == []
    assert (run / "last.keras").read_bytes() == before
    assert again.card == elsewhere


def test_a_history_that_does_not_fit_stops_a_resume(short_run, shapes, tmp_path):
    """The error names a damaged history.csv."""
    shutil.copytree(short_run[0].out, tmp_path / "run")
    (tmp_path / "run" / "history.csv").write_text("epoch,loss\n1,x\n2,0.5\n")
    with pytest.raises(ConfigError, match=r"history\.csv:2: loss cannot be .x., so the run cannot be resumed"):
        fit(config(shapes), tmp_path / "run", resume=True)


def test_sums_in_bfloat16_leave_a_network_in_float32(shapes, tmp_path, monkeypatch):
    """The run learns, its best weights compute in float32, and a resumed run equals an uninterrupted one."""
    monkeypatch.setitem(ARCHITECTURES, "edge", replace(ARCHITECTURES["edge"], features=one_block))
    settings = config(shapes, arch="edge", precision="bfloat16")
    whole = fit(settings, tmp_path / "whole")
    best = keras.saving.load_model(whole.out / "best.keras")
    assert {layer.compute_dtype for layer in best.layers if layer.weights} == {"float32"}
    assert keras.config.dtype_policy().name == "float32"
    fit(settings, tmp_path / "parts", watcher=Listener(stop_after=1))
    parts = fit(settings, tmp_path / "parts", resume=True)
    assert equal(weights(whole.out / "last.keras"), weights(parts.out / "last.keras"))
    assert equal(weights(whole.out / "best.keras"), weights(parts.out / "best.keras"))


def test_more_epochs_stretch_the_schedule_of_a_resumed_run(shapes, tmp_path):
    """A cosine over two epochs ends at zero; resumed for four, it continues in the middle of a cosine over four."""
    fit(config(shapes, schedule="cosine"), tmp_path / "run")
    fit(config(shapes, schedule="cosine", epochs=4), tmp_path / "run", resume=True)
    optimizer = folder.load_model(keras, tmp_path / "run" / "last.keras").optimizer
    assert optimizer.get_config()["learning_rate"]["config"]["falling"] == 4 * 6
