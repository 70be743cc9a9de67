"""Export a run folder to a file, which is measured before it is written."""

from __future__ import annotations

import re
import shutil
from dataclasses import replace

import numpy as np
import onnx
import onnx.printer
import pytest

from edgecls import Classifier, ModelCard
from edgecls.dataset import DataConfig, decode, fingerprint, scan
from edgecls.errors import ConfigError, DataError, ExportError, GateError
from edgecls.evaluate import measure
from edgecls.export import ladder_search
from edgecls.export.build import export_model
from edgecls.export.quantize import SCHEMES
from edgecls.input_spec import InputSpec
from edgecls.model import confidence
from edgecls.model.confidence import UNKNOWN, UNKNOWN_ID
from edgecls.settings import build as settings
from edgecls.settings import read_toml
from edgecls.train.config import Augment, Layers
from edgecls.train.fit import fit
from tests import drawn
from tests.runs import config

TOO_FEW = (
    "warning: 32 held-out pictures are too few to calibrate the scores; they stay unchanged, "
    "and no picture comes out as unknown by its scores"
)


@pytest.mark.parametrize("scheme", ["fp32", "fp16", "int8"])
def test_the_file_carries_a_card_measured_on_itself(exported, trained, shapes, scheme):
    """The top1 on the card is that of a Classifier of the file on the held-out pictures of the run."""
    report = exported[scheme]
    classifier = Classifier.load(report.out)
    assert classifier.card == report.card
    assert classifier.card.scheme == scheme
    data = settings(DataConfig, read_toml(trained.out / "config.toml")["data"], "config.toml")
    held_out = decode(data.split(scan(shapes)).val, classifier.card.input)
    again = measure(classifier.probabilities, classifier.card.labels, held_out, range(4))
    assert classifier.card.metrics["top1"] == round(again.top1, 5)
    assert classifier.card.measured_on == "32 held-out pictures"
    assert classifier.card.dataset == trained.card.dataset
    assert classifier.card.split == trained.card.split
    assert classifier.card.about == "drawn shapes"
    assert classifier.card.made_with["calibration_pictures"] == "88"
    assert {"keras", "tensorflow", "tf2onnx", "onnx", "onnxruntime", "arch"} <= set(classifier.card.made_with)


def test_fp32_is_keras_to_the_sixth_digit(exported):
    """No probability differs by more than 1e-5, and every label agrees."""
    parity = exported["fp32"].parity
    assert parity.largest_difference < 1e-5
    assert parity.agreement == 1
    assert parity.top1_drop == 0


def test_int8_stays_close(exported):
    """At least nine of ten labels agree with Keras."""
    assert exported["int8"].parity.agreement >= 0.9


def test_the_table_has_a_row_for_each_form(exported):
    """The rows are Keras, fp32 and int8; the size of int8 is that of the file."""
    assert [rung.name for rung in exported["fp32"].ladder.rungs] == ["keras", "fp32"]
    assert [rung.name for rung in exported["int8"].ladder.rungs] == ["keras", "fp32", "int8"]
    assert exported["int8"].ladder.rungs[2].bytes == exported["int8"].out.stat().st_size


def test_two_exports_of_a_run_give_the_same_file(exported, trained, tmp_path):
    """Exporting again gives the same card and the same bytes, except for the node numbers that tf2onnx counts up."""
    again = export_model(trained.out / "best.keras", tmp_path / "again.onnx", scheme="int8", max_drop=10)
    assert again.card == exported["int8"].card
    first, second = (_without_counters(report.out) for report in (exported["int8"], again))
    assert first == second


def _without_counters(path):
    """Return the text of a model without tf2onnx's running numbers, and its weights in order."""
    model = onnx.load(path)
    weights = [onnx.numpy_helper.to_array(i).tobytes() for i in model.graph.initializer]
    return re.sub(r"__\d+", "", onnx.printer.to_text(model)), weights


