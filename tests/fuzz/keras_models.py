"""Keras files that went bad, and folders of training runs."""

from __future__ import annotations

import io
import json
from typing import TYPE_CHECKING, Any

import numpy as np

from tests import runs
from tests.fuzz import mutations as m
from tests.fuzz.case import Case, Seed
from tests.fuzz.containers import in_archive, in_h5, in_member, in_settings_of_h5
from tests.fuzz.values import in_cells, in_json, in_toml

if TYPE_CHECKING:
    from pathlib import Path

MEAN = [-103.939, -116.779, -123.68]


def write_keras_files(folder: Path) -> None:
    """Write small networks as Keras 3 and as Keras 2 write them, and the folder of a training run."""
    import keras

    inputs = keras.Input((8, 8, 1))
    ends = [keras.layers.Flatten(), keras.layers.Dense(4, activation="softmax")]
    sequential = keras.Sequential([inputs, keras.layers.Conv2D(2, 3), *ends])
    sequential.save(folder / "m.keras")
    sequential.save(folder / "m.h5")
    one, two = keras.layers.Conv2D(2, 3)(inputs), keras.layers.MaxPooling2D(2)(keras.layers.ZeroPadding2D(3)(inputs))
    joined = keras.layers.BatchNormalization()(keras.layers.Concatenate()([one, keras.layers.CenterCrop(6, 6)(two)]))
    last = keras.layers.Dense(4, activation="softmax")(keras.layers.GlobalAveragePooling2D()(keras.layers.ReLU()(joined)))
    keras.Model(inputs, last).save(folder / "graph.keras")
    (folder / "old.h5").write_bytes(_of_keras_2())

    from edgecls.train.fit import fit

    fit(runs.config(folder / "pictures", epochs=1), folder / "run")


def _of_keras_2() -> bytes:
    """A functional model of TensorFlow functions, as Keras 2.11 wrote it."""
    import h5py

    calls: list[tuple[str, str, Any]] = [
        ("SlicingOpLambda", "__operators__.getitem",
         {"slice_spec": [{"class_name": "__ellipsis__"}, {"start": None, "stop": None, "step": -1}]}),
        ("TFOpLambda", "nn.bias_add", {"bias": MEAN, "data_format": "NHWC"}),
        ("TFOpLambda", "math.truediv", {"y": 127.5, "name": None}),
    ]  # fmt: skip
    plain = [("Flatten", {}), ("Activation", {"activation": "softmax"})]
    first = {"batch_input_shape": [None, 2, 2, 3], "dtype": "float32", "name": "x", "sparse": False, "ragged": False}
    layers: list[dict[str, Any]] = [{"class_name": "InputLayer", "config": first, "name": "x", "inbound_nodes": []}]
    last = "x"
    for i, (kind, function, arguments) in enumerate(calls):
        name = f"op/{i}"
        config = {"name": name, "trainable": True, "dtype": "float32", "function": function}
        layers.append({"class_name": kind, "config": config, "name": name, "inbound_nodes": [[last, 0, 0, arguments]]})
        last = name
    for kind, config in plain:
        given = {"name": kind.lower(), "trainable": True, "dtype": "float32", **config}
        layers.append({"class_name": kind, "config": given, "name": kind.lower(), "inbound_nodes": [[[last, 0, 0, {}]]]})
        last = kind.lower()
    ends = {"input_layers": [["x", 0, 0]], "output_layers": [[last, 0, 0]]}
    buffer = io.BytesIO()
    with h5py.File(buffer, "w") as file:
        file.attrs["model_config"] = json.dumps(
            {"class_name": "Functional", "config": {"name": "net", "layers": layers, **ends}}
        )
        file.attrs["keras_version"] = "2.11.0"
        group = file.create_group("model_weights")
        group.attrs["layer_names"] = np.array([layer["name"].encode() for layer in layers])
        for layer in layers:
            group.create_group(layer["name"]).attrs["weight_names"] = np.zeros(0, "S1")
    return buffer.getvalue()


def _adopted(good: Path, name: str, *changes: Any, color: str = "gray") -> Seed:
    argv = ("adopt", name, "--out", "o.onnx", "--labels", "numbers", "--color", color, "--values", "0..1")
    return Seed(Case(argv, {name: (good / name).read_bytes()}), name, changes)


def keras_files(good: Path) -> list[Seed]:
    """.keras files: their settings, weights, and what else is in the archive."""
    settings = in_member("config.json", in_json, in_json, in_json, m.in_words)
    changes = (settings, settings, in_member("model.weights.h5", in_h5, m.in_bytes),
               in_member("metadata.json", in_json, m.in_words), in_archive, m.in_bytes)  # fmt: skip
    return [_adopted(good, name, *changes) for name in ("m.keras", "graph.keras")]


def h5_files(good: Path) -> list[Seed]:
    """.h5 files of Keras 3 and of Keras 2."""
    settings = in_settings_of_h5(in_json, in_json, in_json, m.in_words)
    changes = (settings, settings, in_h5, m.in_bytes)
    return [_adopted(good, "m.h5", *changes), _adopted(good, "old.h5", *changes, color="rgb")]


def run_folders(good: Path) -> list[Seed]:
    """A training run that is exported, and one that goes on."""
    names = ("best.keras", "last.keras", "card.json", "config.toml", "history.csv")
    files = {f"r/{name}": (good / "run" / name).read_bytes() for name in names}
    export = Case(("export", "r", "--out", "o.onnx", "--scheme", "fp32", "--max-drop", "100"), files)
    resume = Case(("train", good / "pictures", "--config", "r/config.toml", "--out", "r", "--resume", "--epochs", "2"), files)
    settings = in_member("config.json", in_json, m.in_words)
    weights = in_member("model.weights.h5", in_h5, m.in_bytes)
    spoiled: tuple[tuple[Case, str, tuple[Any, ...]], ...] = (
        (export, "card.json", (in_json, m.in_words)), (export, "config.toml", (in_toml, m.in_words)),
        (export, "best.keras", (settings, weights, in_archive)), (resume, "history.csv", (in_cells, m.in_words)),
        (resume, "config.toml", (in_toml, m.in_words)), (resume, "card.json", (in_json, m.in_words)),
        (resume, "last.keras", (settings, weights, in_archive)),
    )  # fmt: skip
    return [Seed(case, f"r/{name}", changes) for case, name, changes in spoiled]
