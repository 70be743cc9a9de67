"""Keras models made models of edgecls, from .keras files and from the .h5 files of Keras 2."""

from __future__ import annotations

import json
import zipfile

import h5py
import numpy as np
import pytest

from edgecls import Classifier, ConfigError, ExportError, ModelError, extras
from edgecls.export.adopt import Watching, adopt, from_keras
from edgecls.export.adopt.drawn import drawn
from edgecls.export.adopt.feed import Answers

SAID = {"labels": "numbers", "color": "rgb"}
SEEN = drawn((8, 8, 3))


@pytest.fixture(scope="module")
def keras():
    """Keras, loaded without TensorFlow's greeting."""
    return extras.load("keras", extra="train", purpose="Testing")


def network(keras, *first, size=8, units=4, last="softmax"):
    """A network of a convolution and a dense layer behind the layers `first`."""
    layers = keras.layers
    x = pictures = keras.Input((size, size, 3))
    for layer in first:
        x = layer(x)
    x = layers.GlobalAveragePooling2D()(layers.Conv2D(4, 3, activation="relu")(x))
    return keras.Model(pictures, layers.Dense(units, activation=last)(x))


def adopted(path, tmp_path, said=None, **answers):
    """The Classifier of a file."""
    made = adopt(path, tmp_path / "m.onnx", Answers(**{**SAID, **answers}), watching=Watching((said or []).append))
    return made, Classifier.load(tmp_path / "m.onnx", device="cpu")


@pytest.mark.parametrize("name", ["m.keras", "m.h5"])
@pytest.mark.filterwarnings("ignore:.*HDF5")
def test_a_keras_file_says_what_keras_says(keras, tmp_path, name):
    """Values of 0 to 1, said by the user."""
    model = network(keras)
    model.save(tmp_path / name)
    _, classifier = adopted(tmp_path / name, tmp_path, values="0..1")
    expected = model.predict_on_batch(SEEN / np.float32(255))
    assert classifier.probabilities(SEEN) == pytest.approx(expected, abs=1e-5)
    assert classifier.card.made_with["adopted_kind"] == f"Keras, loaded by {keras.__version__}"


@pytest.mark.parametrize("scaling", [(1 / 255, 0.0), (1 / 127.5, -1.0)])
def test_its_own_rescaling_is_seen(keras, tmp_path, scaling):
    """A Rescaling at the start wants levels of 0 to 255, so --values need not be said; augmentation leaves no trace."""
    scale, offset = scaling
    model = network(keras, keras.layers.RandomFlip(), keras.layers.Rescaling(scale, offset), last=None)
    model.save(tmp_path / "m.keras")
    said = []
    made, classifier = adopted(tmp_path / "m.keras", tmp_path, said)
    assert str(made.feed) == "rgb, 0..255"
    logits = model.predict_on_batch(SEEN.astype(np.float32)).astype(np.float64)
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    assert classifier.probabilities(SEEN) == pytest.approx(powers / powers.sum(axis=1, keepdims=True), abs=1e-5)


def test_without_rescaling_values_are_asked_for(keras, tmp_path):
    """Nobody can know; a uint8 input needs none."""
    network(keras).save(tmp_path / "m.keras")
    with pytest.raises(ConfigError, match=r"say what the file does not: --values 0\.\.1\|"):
        adopted(tmp_path / "m.keras", tmp_path)


def test_one_sigmoid_is_two_labels(keras, tmp_path):
    """As most tutorials tell cats from dogs."""
    model = network(keras, keras.layers.Rescaling(1 / 255), units=1, last="sigmoid")
    model.save(tmp_path / "m.keras")
    _, classifier = adopted(tmp_path / "m.keras", tmp_path)
    assert classifier.card.labels == ("0", "1")
    assert classifier.probabilities(SEEN)[:, 1:] == pytest.approx(model.predict_on_batch(SEEN.astype(np.float32)), abs=1e-6)


def test_a_size_that_is_free_is_asked_for(keras, tmp_path):
    """A network over pictures of any size takes one in the file that is written."""
    network(keras, size=None).save(tmp_path / "m.keras")
    with pytest.raises(ConfigError, match="the network takes pictures of any size; say which with --size N or WIDTHxHEIGHT"):
        adopted(tmp_path / "m.keras", tmp_path, values="0..1")
    _, classifier = adopted(tmp_path / "m.keras", tmp_path, values="0..1", size_hw=(10, 12))
    assert classifier.card.input.shape == (10, 12, 3)


