"""Networks with weights of ImageNet: the same answers in Keras, first the last layer alone, then all of it."""

from __future__ import annotations

from dataclasses import replace

import keras
import numpy as np
import onnxruntime
import pytest

from edgecls.dataset import DataConfig
from edgecls.errors import ConfigError, ModelError
from edgecls.export.build import export_model
from edgecls.input_spec import InputSpec
from edgecls.learn.backbone.graph import lite_graph
from edgecls.pretrained import LITE, weights_of
from edgecls.train import train_model as train_module
from edgecls.train.config import Layers, TrainConfig
from edgecls.train.fit import fit
from edgecls.train.model import ARCHITECTURES, build
from edgecls.train.pretrained import HEAD, PRETRAINED, Pretrained, load_weights
from edgecls.train.schedule import head_epochs, learning_rate, stages
from tests.pretrained.installed import needs_weights
from tests.pretrained.torch_writer import older, tensors_of
from tests.runs import Listener, config

SIDE = 64
PICTURES = np.random.default_rng(0).integers(0, 256, (2, SIDE, SIDE, 3), np.uint8)
APPLICATIONS = {
    "mobilenet-v2": "MobileNetV2",
    "mobilenet-v3-small": "MobileNetV3Small",
    "efficientnet-v2-b0": "EfficientNetV2B0",
}


def settings(arch, color="rgb", weights="", **changes):
    """A config for pictures of SIDE pixels; its data need not exist."""
    return TrainConfig(DataConfig("x"), arch=arch, weights=str(weights), input=InputSpec(SIDE, SIDE, color), **changes)


def features(arch, pictures, color="rgb", weights=""):
    """What the network finds in pictures before its last layer."""
    chosen = settings(arch, color, weights)
    network = build(chosen, 3)
    load_weights(keras, network, chosen)
    return keras.Model(network.inputs, network.get_layer(HEAD).input).predict_on_batch(pictures)


def test_each_has_a_row():
    """And each row of ImageNet is one of them."""
    assert {name for name, row in ARCHITECTURES.items() if row.pretrained} == set(PRETRAINED) == {*LITE, *APPLICATIONS}


@needs_weights
@pytest.mark.parametrize("name", LITE)
def test_keras_and_onnx_agree(name):
    """The network of `edgecls train` computes what the backbone of `edgecls learn` does in float."""
    graph = lite_graph(LITE[name], weights_of(name)).SerializeToString()
    session = onnxruntime.InferenceSession(graph, providers=["CPUExecutionProvider"])
    np.testing.assert_allclose(features(name, PICTURES), session.run(None, {"image": PICTURES})[0], atol=1e-4)


@needs_weights
def test_gray_and_blue_first_are_the_same_pictures():
    """Gray is the same level in three channels; blue first is the order of a camera."""
    rgb = features("efficientnet-lite0", PICTURES)
    np.testing.assert_allclose(features("efficientnet-lite0", PICTURES[..., ::-1], "bgr"), rgb, atol=1e-4)
    gray = PICTURES[..., :1]
    expected = features("efficientnet-lite0", np.repeat(gray, 3, axis=3))
    np.testing.assert_allclose(features("efficientnet-lite0", gray, "gray"), expected, atol=1e-4)


@pytest.fixture(scope="module", params=APPLICATIONS)
def application(request, tmp_path_factory):
    """A network of keras.applications with random weights: its name, what it finds in PICTURES, its files."""
    name, folder = APPLICATIONS[request.param], tmp_path_factory.mktemp("weights")
    keras.utils.set_random_seed(0)
    network = getattr(keras.applications, name)(include_top=False, weights=None, pooling="avg", input_shape=(SIDE, SIDE, 3))
    for i, layer in enumerate(network.layers):
        if isinstance(layer, keras.layers.BatchNormalization):
            shifts = np.random.default_rng(i)
            layer.set_weights([value + shifts.uniform(0, 0.2, value.shape) for value in layer.get_weights()])
    files = [folder / "network.keras", folder / "network.weights.h5"]
    network.save(files[0])
    network.save_weights(files[1])
    own = "mobilenet_v2" if name == "MobileNetV2" else "efficientnet_v2" if "V2B" in name else "mobilenet_v3"
    prepared = getattr(keras.applications, own).preprocess_input(PICTURES.astype(np.float32))
    return request.param, network.predict_on_batch(prepared), files


