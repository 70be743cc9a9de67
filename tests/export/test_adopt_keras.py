"""Keras models are converted to edgecls models, from .keras files and from the .h5 files of Keras 2."""

from __future__ import annotations

import json
import zipfile

import h5py
import numpy as np
import pytest

from edgecls import Classifier, ConfigError, ExportError, ModelError, extras
from edgecls.export.adopt import adopt, from_keras
from edgecls.export.adopt.preprocessing import Answers
from edgecls.export.adopt.probe_images import drawn
from edgecls.model.vet import keras as vetted

SAID = {"labels": "numbers", "color": "rgb"}
SEEN = drawn((8, 8, 3))


@pytest.fixture(scope="module")
def keras():
    """Return Keras, imported without the start-up messages of TensorFlow."""
    return extras.load("keras", extra="train", purpose="Testing")


def network(keras, *first, size=8, units=4, last="softmax"):
    """Return a network of the layers `first`, a convolution and a dense layer."""
    layers = keras.layers
    x = pictures = keras.Input((size, size, 3))
    for layer in first:
        x = layer(x)
    x = layers.GlobalAveragePooling2D()(layers.Conv2D(4, 3, activation="relu")(x))
    return keras.Model(pictures, layers.Dense(units, activation=last)(x))


def adopted(path, tmp_path, **answers):
    """Adopt a file: (Adopted, Classifier)."""
    made = adopt(path, tmp_path / "m.onnx", Answers(**{**SAID, **answers}))
    return made, Classifier.load(tmp_path / "m.onnx", device="cpu")


@pytest.mark.parametrize("name", ["m.keras", "m.h5"])
@pytest.mark.filterwarnings("ignore:.*HDF5")
def test_an_adopted_keras_file_gives_the_probabilities_of_keras(keras, tmp_path, name):
    """The user gives the values 0..1."""
    model = network(keras)
    model.save(tmp_path / name)
    _, classifier = adopted(tmp_path / name, tmp_path, values="0..1")
    expected = model.predict_on_batch(SEEN / np.float32(255))
    assert classifier.probabilities(SEEN) == pytest.approx(expected, abs=1e-5)
    assert classifier.card.made_with["adopted_kind"] == f"Keras, loaded by {keras.__version__}"


@pytest.mark.parametrize("scaling", [(1 / 255, 0.0), (1 / 127.5, -1.0)])
def test_a_rescaling_layer_is_recognized(keras, tmp_path, scaling):
    """A Rescaling at the start expects levels of 0..255, so `values` is not needed. Augmentation layers have no effect."""
    scale, offset = scaling
    model = network(keras, keras.layers.RandomFlip(), keras.layers.Rescaling(scale, offset), last=None)
    model.save(tmp_path / "m.keras")
    made, classifier = adopted(tmp_path / "m.keras", tmp_path)
    assert str(made.feed) == "rgb, 0..255"
    logits = model.predict_on_batch(SEEN.astype(np.float32)).astype(np.float64)
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    assert classifier.probabilities(SEEN) == pytest.approx(powers / powers.sum(axis=1, keepdims=True), abs=1e-5)


def test_without_rescaling_values_are_asked_for(keras, tmp_path):
    """Without a Rescaling layer the file does not show the range of values."""
    network(keras).save(tmp_path / "m.keras")
    with pytest.raises(ConfigError, match=r"give what the file does not contain: `values=0\.\.1\|"):
        adopted(tmp_path / "m.keras", tmp_path)


def test_one_sigmoid_is_two_labels(keras, tmp_path):
    """One sigmoid is the probability of the second label, as in tutorials on cats and dogs."""
    model = network(keras, keras.layers.Rescaling(1 / 255), units=1, last="sigmoid")
    model.save(tmp_path / "m.keras")
    _, classifier = adopted(tmp_path / "m.keras", tmp_path)
    assert classifier.card.labels == ("0", "1")
    assert classifier.probabilities(SEEN)[:, 1:] == pytest.approx(model.predict_on_batch(SEEN.astype(np.float32)), abs=1e-6)


def test_a_size_that_is_free_is_asked_for(keras, tmp_path):
    """The network takes pictures of any size; the written file takes the given one."""
    network(keras, size=None).save(tmp_path / "m.keras")
    with pytest.raises(ConfigError, match=r"give what the file does not contain: `size_hw`, .* \(it takes any\)"):
        adopted(tmp_path / "m.keras", tmp_path, values="0..1")
    _, classifier = adopted(tmp_path / "m.keras", tmp_path, values="0..1", size_hw=(10, 12))
    assert classifier.card.input.shape == (10, 12, 3)


