"""Settings of layers as Keras 2 wrote them, and Keras files that are more than a model."""

from __future__ import annotations

import io
import json
import zipfile
from contextlib import suppress
from pathlib import Path

import h5py
import numpy as np
import pytest

from edgecls import ModelError, extras
from edgecls.export.adopt import keras2
from edgecls.export.adopt.from_keras import load
from edgecls.model.vet.keras import MOST_LEVELS, SMALL_UNPACKED_BYTES, open_keras

PICTURE = np.arange(48, dtype=np.float32).reshape(1, 4, 4, 3)


@pytest.fixture(scope="module")
def keras():
    """Keras, loaded without TensorFlow's greeting."""
    return extras.load("keras", extra="train", purpose="Testing")


def written(path, layers, weights=(), version="2.11.0"):
    """Write an .h5 file of a Sequential over 4x4 colour pictures; `weights` are {layer: {name: array}}."""
    first = {"class_name": "InputLayer", "config": {"batch_input_shape": [None, 4, 4, 3], "dtype": "float32", "name": "in"}}
    config = {"class_name": "Sequential", "config": {"name": "net", "layers": [first, *layers]}}
    write_h5(path, config, dict(weights), [layer["config"]["name"] for layer in layers], version)
    return path


def write_h5(path, config, weights, names, version="2.11.0"):
    with h5py.File(path, "w") as file:
        file.attrs["model_config"], file.attrs["keras_version"] = json.dumps(config), version
        group = file.create_group("model_weights")
        group.attrs["layer_names"] = [name.encode() for name in names]
        for name in names:
            layer = group.create_group(name)
            layer.attrs["weight_names"] = [key.encode() for key in weights.get(name, {})]
            for key, value in weights.get(name, {}).items():
                layer[key] = value
    return path


def layer(kind, **config):
    return {"class_name": kind, "config": {"name": kind.lower(), "trainable": True, "dtype": "float32", **config}}


ZEROS = {"class_name": "Zeros", "config": {}}
HALF = {"class_name": "Policy", "config": {"name": "mixed_float16"}}
KERNEL = np.zeros((1, 1, 3, 1), np.float32) + 0.5


@pytest.mark.parametrize(
    ("made", "weights", "expected"),
    [
        (
            layer("DepthwiseConv2D", kernel_size=[1, 1], groups=1, use_bias=False, depthwise_initializer=ZEROS),
            {"depthwiseconv2d": {"k:0": KERNEL}},
            PICTURE / 2,
        ),
        (
            layer("Conv2DTranspose", filters=1, kernel_size=[1, 1], groups=1, use_bias=False, output_padding=None),
            {"conv2dtranspose": {"k:0": KERNEL.transpose(0, 1, 3, 2)}},
            PICTURE.sum(axis=-1, keepdims=True) / 2,
        ),
        (
            layer("SeparableConv2D", filters=1, kernel_size=[1, 1], groups=1, use_bias=False, kernel_initializer=ZEROS),
            {"separableconv2d": {"d:0": KERNEL, "p:0": KERNEL}},
            PICTURE.sum(axis=-1, keepdims=True) / 4,
        ),
        (layer("RandomFlip", mode="horizontal", rng_type="stateful", seed=None), {}, PICTURE),
        (layer("SpatialDropout2D", rate=0.5, noise_shape=None, seed=None), {}, PICTURE),
        (layer("Rescaling", scale=0.5, offset=1.0, dtype=HALF), {}, PICTURE / 2 + 1),
        (layer("ReLU", name="block/relu"), {}, PICTURE),
    ],
    ids=lambda value: value["class_name"] if isinstance(value, dict) and "class_name" in value else "",
)  # fmt: skip
def test_what_keras_2_wrote_is_read(keras, tmp_path, made, weights, expected):
    """Arguments that Keras 3 no longer takes, in layers whose answers are known; a policy of 16 bits; a name with a slash."""
    path = written(tmp_path / "m.h5", [made], weights)
    assert load(path.read_bytes(), path).predict_on_batch(PICTURE) == pytest.approx(expected, abs=1e-5)


def test_an_argument_that_says_something_is_kept(keras, tmp_path):
    """Three groups are not one: Keras refuses them, and the reason is in the line."""
    path = written(tmp_path / "m.h5", [layer("DepthwiseConv2D", kernel_size=[1, 1], groups=3)])
    with pytest.raises(ModelError, match=r"Unrecognized keyword arguments passed to DepthwiseConv2D: \{'groups': 3\}"):
        load(path.read_bytes(), path)