def test_the_graph_and_the_data_of_a_run_may_have_moved(trained, shapes, tmp_path):
    """A run whose pictures have moved is exported with `calibration`, without a warning and with the same card."""
    shutil.copytree(shapes, tmp_path / "moved")
    shutil.copytree(trained.out, tmp_path / "run")
    text = (tmp_path / "run" / "config.toml").read_text().replace(str(shapes), str(tmp_path / "gone"))
    (tmp_path / "run" / "config.toml").write_text(text)
    with pytest.raises(DataError, match="gone: no such file or folder"):
        export_model(tmp_path / "run", tmp_path / "m.onnx", scheme="fp32")
    lines = []
    export_model(tmp_path / "run", tmp_path / "m.onnx", scheme="fp32", calibration=str(tmp_path / "moved"), say=lines.append)
    assert lines == [TOO_FEW]


def test_other_pictures_than_those_of_the_run_cause_a_warning(trained, tmp_path):
    """Other pictures of the same classes: exported with a warning that has both fingerprints."""
    drawn.write_class_folders(tmp_path / "other", pictures=8, seed=9)
    lines = []
    export_model(trained.out, tmp_path / "m.onnx", scheme="fp32", calibration=str(tmp_path / "other"), say=lines.append)
    found = fingerprint(scan(tmp_path / "other"))
    assert lines == [
        f"warning: {tmp_path / 'other'} is not what the run was trained on ({found}, the card says {trained.card.dataset})",
        TOO_FEW.replace("32", "8"),
    ]


def test_pictures_of_other_classes_are_refused(trained, tmp_path):
    """Two classes for a run of four: nothing is written."""
    drawn.write_class_folders(tmp_path / "other", pictures=4, names=("disc", "ring"))
    with pytest.raises(ExportError, match=r"other: its classes are not those of the run \(2 against 4\)"):
        export_model(trained.out, tmp_path / "m.onnx", calibration=str(tmp_path / "other"))
    assert not (tmp_path / "m.onnx").exists()


def test_test_pictures_are_measured_for_the_card(trained, tmp_path):
    """With `test`, the metrics and `measured_on` of the card are those of the test pictures."""
    drawn.write_class_folders(tmp_path / "test", pictures=5, seed=7)
    report = export_model(trained.out, tmp_path / "m.onnx", scheme="fp32", test=str(tmp_path / "test"))
    assert report.card.metrics["pictures"] == 20
    assert report.card.measured_on == f"20 test pictures ({fingerprint(scan(tmp_path / 'test'))})"


@pytest.mark.parametrize("scheme", ["fp32", "int8"])
def test_scores_are_fitted_to_the_held_out_pictures(trained, shapes, tmp_path, monkeypatch, scheme):
    """With reject 1/8, about 4 of the 32 held-out pictures are unknown, with their best labels in `top`. The temperature is
    fitted, and the metrics on the card are those of the file.
    """
    monkeypatch.setattr(confidence, "MIN_PICTURES_TO_FIT", 20)
    lines = []
    out = tmp_path / "m.onnx"
    card = export_model(trained.out, out, scheme=scheme, max_drop=10, reject=1 / 8, say=lines.append).card
    assert lines == []
    assert card.confidence.temperature != 1
    classifier = Classifier.load(out, device="cpu")
    data = settings(DataConfig, read_toml(trained.out / "config.toml")["data"], "config.toml")
    held_out = decode(data.split(scan(shapes)).val, card.input)
    again = measure(classifier.probabilities, card.labels, held_out, range(4))
    assert card.metrics["calibration_error"] == round(again.calibration_error, 5)
    assert card.metrics["coverage"] == pytest.approx(28 / 32, abs=1 / 32)
    predictions = classifier.predictions(classifier.answers(held_out.batch))
    unknown = [prediction for prediction in predictions if prediction.label == UNKNOWN]
    assert len(unknown) == pytest.approx(4, abs=1)
    assert {prediction.class_id for prediction in unknown} == {UNKNOWN_ID}
    assert all(prediction.top[0][0] in card.labels and prediction.score == prediction.top[0][1] for prediction in unknown)