def write_keras_2(path):
    """Write a file like Keras 2.13: a Sequential of Flatten and Dense for 2x2 gray pictures. Return its kernel."""
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
    """The probabilities are softmax(pixels x kernel)."""
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
    """A Lambda layer is refused before Keras opens the file."""
    network(keras, keras.layers.Lambda(lambda x: x / 255)).save(tmp_path / name)
    monkeypatch.setattr(keras.saving, "load_model", None)
    with pytest.raises(
        ModelError, match="it contains a Lambda layer, whose code would run when it is loaded; if you trust it, replace"
    ):
        adopted(tmp_path / name, tmp_path)
    assert not (tmp_path / "m.onnx").exists()


@pytest.mark.parametrize("part", ["loss", "metric", "optimizer"])
def test_what_it_was_trained_with_does_not_matter(keras, tmp_path, part):
    """Custom losses, metrics and optimizers, as in runs of edgecls, are not loaded."""

    @keras.saving.register_keras_serializable(package="theirs")
    class Loss(keras.losses.Loss):
        def call(self, y_true, y_pred):
            return keras.ops.mean(y_pred - y_true)

    @keras.saving.register_keras_serializable(package="theirs")
    class Metric(keras.metrics.Mean):
        pass

    @keras.saving.register_keras_serializable(package="theirs")
    class Optimizer(keras.optimizers.SGD):
        pass

    usual = {"loss": "sparse_categorical_crossentropy", "optimizer": "sgd", "metrics": ["accuracy"]}
    model = network(keras)
    model.compile(
        **usual | {"loss": {"loss": Loss()}, "metric": {"metrics": [Metric()]}, "optimizer": {"optimizer": Optimizer()}}[part]
    )
    model.save(tmp_path / "m.keras")
    assert adopted(tmp_path / "m.keras", tmp_path, values="0..1")


def test_a_custom_layer_is_refused(keras, tmp_path):
    """The message names the layer and the module that has its code."""

    class Own(keras.layers.Layer):
        def call(self, x):
            return x

    network(keras, Own()).save(tmp_path / "m.keras")
    with pytest.raises(ModelError) as caught:
        adopted(tmp_path / "m.keras", tmp_path)
    assert "m.keras: its 'Own' is code of the module 'tests.export.test_adopt_keras', which is not in the file" in str(
        caught.value
    )


def test_a_wrong_conversion_is_refused(keras, tmp_path, monkeypatch):
    """The graph is compared with Keras before it is used."""
    other = network(keras)
    network(keras).save(tmp_path / "m.keras")
    right = from_keras.traced
    monkeypatch.setattr(from_keras, "traced", lambda model, *rest: right(other, *rest))
    with pytest.raises(ExportError, match="converted to ONNX it gives other outputs than in Keras, by"):
        adopted(tmp_path / "m.keras", tmp_path, values="0..1")


def test_networks_with_two_inputs_are_refused(keras, tmp_path):
    """Only one input, for a picture, is supported."""
    one, two = keras.Input((8, 8, 3)), keras.Input((8, 8, 3))
    keras.Model([one, two], keras.layers.Flatten()(one + two)).save(tmp_path / "m.keras")
    with pytest.raises(ModelError, match=r"expected a network from one picture \(N, height, width, channels\) to one output"):
        adopted(tmp_path / "m.keras", tmp_path)


def test_files_that_are_not_models_are_refused(keras, tmp_path):
    """Junk, only weights, a zip without a model, and a zip that would unpack to more than the memory."""
    (tmp_path / "junk.h5").write_bytes(b"junk")
    network(keras).save_weights(tmp_path / "w.weights.h5")
    with zipfile.ZipFile(tmp_path / "empty.keras", "w") as archive:
        archive.writestr("other", "x")
    with zipfile.ZipFile(tmp_path / "bomb.keras", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("config.json", b" " * (vetted.LARGEST_CONFIG_BYTES + 1))
        archive.writestr("model.weights.h5", b"")
    for name, expected in (
        ("junk.h5", r"junk\.h5: expected a \.keras or \.h5 file with a Keras model, found other bytes"),
        ("w.weights.h5", r"expected a whole Keras model, found only weights; build the network that they belong to"),
        ("empty.keras", r"empty\.keras: expected a Keras model, found an archive without config\.json"),
        ("bomb.keras", r"bomb\.keras: its config\.json is larger than 16,000,000 bytes"),
        ("none.keras", r"none\.keras: the model cannot be read \(No such file or directory\)"),
    ):
        with pytest.raises(ModelError, match=expected):
            adopted(tmp_path / name, tmp_path)