def write_keras_2(path):
    """A file as Keras 2.13 wrote it, by hand: a Sequential of Flatten and Dense over 2x2 gray pictures; returns its kernel."""
    kernel = np.random.default_rng(0).normal(0, 1, (4, 3)).astype(np.float32)
    first = {"batch_input_shape": [None, 2, 2, 1], "dtype": "float32"}
    config = {
        "class_name": "Sequential",
        "config": {
            "name": "sequential",
            "layers": [
                {"class_name": "InputLayer", "config": {**first, "sparse": False, "ragged": False, "name": "flatten_input"}},
                {"class_name": "Flatten", "config": {**first, "name": "flatten", "data_format": "channels_last"}},
                {
                    "class_name": "Dense",
                    "config": {
                        "name": "dense", "trainable": True, "dtype": "float32", "units": 3, "activation": "softmax",
                        "use_bias": True, "kernel_initializer": {"class_name": "GlorotUniform", "config": {"seed": None}},
                        "bias_initializer": {"class_name": "Zeros", "config": {}}, "kernel_regularizer": None,
                        "bias_regularizer": None, "activity_regularizer": None, "kernel_constraint": None,
                        "bias_constraint": None,
                    },
                },
            ],
        },
    }  # fmt: skip
    with h5py.File(path, "w") as file:
        file.attrs["model_config"] = json.dumps(config)
        file.attrs["keras_version"], file.attrs["backend"] = "2.13.1", "tensorflow"
        weights = file.create_group("model_weights")
        weights.attrs["layer_names"] = [b"flatten", b"dense"]
        weights.attrs["keras_version"], weights.attrs["backend"] = "2.13.1", "tensorflow"
        weights.create_group("flatten").attrs["weight_names"] = []
        dense = weights.create_group("dense")
        dense.attrs["weight_names"] = [b"dense/kernel:0", b"dense/bias:0"]
        dense["dense/kernel:0"], dense["dense/bias:0"] = kernel, np.zeros(3, np.float32)
    return kernel


def test_a_file_of_keras_2_is_read(tmp_path):
    """Its answers are softmax(pixels x kernel)."""
    kernel = write_keras_2(tmp_path / "old.h5")
    made = adopt(tmp_path / "old.h5", tmp_path / "m.onnx", Answers("numbers", values="0..1"))
    classifier = Classifier.load(made.out)
    assert classifier.card.input.shape == (2, 2, 1)
    seen = drawn((2, 2, 1))
    powers = np.exp(seen.reshape(-1, 4) / 255 @ kernel.astype(np.float64))
    assert classifier.probabilities(seen) == pytest.approx(powers / powers.sum(axis=1, keepdims=True), abs=1e-5)


@pytest.mark.parametrize("name", ["m.keras", "m.h5"])
@pytest.mark.filterwarnings("ignore:.*HDF5")
def test_code_in_a_file_is_not_run(keras, tmp_path, name, monkeypatch):
    """A Lambda layer is refused before Keras sees the file."""
    network(keras, keras.layers.Lambda(lambda x: x / 255)).save(tmp_path / name)
    monkeypatch.setattr(keras.saving, "load_model", None)
    with pytest.raises(
        ModelError, match="it holds a Lambda layer, whose code would be run to load it; where you trust it, replace"
    ):
        adopted(tmp_path / name, tmp_path)
    assert not (tmp_path / "m.onnx").exists()


def test_what_keras_cannot_load_is_one_line(keras, tmp_path):
    """A layer of somebody's own."""

    class Own(keras.layers.Layer):
        def call(self, x):
            return x

    network(keras, Own()).save(tmp_path / "m.keras")
    with pytest.raises(ModelError) as caught:
        adopted(tmp_path / "m.keras", tmp_path)
    assert f"m.keras: Keras {keras.__version__} cannot load it (" in str(caught.value)
    assert str(caught.value).endswith("save it as .keras, or convert it to .onnx, with the version that made it")


def test_what_is_converted_wrongly_is_not_taken(keras, tmp_path, monkeypatch):
    """The graph is run beside Keras before anything else is done with it."""
    other = network(keras)
    network(keras).save(tmp_path / "m.keras")
    right = from_keras.traced
    monkeypatch.setattr(from_keras, "traced", lambda model, *rest: right(other, *rest))
    with pytest.raises(ExportError, match="converted to ONNX it gives something else than in Keras, by"):
        adopted(tmp_path / "m.keras", tmp_path, values="0..1")


def test_networks_of_another_form_are_refused(keras, tmp_path):
    """Two inputs."""
    one, two = keras.Input((8, 8, 3)), keras.Input((8, 8, 3))
    keras.Model([one, two], keras.layers.Flatten()(one + two)).save(tmp_path / "m.keras")
    with pytest.raises(ModelError, match=r"expected a network from one picture \(N, height, width, channels\) to one output"):
        adopted(tmp_path / "m.keras", tmp_path)


def test_files_that_are_no_models_are_one_line(keras, tmp_path):
    """Junk, weights alone, a zip without a model, a zip that would unpack to more than memory."""
    (tmp_path / "junk.h5").write_bytes(b"junk")
    network(keras).save_weights(tmp_path / "w.weights.h5")
    with zipfile.ZipFile(tmp_path / "empty.keras", "w") as archive:
        archive.writestr("other", "x")
    with zipfile.ZipFile(tmp_path / "bomb.keras", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("config.json", b" " * (from_keras.LARGEST_CONFIG_BYTES + 1))
    for name, expected in (
        ("junk.h5", r"junk\.h5: expected a \.keras or \.h5 file with a Keras model \("),
        ("w.weights.h5", r"expected a whole Keras model, found weights alone; save the model, not its weights"),
        ("empty.keras", r"empty\.keras: expected a \.keras or \.h5 file with a Keras model"),
        ("bomb.keras", r"bomb\.keras: its config\.json is larger than 64,000,000 bytes"),
        ("none.keras", r"none\.keras: the model cannot be read \(No such file or directory\)"),
    ):
        with pytest.raises(ModelError, match=expected):
            adopted(tmp_path / name, tmp_path)