def test_keras_applications_compute_what_keras_says(application):
    """Their preprocessing is in the network, which takes uint8; red first from one kind of file, blue first from the other."""
    arch, expected, files = application
    np.testing.assert_allclose(features(arch, PICTURES, weights=files[0]), expected, atol=1e-5)
    np.testing.assert_allclose(features(arch, PICTURES[..., ::-1], "bgr", files[1]), expected, atol=1e-5)


def test_a_failing_download_is_one_line(monkeypatch):
    """It says what else can be done."""

    def offline(**_arguments):
        raise Exception("URL fetch failure on\n a host: None")  # noqa: TRY002 - so does Keras

    network = build(settings("mobilenet-v2"), 3)
    monkeypatch.setattr(keras.applications, "MobileNetV2", offline)
    with pytest.raises(
        ConfigError, match=r"cannot download .* \(URL fetch failure on a host: None\); .* give it as `weights`$"
    ):
        load_weights(keras, network, settings("mobilenet-v2"))


def test_weights_of_another_network_are_refused(tmp_path):
    """So are other files; each in one line."""
    arch, other = "mobilenet-v2", "mobilenet-v3-small"
    network = keras.applications.MobileNetV2(include_top=False, weights=None, pooling="avg", input_shape=(SIDE, SIDE, 3))
    files = [tmp_path / "network.keras", tmp_path / "network.weights.h5"]
    network.save(files[0])
    network.save_weights(files[1])
    (tmp_path / "other.h5").write_bytes(b"no weights")
    (tmp_path / "odd.pth").write_bytes(older(tensors_of({"conv.weight": np.zeros((2, 2), np.float32)})))
    cases = [
        (other, files[0], ConfigError, "expected the weights of"),
        (other, files[1], ConfigError, "do not fit"),
        (arch, tmp_path / "other.h5", ModelError, "damaged"),
        ("efficientnet-lite0", files[0], ModelError, "expected a file of PyTorch"),
        ("efficientnet-lite0", tmp_path / "odd.pth", ConfigError, "expected the weights of efficientnet-lite0, found none"),
    ]
    for name, file, kind, message in cases:
        with pytest.raises(kind, match=message) as raised:
            load_weights(keras, build(settings(name), 3), settings(name, weights=file))
        assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"input": InputSpec(SIDE, 63)}, "expected pictures of at least 64x64, found `input` 63x64"),
        ({"layers": Layers(width=0.5)}, "omit `layers.width` and `layers.normalize`"),
        ({"layers": Layers(normalize=True)}, "omit `layers.width` and `layers.normalize`"),
    ],
)
def test_what_does_not_apply_is_refused(changes, message):
    """A setting without effect would be a promise."""
    chosen = {"input": InputSpec(SIDE, SIDE), **changes}
    with pytest.raises(ConfigError, match=message):
        build(TrainConfig(DataConfig("x"), arch="efficientnet-lite0", **chosen), 3)


@pytest.mark.parametrize(("arch", "changes"), [("edge", {"weights": "x.keras"}), ("classic", {"head_epochs": 2})])
def test_networks_without_weights_take_none(arch, changes):
    """`weights` and `head_epochs` are for pretrained networks."""
    with pytest.raises(ConfigError, match=rf"arch {arch}: .* omit `{next(iter(changes))}`"):
        build(TrainConfig(DataConfig("x"), arch=arch, **changes), 3)


def test_pictures_are_those_that_the_network_was_trained_on(monkeypatch):
    """Unless the settings say otherwise; other networks keep 32x32 gray."""
    monkeypatch.setattr(train_module, "fit", lambda chosen, _out, **_: chosen.input)
    assert train_module.train_model("x", "y", arch="efficientnet-lite1") == InputSpec(240, 240, "rgb")
    assert train_module.train_model("x", "y", arch="mobilenet-v2", input={"width": 96}) == InputSpec(224, 96, "rgb")
    assert train_module.train_model("x", "y", arch="edge") == InputSpec()


def test_a_run_has_two_stages():
    """The last layer alone at a high rate, then all of it from a small rate to nothing."""
    chosen = settings("efficientnet-lite0", epochs=5, head_epochs=2)
    assert stages(chosen) == [(0, 2), (2, 5)]
    alone, all_of_it = learning_rate(chosen, 10, 1), learning_rate(chosen, 10, 2)
    assert [float(alone(step)) for step in (0, 19)] == pytest.approx([3e-3, 3e-3])
    assert [float(all_of_it(step)) for step in (20, 35, 50)] == pytest.approx([2e-4, 1e-4, 0], abs=1e-9)
    assert stages(settings("efficientnet-lite0", epochs=2)) == [(0, 2)]
    assert stages(settings("efficientnet-lite0", epochs=2, head_epochs=0)) == [(0, 2)]
    assert stages(settings("edge", epochs=2)) == [(0, 2)]
    assert head_epochs(settings("edge")) == 0