def functional(*operations):
    """Settings of a functional model: an input, and TensorFlow functions one after the other, each (function, arguments)."""
    layers = [layer("InputLayer", batch_input_shape=[None, 4, 4, 3]) | {"name": "x", "inbound_nodes": []}]
    layers[0]["config"]["name"] = last = "x"
    for i, (function, arguments) in enumerate(operations):
        kind = "SlicingOpLambda" if "getitem" in function else "TFOpLambda"
        entry = layer(kind, function=function) | {"name": f"op{i}", "inbound_nodes": [[last, 0, 0, arguments]]}
        entry["config"]["name"] = last = f"op{i}"
        layers.append(entry)
    ends = {"input_layers": [["x", 0, 0]], "output_layers": [[last, 0, 0]]}
    return {"class_name": "Functional", "config": {"name": "net", "layers": layers, **ends}}


MEAN = [-103.939, -116.779, -123.68]
FLIPPED = {"slice_spec": [{"class_name": "__ellipsis__"}, {"start": None, "stop": None, "step": -1}]}


@pytest.mark.parametrize(
    ("operations", "expected"),
    [
        ([("math.truediv", {"y": 127.5, "name": None}), ("math.subtract", {"y": 1.0, "name": None})], PICTURE / 127.5 - 1),
        (
            [("__operators__.getitem", FLIPPED), ("nn.bias_add", {"bias": MEAN, "data_format": "NHWC"})],
            PICTURE[..., ::-1] + MEAN,
        ),
        ([("math.multiply", {"y": 2.0}), ("__operators__.add", {"y": ["x", 0, 0]})], PICTURE * 3),
    ],
)
def test_tensorflow_functions_of_keras_2_are_called(keras, tmp_path, operations, expected):
    """The three kinds of preprocess_input, and a sum of two tensors: plain functions by name, no code."""
    path = write_h5(tmp_path / "m.h5", functional(*operations), {}, [])
    assert load(path.read_bytes(), path).predict_on_batch(PICTURE) == pytest.approx(expected, abs=1e-4)


@pytest.mark.parametrize("odd", [None, ["a"], {}, 7, "\ud800"], ids=ascii)
def test_a_value_of_another_kind_anywhere_is_no_fault_of_ours(keras, tmp_path, odd):
    """In the settings of a layer, where Keras 2 wrote a text, a table or a list; also where the value is missing."""
    for i, (holder, key) in enumerate(places(OPERATION_OF_KERAS_2)):
        config = functional(("math.truediv", {"y": 127.5, "name": None}))
        inner = config["config"]["layers"][1]
        for step in holder:
            inner = inner[step]
        inner[key] = odd
        if odd is None and isinstance(inner, dict):
            del inner[key]
        path = write_h5(tmp_path / f"{i}.h5", config, {}, [])
        with suppress(ModelError):  # or it is read, where the value does not matter
            load(path.read_bytes(), path)


OPERATION_OF_KERAS_2 = functional(("math.truediv", {"y": 127.5, "name": None}))["config"]["layers"][1]


def places(part, above=()):
    """Each value in tables and lists, as the keys that lead to what holds it, and its own."""
    keys = list(part) if isinstance(part, dict) else range(len(part)) if isinstance(part, list) else ()
    return [found for key in keys for found in ((above, key), *places(part[key], (*above, key)))]


@pytest.mark.parametrize("function", ["io.read_file", "py_function", "io.write_file", "__builtins__"])
def test_other_functions_are_refused(tmp_path, function):
    """Those that read, write or run; before Keras sees the file."""
    path = write_h5(tmp_path / "m.h5", functional((function, {"name": None})), {}, [])
    with pytest.raises(ModelError, match=f"it calls TensorFlow's {function} by name, which is not loaded"):
        load(path.read_bytes(), path)


def test_versions_before_3_are_told():
    """A file without a version is older than that entry."""
    assert [keras2.is_keras_2(v) for v in ("1.2.2", "2.15.0", "3.0.0", "3.15.1", None, 7)] == [
        True,
        True,
        False,
        False,
        True,
        True,
    ]


