"""The whole way of several labels a picture: train, resume, export, eval, predict, run, and what is refused."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from typer.testing import CliRunner

from edgecls import Classifier, evaluate_model, export_model
from edgecls.cli.entry import app
from edgecls.dataset import DataConfig
from edgecls.errors import ConfigError, DataError
from edgecls.input_spec import InputSpec
from edgecls.train.fit import fit
from tests.drawn import write_class_folders, write_label_table
from tests.runs import config


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """A table of 160 pictures with four shapes, a run of three epochs on them, and its export as fp32."""
    folder = tmp_path_factory.mktemp("several")
    data = write_label_table(folder / "data", pictures=160)
    settings = config(
        data, data=DataConfig(str(data), val_fraction=0.25, multi_label=True), input=InputSpec(height=24, width=24), epochs=2
    )
    fit(settings, folder / "run")
    report = fit(replace(settings, epochs=3), folder / "run", resume=True)
    export_model(folder / "run", folder / "m.onnx", scheme="fp32", max_drop=100)
    return folder, report


def test_a_run_is_judged_by_f1_and_average_precision(world):
    """Its card has the thresholds, its history the metrics of labels, and its page a row for each label."""
    folder, report = world
    card = json.loads((folder / "run" / "card.json").read_text())
    assert card["outputs"] == "sigmoid"
    assert len(card["confidence"]["thresholds"]) == 4
    assert {"macro_f1", "mean_ap"} <= set(card["metrics"])
    assert report.epochs == 3
    header = (folder / "run" / "history.csv").read_text().splitlines()[0]
    assert header == "epoch,loss,mean_ap,macro_f1,val_loss,val_mean_ap,val_macro_f1,seconds"
    page = (folder / "run" / "report.html").read_text()
    assert all(word in page for word in ("Macro F1", "Mean AP", "stripes", "mean average precision over 3 epochs"))


def test_the_exported_file_reads_its_outputs_as_labels(world):
    """Golden pictures included; its predictions are those of its thresholds."""
    folder, _ = world
    classifier = Classifier.load(folder / "m.onnx", device="cpu")
    assert classifier.card.multi_label
    assert {"macro_f1", "mean_ap", "parity_largest_difference"} <= set(classifier.card.metrics)
    found = evaluate_model(folder / "m.onnx", folder / "data", device="cpu").report
    assert found.truth.shape == found.probabilities.shape == (160, 4)
    assert found.macro_f1 > 0.3


def test_the_commands_show_labels(world):
    """info, eval as text and JSON with its page, and predict."""
    folder, _ = world
    model, data = str(folder / "m.onnx"), str(folder / "data")
    run = lambda *words: CliRunner().invoke(app, [str(word) for word in words], catch_exceptions=False).stdout  # noqa: E731
    assert "several labels a picture" in run("info", model)
    assert "macro F1" in run("eval", model, data, "--device", "cpu")
    record = json.loads(run("eval", model, data, "--device", "cpu", "--json", "--report", folder / "e.html"))
    assert {"label", "pictures", "of", "threshold", "precision", "recall", "f1", "average_precision"} == set(
        record["labels"][0]
    )
    assert "average precision" in (folder / "e.html").read_text()
    found = json.loads(run("predict", model, folder / "data" / "0000.png", "--device", "cpu", "--json"))
    assert {label for label, _ in found["labels"]} <= {"disc", "ring", "square", "stripes"}
    assert found["label"] == (found["labels"][0][0] if found["labels"] else "none")


def test_data_of_the_other_kind_is_refused(world, tmp_path):
    """A model with several labels needs a table, and one with one label no table of several."""
    folder, _ = world
    classes = write_class_folders(tmp_path / "classes", pictures=3)
    with pytest.raises(DataError, match="class folders give one label for each picture"):
        evaluate_model(folder / "m.onnx", classes, device="cpu")


def test_a_teacher_must_give_several_labels_too(world, light_model):
    """Another kind of outputs is refused by name."""
    folder, _ = world
    data = DataConfig(str(folder / "data"), multi_label=True)
    with pytest.raises(ConfigError, match="it gives one label for a picture, and this run learns several"):
        fit(config(folder / "data", data=data, teachers=(str(light_model),)), folder / "taught")


@pytest.mark.parametrize(
    "changes", [{"teachers": True, "label_smoothing": 0.1, "mixup": 0.2, "strangers": 0.1}, {"balance": "sampler"}]
)
def test_what_helps_training_works_with_several_labels_too(world, tmp_path, changes):
    """Smoothing, mixup, outliers and a teacher together; and sampling."""
    folder, _ = world
    if changes.get("teachers"):
        changes = {**changes, "teachers": (str(folder / "m.onnx"),)}
    data = DataConfig(str(folder / "data"), val_fraction=0.25, multi_label=True)
    report = fit(
        config(folder / "data", data=data, input=InputSpec(height=24, width=24), epochs=1, **changes), tmp_path / "run"
    )
    assert report.val.probabilities.shape[1] == 4
