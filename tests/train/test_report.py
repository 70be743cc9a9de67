"""Tests of the report of a training run."""

from __future__ import annotations

import keras
import pytest

from edgecls.dataset import DataConfig, decode, scan, split
from edgecls.train.config import TrainConfig
from edgecls.train.fit import fit
from edgecls.train.folder import load_model
from edgecls.train.report import kept_epoch
from tests import drawn
from tests.report.made import Reader
from tests.runs import config


@pytest.fixture(scope="session")
def shown(trained):
    """Return the parsed report of the `trained` run."""
    return Reader((trained.out / "report.html").read_text(encoding="utf-8"))


def test_a_run_writes_its_page(trained, shown):
    """The page is complete: metrics, data and license, fingerprint and settings."""
    assert f"Training run {trained.out.name} Measured on 32 held-out pictures of" in shown.text
    assert f"Top-1 {100 * trained.val.top1:.2f} %" in shown.text
    assert "Data and terms drawn shapes" in shown.text
    assert trained.card.dataset in shown.text
    assert trained.card.split in shown.text
    assert "layers.kernels = 16" in shown.text
    assert "best_by = accuracy" in shown.text


def test_the_gap_is_in_the_page_and_in_the_report(trained, shown):
    """The gap is measured on the 88 unchanged training pictures and the 32 held-out ones."""
    assert trained.advice in shown.text
    assert (trained.gap.training_pictures, trained.gap.validation_pictures) == (88, 32)
    assert trained.gap.validation == trained.val.top1
    assert trained.gap.training > 0.8


def test_training_accuracy_is_that_of_the_kept_model_on_the_pictures_as_they_are(trained, shapes):
    """Evaluated again on all training pictures, best.keras has the same accuracy."""
    train = decode(split(scan(shapes), fraction=0.25).train, trained.card.input)
    model = load_model(keras, trained.out / "best.keras")
    right = model.predict_on_batch(train.batch).argmax(axis=1) == train.class_ids
    assert trained.gap.training == pytest.approx(right.mean())


def test_the_epoch_that_is_kept_is_marked(trained, shown):
    """There are three curves over 12 epochs, with a mark at the epoch of best.keras."""
    assert shown.text.count("over 12 epochs") == 3
    assert shown.text.count("kept: ") == 3


def test_the_kept_epoch_is_the_first_of_the_best_or_the_last():
    """If equal, the smaller loss wins, then the earlier epoch; with --keep last it is the last epoch."""
    rows = [(1, 0.5, 1.0), (2, 0.9, 0.4), (3, 0.9, 0.3), (4, 0.9, 0.3)]
    history = [{"epoch": e, "val_accuracy": a, "val_loss": loss} for e, a, loss in rows]
    assert kept_epoch(history, TrainConfig(DataConfig("data"))) == 3
    assert kept_epoch(history, TrainConfig(DataConfig("data"), keep="last")) == 4


def test_names_of_classes_and_files_are_text(tmp_path):
    """A class folder named like a script is escaped; broken pictures of both sides are named."""
    names = {"disc": "<script>alert(1)<&#47;script>", "ring": "ring"}
    drawn.write_class_folders(tmp_path / "data", pictures=8, names=tuple(names))
    for old, new in names.items():
        (tmp_path / "data" / old).rename(tmp_path / "data" / new)
    (tmp_path / "data" / "ring" / "003.png").write_text("text")
    done = fit(config(tmp_path / "data", epochs=1), tmp_path / "run")
    content = (done.out / "report.html").read_text(encoding="utf-8")
    read = Reader(content)
    assert content.count("<script>") == 1
    assert "<script>alert(1)<&#47;script>" in read.text
    assert "1 could not be read and are not in any number here:" in read.text
    assert "ring/003.png: not a picture that OpenCV can decode" in read.text