def tiny_features(network, pictures, _spec):
    """A normalized convolution and the average over the picture."""
    x = network.layers.Rescaling(1 / 255)(pictures)
    x = network.layers.Conv2D(4, 3, strides=2, use_bias=False, name="conv")(x)
    x = network.layers.ReLU()(network.layers.BatchNormalization(name="bn")(x))
    return network.layers.GlobalAveragePooling2D()(x)


class Known:
    """The weights of the tiny network, and how often they were read."""

    def __init__(self):
        rng = np.random.default_rng(0)
        self.weights = {"conv": [rng.normal(size=(3, 3, 1, 4))], "bn": [rng.uniform(0.5, 1, 4) for _ in range(4)]}
        self.times = 0

    def __call__(self, _keras, _file):
        self.times += 1
        return self.weights


@pytest.fixture
def tiny(monkeypatch):
    """An architecture `tiny` with known weights."""
    known = Known()
    row = Pretrained(SIDE, tiny_features, known)
    monkeypatch.setitem(PRETRAINED, "tiny", row)
    monkeypatch.setitem(ARCHITECTURES, "tiny", replace(ARCHITECTURES["efficientnet-lite0"], pretrained=row))
    return known


def by_layer(path):
    """The weights of each layer of a .keras file, by its name."""
    return {layer.name: layer.get_weights() for layer in keras.saving.load_model(path).layers if layer.weights}


def same(one, other):
    """Whether two lists of arrays are equal bit by bit."""
    return all(np.array_equal(a, b) for a, b in zip(one, other, strict=True))


def test_the_last_layer_is_trained_first_and_normalizations_never(tiny, shapes, tmp_path):
    """In the first stage only the last layer changes; in the second the kernels too, but no statistics. A run that was
    interrupted between them and resumed is the run that was not, and reads no weights again.
    """
    chosen = config(shapes, arch="tiny", input=InputSpec(SIDE, SIDE), epochs=3, head_epochs=1, keep="last", dropout=0.2)
    whole = fit(chosen, tmp_path / "whole")
    part = fit(chosen, tmp_path / "part", watcher=Listener(stop_after=1))
    assert part.interrupted
    first = by_layer(part.out / "last.keras")
    assert {name: same(first[name], np.float32(values)) for name, values in tiny.weights.items()} == {"conv": True, "bn": True}
    times = tiny.times
    fit(chosen, tmp_path / "part", resume=True)
    assert tiny.times == times
    last, resumed = by_layer(whole.out / "last.keras"), by_layer(part.out / "last.keras")
    assert {name: same(last[name], np.float32(values)) for name, values in tiny.weights.items()} == {"conv": False, "bn": True}
    assert not same(last[HEAD], first[HEAD])
    assert all(same(last[name], resumed[name]) for name in last)
    assert whole.card.made_with["weights"] == "ImageNet"


def test_patience_waits_for_the_second_stage(tiny, shapes, tmp_path):
    """The last layer alone may stop improving; the run goes on with all layers before it ends."""
    frozen = config(shapes, arch="tiny", input=InputSpec(SIDE, SIDE), epochs=6, head_epochs=4, patience=1, rate=1e-12)
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(
            ARCHITECTURES, "tiny", replace(ARCHITECTURES["tiny"], pretrained=replace(PRETRAINED["tiny"], head_rate=1e-12))
        )
        report = fit(frozen, tmp_path / "run")
    assert report.epochs == 5


@needs_weights
def test_it_becomes_an_int8_file(shapes, tmp_path):
    """Keras, float and int8 agree on the held-out pictures; the file has a byte for each weight."""
    report = fit(config(shapes, arch="efficientnet-lite0", input=InputSpec(SIDE, SIDE), epochs=1), tmp_path / "run")
    exported = export_model(report.out, tmp_path / "shapes.onnx", scheme="int8", max_drop=10)
    assert exported.card.metrics["top1"] >= report.val.top1 - 0.1
    assert 3_000_000 < exported.out.stat().st_size < 4_500_000
