"""Tests of the network architectures."""

from __future__ import annotations

import keras
import numpy as np
import pytest

from edgecls.dataset import DataConfig
from edgecls.errors import ConfigError
from edgecls.input_spec import InputSpec
from edgecls.train.config import Layers, TrainConfig
from edgecls.train.model import ARCHITECTURES, build

FROM_SCRATCH = [name for name, row in ARCHITECTURES.items() if row.pretrained is None]


def model(classes=43, **changes):
    """Return a network for this config; its data need not exist."""
    return build(TrainConfig(DataConfig("x"), **changes), classes)


def names(network):
    """Return the class names of its layers, in order."""
    return [type(layer).__name__ for layer in network.layers]


def test_the_classic_network_is_the_textbook_one():
    """32 kernels of 3x3, ReLU, max pooling 2x2, flatten, 512 ReLU units, softmax: 3,709,291 weights for 43 classes."""
    network = model()
    assert names(network) == ["InputLayer", "Rescaling", "Conv2D", "MaxPooling2D", "Flatten", "Dense", "Dense"]
    convolution, pool, dense, last = network.layers[2], network.layers[3], *network.layers[5:]
    assert (convolution.filters, convolution.kernel_size, convolution.strides) == (32, (3, 3), (1, 1))
    assert (convolution.padding, convolution.activation.__name__) == ("valid", "relu")
    assert (pool.pool_size, pool.strides) == ((2, 2), (2, 2))
    assert (dense.units, dense.activation.__name__) == (512, "relu")
    assert (last.units, last.activation.__name__) == (43, "softmax")
    assert network.count_params() == 3_709_291
    assert network.input_shape == (None, 32, 32, 1)


@pytest.mark.parametrize("arch", FROM_SCRATCH)
def test_a_network_eats_uint8_and_gives_probabilities(arch):
    """The input is uint8, rescaled by 1/255 in the network; each row of the output sums to 1."""
    network = model(5, arch=arch, layers=Layers(dense=16))
    assert network.inputs[0].dtype == "uint8"
    assert network.layers[1].scale == pytest.approx(1 / 255)
    found = network.predict_on_batch(np.full((2, 32, 32, 1), 200, np.uint8))
    assert found.sum(axis=1).tolist() == pytest.approx([1, 1], abs=1e-5)


@pytest.mark.parametrize(
    ("layers", "kinds"),  # the kinds between the scaling and the dense layers
    [
        (Layers(kernels=(4, 8), dense=8), ["Conv2D", "MaxPooling2D", "Conv2D", "MaxPooling2D"]),
        (Layers(kernels=(4,), pool="average", dense=8), ["Conv2D", "AveragePooling2D"]),
        (Layers(kernels=(4,), pool_bias=True, dense=8), ["Conv2D", "MaxPooling2D", "DepthwiseConv2D"]),
        (Layers(kernels=(4,), pool_activation="tanh", dense=8), ["Conv2D", "MaxPooling2D", "Activation"]),
    ],
)  # fmt: skip
def test_each_layer_option_builds_its_layers(layers, kinds):
    """Blocks, kind of pooling, trainable coefficient and bias, and activation are in the right order."""
    assert names(model(3, layers=layers))[2:] == [*kinds, "Flatten", "Dense", "Dense"]


def test_trainable_pooling_has_a_coefficient_and_a_bias_per_channel():
    """LeNet-5's subsampling adds 2 weights for each of 4 channels."""
    without, with_bias = (model(3, layers=Layers(kernels=(4,), dense=8, pool_bias=b)) for b in (False, True))
    assert with_bias.count_params() - without.count_params() == 8


def test_window_stride_and_kernel_size_shape_the_maps():
    """A side of 32 becomes 28 with kernels of 5, then 13 with windows of 3 and a stride of 2."""
    network = model(3, layers=Layers(kernels=(4,), kernel_size=5, pool_window=3, pool_stride=2, dense=8))
    assert network.layers[2].output.shape[1:] == (28, 28, 4)
    assert network.layers[3].output.shape[1:] == (13, 13, 4)