def test_without_reject_nothing_is_unknown(trained, tmp_path, monkeypatch):
    """With reject 0 scores are still calibrated. A share above 1 is refused."""
    monkeypatch.setattr(confidence, "MIN_PICTURES_TO_FIT", 20)
    card = export_model(trained.out, tmp_path / "m.onnx", scheme="fp32", reject=0).card
    assert card.confidence.reject_below == 0
    assert "coverage" not in card.metrics
    with pytest.raises(ConfigError, match=r"reject 1.5: expected the share of known pictures"):
        export_model(trained.out, tmp_path / "m.onnx", reject=1.5)


def with_biases(model, change):
    """Copy a model and change its last biases, one for each of the four classes, by a function."""
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    for weight in copy.graph.initializer:
        values = onnx.numpy_helper.to_array(weight)
        if values.shape == (4,) and values.dtype == np.float32:
            weight.CopyFrom(onnx.numpy_helper.from_array(change(values), weight.name))
    return copy


def wrong(to_onnx):
    """Return a converter that gets the last biases wrong."""
    return lambda model, spec: with_biases(to_onnx(model, spec), lambda b: b + np.array([5, 0, 0, 0], np.float32))


@pytest.mark.parametrize("scheme", ["fp32", "int8"])
def test_a_wrong_conversion_is_refused_and_leaves_no_file(trained, tmp_path, monkeypatch, scheme):
    """The comparison with Keras detects a converter that changes the last layer; nothing is written."""
    monkeypatch.setattr(ladder_search, "to_onnx", wrong(ladder_search.to_onnx))
    with pytest.raises(ExportError, match=r"m\.onnx: its probabilities differ from Keras by up to .*nothing was written"):
        export_model(trained.out, tmp_path / "m.onnx", scheme=scheme, max_drop=100)
    assert list(tmp_path.iterdir()) == []


def spoilt(model, pictures):
    """Return a useless model, as a scheme: every picture gets the same label."""
    return with_biases(model, lambda b: np.array([999, 0, 0, 0], np.float32))


def test_a_scheme_that_loses_too_much_is_refused_and_leaves_no_file(trained, tmp_path, monkeypatch):
    """A loss above max_drop is refused, and the old file stays. With a larger max_drop the file is written."""
    monkeypatch.setitem(SCHEMES, "int8", spoilt)
    (tmp_path / "m.onnx").write_bytes(b"old")
    message = r"m\.onnx: int8 loses [\d.]+ points of top-1 and [\d.]+ points of macro recall, at most 0\.5; nothing was written"
    with pytest.raises(GateError, match=message):
        export_model(trained.out, tmp_path / "m.onnx", scheme="int8")
    assert (tmp_path / "m.onnx").read_bytes() == b"old"
    assert len(list(tmp_path.iterdir())) == 1
    export_model(trained.out, tmp_path / "m.onnx", scheme="int8", max_drop=100)
    assert Classifier.load(tmp_path / "m.onnx").card.metrics["top1"] == pytest.approx(0.25, abs=0.1)


def test_an_interrupted_export_leaves_no_file(trained, tmp_path, monkeypatch):
    """Ctrl-C during the export leaves no complete or partial file."""

    def interrupted(*_args, **_kwargs):
        raise KeyboardInterrupt

    monkeypatch.setattr(ladder_search, "measure", interrupted)
    with pytest.raises(KeyboardInterrupt):
        export_model(trained.out, tmp_path / "m.onnx", scheme="fp32")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("out", "scheme", "message"),
    [
        ("m.onnx", "int4", "scheme 'int4' is not known; expected auto or one of fp32, fp16, int8, int8-tensor, "),
        ("m.bin", "fp32", "m.bin`: expected a file name that ends in .onnx"),
        ("none/m.onnx", "fp32", "none does not exist; create it first"),
        ("file/m.onnx", "fp32", "file is no folder"),
    ],
)
def test_invalid_settings_are_refused_first(trained, tmp_path, out, scheme, message):
    """An unknown scheme, another file extension, and a folder that does not exist or is a file."""
    (tmp_path / "file").touch()
    with pytest.raises(ConfigError) as caught:
        export_model(trained.out, tmp_path / out, scheme=scheme)
    assert message in str(caught.value)