def archive(config, weights=None, **more):
    """The bytes of a .keras file."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("config.json", config if isinstance(config, bytes) else json.dumps(config))
        file.writestr("metadata.json", json.dumps({"keras_version": "3.15.1"}))
        file.writestr("model.weights.h5", hdf5() if weights is None else weights)
        for name, content in more.items():
            file.writestr(name, content)
    return out.getvalue()


def hdf5(change=lambda _file: None):
    """The bytes of an HDF5 file after `change`."""
    out = io.BytesIO()
    with h5py.File(out, "w") as file:
        change(file)
    return out.getvalue()


NET = {"class_name": "Sequential", "config": {"name": "net", "layers": []}}


def nested(layer):
    """The layer, inside a model inside a model."""
    inner = {
        "class_name": "Functional",
        "config": {"name": "inner", "layers": [layer]},
        "module": "keras.src.models.functional",
    }
    return {"class_name": "Sequential", "config": {"name": "net", "layers": [inner]}}


def line(content, name):
    """The one line with which a file is refused."""
    with pytest.raises(ModelError) as caught:
        open_keras(content, name)
    assert "\n" not in str(caught.value)
    assert str(caught.value).startswith(f"{name}: ")
    return str(caught.value)


def test_a_plain_archive_passes():
    """As Keras writes it."""
    found = open_keras(archive(NET), "m.keras")
    assert (found.config, found.version, found.archive) == (NET, "3.15.1", True)


@pytest.mark.parametrize(
    ("entry", "expected"),
    [
        ({"class_name": "Lambda", "config": {}}, "it contains a Lambda layer"),
        ({"class_name": "Activation", "config": {"activation": {"class_name": "__lambda__", "config": {}}}}, "a Lambda layer"),
        ({"class_name": "TFSMLayer", "config": {"filepath": "/x"}}, "its layer TFSMLayer loads another"),
        ({"class_name": "TorchModuleWrapper", "config": {}, "module": "keras.layers"}, "its layer TorchModuleWrapper loads"),
        ({"class_name": "StringLookup", "config": {"vocabulary": "/etc/passwd"}}, "its layer StringLookup loads another file"),
        ({"class_name": "system", "config": "id", "module": "os"}, "call the function 'system'"),
        ({"class_name": "Popen", "config": {}, "module": "subprocess"}, "its 'Popen' is code of the module 'subprocess'"),
        ({"class_name": "get_file", "config": {}, "module": "keras.utils"}, "its settings call the function 'get_file'"),
        ({"class_name": "function", "config": "get_file", "module": "keras.utils"}, "code of the module 'keras.utils'"),
        ({"class_name": "Own", "config": {}, "module": "kerasish"}, "its 'Own' is code of the module 'kerasish'"),
    ],
)  # fmt: skip
def test_code_is_refused_at_any_depth(entry, expected):
    """In nested models, as an activation, by a module of its own, or by a function of Keras that downloads."""
    assert expected in line(archive(nested(entry)), "m.keras")
    both = hdf5(lambda file: file.attrs.update(model_config=json.dumps(nested(entry))))
    assert expected in line(both, "m.h5")


def test_what_keras_reads_is_what_was_looked_over():
    """HDF5 followed by a zip archive, a name of the other format, two files of the same name in an archive."""
    config = json.dumps(nested({"class_name": "Lambda", "config": {}}))
    both = hdf5(lambda file: file.attrs.update(model_config=config)) + archive(NET)
    for name in ("m.h5", "m.hdf5", "m.keras"):
        assert "the file is both HDF5 and a zip archive" in line(both, name)
    assert "the file is a zip archive, which Keras loads only from a name that ends in .keras; rename it" in line(
        archive(NET), "m.h5"
    )
    assert "the file is HDF5, which Keras loads only from a name that ends in .h5; rename it" in line(hdf5(), "m.keras")
    with pytest.warns(UserWarning, match="Duplicate name"):
        twice = archive(NET, **{"config.json": "{}"})
    assert "its archive has two files of the same name" in line(twice, "m.keras")


def test_the_copy_holds_nothing_else(tmp_path):
    """Other files of the archive do not reach Keras."""
    found = open_keras(archive(NET, **{"assets/../../x": "x"}), "m.keras")
    with zipfile.ZipFile(found.write(tmp_path, NET)) as copy:
        assert copy.namelist() == ["config.json", "metadata.json", "model.weights.h5"]


def test_what_grows_when_it_is_unpacked_is_refused():
    """A member of zeros, a dataset that declares a terabyte, chunks that were never written, a large attribute."""
    assert "bytes unpacked, expected at most" in line(archive(NET, more=bytes(SMALL_UNPACKED_BYTES)), "m.keras")
    for change in (
        lambda file: file.create_dataset("w", (2**20, 2**18), np.float32, chunks=(1024, 1024)),
        lambda file: [file.create_dataset(f"w{i}", (2**22,), np.float32, chunks=True) for i in range(9)],
        lambda file: file.create_dataset("w", (2**24,), np.float64, fillvalue=1.0, compression="gzip", chunks=True),
    ):
        assert "its weights would take more than 64,000,000 bytes" in line(archive(NET, hdf5(change)), "m.keras")


def test_links_to_other_files_are_refused(tmp_path):
    """External links and soft ones, datasets whose bytes lie elsewhere, virtual ones."""
    layout = h5py.VirtualLayout((2,), np.float32)
    layout[0:2] = h5py.VirtualSource(str(tmp_path / "other.h5"), "w", (2,))
    for change, expected in (
        (
            lambda file: file.__setitem__("w", h5py.ExternalLink("/etc/passwd", "/w")),
            "is a link, which can refer to another file",
        ),
        (lambda file: file.__setitem__("w", h5py.SoftLink("/x")), "is a link, which can refer to another file"),
        (lambda file: file.create_dataset("w", (4,), np.uint8, external=[("/etc/passwd", 0, 4)]), "are stored in another file"),
        (lambda file: file.create_virtual_dataset("w", layout), "are stored in another file"),
    ):
        assert expected in line(archive(NET, hdf5(change)), "m.keras")


def test_settings_that_are_none_are_one_line():
    """Deep ones, a list, text, other bytes, an archive of PyTorch."""
    deep = b"[" * (MOST_LEVELS + 1) + b"]" * (MOST_LEVELS + 1)
    assert "its settings are nested more than" in line(archive(deep), "m.keras")
    assert "it is damaged" in line(archive(b"[" * 100_000), "m.keras")
    assert "it is damaged" in line(archive(b"\xff\xfe"), "m.keras")
    assert "found settings of something else" in line(archive([1, 2]), "m.keras")
    assert "found an empty one" in line(b"", "m.keras")
    torch = io.BytesIO()
    with zipfile.ZipFile(torch, "w") as file:
        file.writestr("net/data.pkl", "x")
    assert "which PyTorch wrote; export it there with: torch.onnx.export" in line(torch.getvalue(), "m.keras")


def test_layers_that_ask_for_more_than_the_file_has_are_stopped(keras, tmp_path):
    """A Dense layer of a billion units is not made."""
    config = layer("Dense", units=10**9)
    path = written(tmp_path / "m.h5", [config])
    with pytest.raises(ModelError, match="its layers ask for more weights than the file holds"):
        load(path.read_bytes(), path)


def test_damaged_files_are_one_line():
    """Each of 300 files with bytes changed or cut off is read or refused, never more."""
    rng = np.random.default_rng(0)
    lines = []
    whole = [
        archive(NET),
        hdf5(lambda file: (file.attrs.update(model_config=json.dumps(NET)), file.create_dataset("w", data=PICTURE))),
    ]
    for i in range(300):
        content = bytearray(whole[i % 2])
        for at in rng.integers(8, len(content), 6):
            content[at] = rng.integers(0, 256)
        try:
            open_keras(
                bytes(content[: rng.integers(100, len(content) + 1)] if i % 3 == 0 else content), ("m.keras", "m.h5")[i % 2]
            )
        except ModelError as error:
            lines.append(str(error))
    assert lines
    assert all(text.startswith("m.") for text in lines)


def test_other_formats_say_what_leads_to_onnx(tmp_path):
    """One line each, with the command or the function."""
    from edgecls.export.adopt.foreign import open_foreign
    from edgecls.export.adopt.preprocessing import Answers

    (tmp_path / "saved").mkdir()
    (tmp_path / "saved" / "saved_model.pb").touch()
    for name, expected in (
        ("m.tflite", "python -m tf2onnx.convert --tflite"), ("saved", "python -m tf2onnx.convert --saved-model"),
        ("m.pt", "torch.onnx.export("), ("m.pth", "torch.onnx.export("), ("m.safetensors", "torch.onnx.export("),
        ("m.engine", "adopt the .onnx file"), ("m.mlmodel", "to .onnx"), ("m.pb", "tf2onnx.convert --graphdef"),
    ):  # fmt: skip
        path = Path(tmp_path / name)
        if not path.exists():
            path.write_bytes(b"x")
        with pytest.raises(ModelError) as caught:
            open_foreign(path, Answers(), checked=False)
        assert expected in str(caught.value)
        assert "\n" not in str(caught.value)