def test_an_input_may_be_in_colour_and_not_square():
    """An input of height 24 and width 48, rgb."""
    assert model(3, input=InputSpec(24, 48, "rgb"), layers=Layers(dense=8)).input_shape == (None, 24, 48, 3)


@pytest.mark.parametrize("size", [16, 32, 64])
def test_the_edge_network_is_small_at_any_size(size):
    """It has less than a third of the classic network's weights, for every input size."""
    assert model(arch="edge", input=InputSpec(size, size)).count_params() < 3_709_291 / 3


@pytest.mark.parametrize("classes", [2, 1000])
def test_any_number_of_classes(classes):
    """The last layer has one unit per class, for 2 and for 1000 classes."""
    assert model(classes, layers=Layers(dense=8)).output_shape == (None, classes)


def test_layers_that_leave_nothing_are_refused():
    """Six blocks shrink 32x32 to nothing; the error says what to change."""
    with pytest.raises(
        ConfigError,
        match=r"arch classic: kernels \[8, 8, 8, 8, 8, 8\] of size 3 shrink a picture of 32x32 to nothing; use fewer",
    ):
        model(3, layers=Layers(kernels=(8,) * 6))


def test_an_unknown_architecture_lists_the_known_ones():
    """The error lists the allowed names."""
    with pytest.raises(ConfigError, match=r"^arch 'resnet' is not known; expected one of linear, classic, edge, residual, eff"):
        model(3, arch="resnet")


def test_the_residual_network_has_a_million_weights():
    """It fits into a megabyte in int8 for every input size; its blocks add their input."""
    for size in (20, 32, 64, 96):
        assert 0.8e6 < model(arch="residual", input=InputSpec(size, size)).count_params() < 1.1e6
    assert names(model(arch="residual")).count("Add") == 4


@pytest.mark.parametrize("arch", ["edge", "residual"])
def test_width_scales_every_layer(arch):
    """Half the kernels give about a quarter of the weights; each number of kernels is a multiple of eight."""
    whole, half = (model(arch=arch, layers=Layers(width=width)) for width in (1.0, 0.5))
    assert 0.2 < half.count_params() / whole.count_params() < 0.35
    kernels = [layer.filters for layer in half.layers if hasattr(layer, "filters")]
    assert all(count % 8 == 0 for count in kernels)


@pytest.mark.parametrize("arch", FROM_SCRATCH)
def test_normalized_pictures_may_be_darker_or_flatter(arch):
    """With the same weights, a picture of a fifth of the contrast gives nearly the same probabilities; without normalizing it
    does not. A picture of one level gives numbers.
    """
    picture = np.random.default_rng(0).integers(0, 256, (1, 32, 32, 1), np.uint8)
    dark = picture // 5 + 10
    far = []
    for normalize in (False, True):
        keras.utils.set_random_seed(0)
        network = model(3, arch=arch, layers=Layers(normalize=normalize))
        far.append(np.abs(network.predict_on_batch(picture) - network.predict_on_batch(dark)).max())
    assert far[1] < 0.2 * far[0]
    assert np.isfinite(network.predict_on_batch(np.full_like(picture, 7))).all()


def test_the_last_layer_keeps_to_float32():
    """If the layers compute in bfloat16, the probabilities are still float32."""
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        network = model(3, arch="edge")
    finally:
        keras.config.set_dtype_policy("float32")
    assert network.layers[2].compute_dtype == "bfloat16"
    assert network.outputs[0].dtype == "float32"


def test_the_linear_network_has_a_weight_for_each_pixel_and_class():
    """32 x 32 pixels and a bias for each of 5 classes."""
    assert model(5, arch="linear").count_params() == (32 * 32 + 1) * 5