def test_a_folder_that_is_not_a_run_is_refused(trained, tmp_path):
    """For an empty folder and for a best.keras on its own, the message names the missing files and the command to make them."""
    with pytest.raises(
        ConfigError,
        match=r"missing: best\.keras, card\.json, config\.toml; make one with: edgecls train",
    ):
        export_model(tmp_path, tmp_path / "m.onnx")
    shutil.copy(trained.out / "best.keras", tmp_path / "best.keras")
    with pytest.raises(ConfigError, match=r"missing: card\.json, config\.toml"):
        export_model(tmp_path / "best.keras", tmp_path / "m.onnx")


def test_a_damaged_keras_file_is_refused(trained, tmp_path):
    """A truncated best.keras gives one line with its path instead of a traceback of Keras."""
    shutil.copytree(trained.out, tmp_path / "run")
    content = (tmp_path / "run" / "best.keras").read_bytes()
    (tmp_path / "run" / "best.keras").write_bytes(content[: len(content) // 2])
    with pytest.raises(ConfigError, match=r"best\.keras: Keras cannot load it"):
        export_model(tmp_path / "run", tmp_path / "m.onnx")
    assert not (tmp_path / "m.onnx").exists()


@pytest.mark.parametrize(
    "changes",
    [
        {"arch": "linear"},
        {"arch": "edge", "layers": Layers(width=0.5)},
        {"arch": "residual", "layers": Layers(width=0.25), "input": InputSpec(20, 20)},
        {
            "arch": "residual",
            "layers": Layers(width=0.25),
            "input": InputSpec(48, 32, "rgb"),
            "precision": "bfloat16",
            "epochs": 1,
        },
        {"arch": "edge", "layers": Layers(width=0.5, normalize=True)},
        {"layers": Layers(kernels=(4, 8), pool="average", pool_bias=True, pool_activation="sigmoid", dense=16)},
        {"layers": Layers(kernels=(4,), pool_window=3, pool_stride=2, pool_activation="relu", dense=16)},
        {"input": InputSpec(16, 24, "rgb", "letterbox"), "augment": Augment()},
    ],
    ids=[
        "linear",
        "edge",
        "residual",
        "residual in colour, bfloat16",
        "edge, normalized pictures",
        "trainable pooling",
        "overlapping windows",
        "colour, not square",
    ],
)
def test_every_kind_of_network_can_be_trained_and_exported(shapes, tmp_path, changes):
    """Trained for two epochs and exported: fp32 equals Keras, int8 is close."""
    run = fit(config(shapes, **changes), tmp_path / "run")
    report = export_model(run.out, tmp_path / "m.onnx", scheme="int8", max_drop=100)
    assert report.parity.mean_difference < 0.02
    fp32 = export_model(run.out, tmp_path / "f.onnx", scheme="fp32")
    assert fp32.parity.largest_difference < 1e-5
    assert "Random" not in " ".join(n.op_type for n in onnx.load(fp32.out).graph.node)


@pytest.mark.parametrize("classes", [2, 1000])
def test_two_and_a_thousand_classes(tmp_path, classes):
    """Trained for one epoch on two pictures per class and exported, the model gives a probability for each class."""
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (2 * classes, 8, 8), np.uint8)
    np.savez(tmp_path / "data.npz", train_images=images, train_labels=np.repeat(np.arange(classes), 2))
    settings_ = config(tmp_path / "data.npz", input=InputSpec(8, 8), layers=Layers(kernels=(4,), dense=16), epochs=1, batch=64)
    run = fit(settings_, tmp_path / "run")
    report = export_model(run.out, tmp_path / "m.onnx", scheme="int8", max_drop=100)
    classifier = Classifier.load(report.out)
    assert len(classifier.card.labels) == classes
    found = classifier.probabilities(images[:3, ..., None])
    assert found.shape == (3, classes)
    assert found.sum(axis=1).tolist() == pytest.approx([1, 1, 1], abs=1e-4)


def test_the_card_of_a_run_must_fit_its_network(trained, tmp_path):
    """A card with one label less than the network has outputs is refused, and no file is written."""
    shutil.copytree(trained.out, tmp_path / "run")
    card = ModelCard.from_json((tmp_path / "run" / "card.json").read_text(), "x")
    card = replace(card, labels=tuple(label for label in card.labels if label != "square"), measured=None)
    (tmp_path / "run" / "card.json").write_text(card.to_json())
    drawn.write_class_folders(tmp_path / "three", pictures=6, names=("disc", "ring", "stripes"))
    with pytest.raises(ValueError, match=r"to 3 probabilities, as the card\.json beside it says"):
        export_model(tmp_path / "run", tmp_path / "m.onnx", calibration=str(tmp_path / "three"))
    assert not (tmp_path / "m.onnx").exists()


def _network(kind):
    """Return a network that does not fit a training run on 24x24 gray pictures of four classes."""
    import keras

    layers, picture = keras.layers, keras.Input((24, 24, 1), dtype="uint8")
    row = layers.Flatten()(layers.Rescaling(1 / 255)(picture))
    if kind == "no input":
        return keras.Sequential([layers.Flatten(), layers.Dense(4)])
    if kind == "two inputs":
        return keras.Model([picture, keras.Input((24, 24, 1))], layers.Dense(4)(row))
    outputs = {"two outputs": [layers.Dense(4)(row), layers.Dense(4)(row)], "a table": {"a": layers.Dense(4)(row)},
               "three labels": layers.Dense(3)(row), "a map": layers.Reshape((12, 12, 4))(row)}  # fmt: skip
    return keras.Model(picture, outputs[kind])


@pytest.mark.filterwarnings("ignore:You are saving a model that has not yet been built")
@pytest.mark.parametrize("kind", ["no input", "two inputs", "two outputs", "a table", "three labels", "a map"])
def test_a_network_of_another_form_is_refused(trained, tmp_path, kind):
    """Inputs and outputs are checked before anything is converted or measured."""
    run = shutil.copytree(trained.out, tmp_path / "run")
    _network(kind).save(run / "best.keras")
    with pytest.raises(ConfigError, match=r"best\.keras: expected a network from pictures of \(24, 24, 1\) to 4 probabilities"):
        export_model(run, tmp_path / "m.onnx")


def test_a_network_that_gives_nan_is_refused(trained, tmp_path):
    """The weights are NaN, as after a training run that diverged."""
    import keras

    run = shutil.copytree(trained.out, tmp_path / "run")
    model = keras.saving.load_model(run / "best.keras", compile=False)
    model.layers[-1].set_weights([np.full_like(weights, np.nan) for weights in model.layers[-1].get_weights()])
    model.save(run / "best.keras")
    with pytest.raises(ExportError, match=r"as keras the network gives no numbers .* for 32 of 32 held-out pictures"):
        export_model(run, tmp_path / "m.onnx", scheme="fp32")
    assert not (tmp_path / "m.onnx").exists()


def test_broken_pictures_among_the_held_out_ones_are_left_out(trained, shapes, tmp_path):
    """A picture that was damaged after the run does not stop the export."""
    shutil.copytree(shapes, tmp_path / "data")
    for name in ("disc", "ring", "square", "stripes"):
        (tmp_path / "data" / name / "003.png").write_text("text")
    report = export_model(trained.out, tmp_path / "m.onnx", scheme="fp32", calibration=str(tmp_path / "data"))
    assert report.card.metrics["pictures"] <= 32


def test_an_export_measures_novelty(trained, shapes, tmp_path):
    """The file has a second output, fitted to the training pictures, and its golden pictures check it; it can be left out."""
    report = export_model(trained.out, tmp_path / "m.onnx", scheme="int8", max_drop=100)
    classifier = Classifier.load(report.out, device="cpu")
    held_out = decode(scan(shapes).items, classifier.card.input)
    assert classifier.card.novelty == report.card.novelty
    assert report.card.novelty.kept == 0.98
    assert (classifier.answers(held_out.batch[:]).novelty <= 1).mean() > 0.9
    assert b'"novelty_bound"' in report.out.read_bytes()
    without = export_model(trained.out, tmp_path / "n.onnx", scheme="fp32", novelty=False, max_drop=100)
    assert without.card.novelty is None
    assert Classifier.load(without.out, device="cpu").answers(held_out.batch[:2]).novelty is None
