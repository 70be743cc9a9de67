"""Tests of the settings of a training run."""

from __future__ import annotations

import pytest

from edgecls.dataset import DataConfig
from edgecls.errors import ConfigError
from edgecls.train.config import NO_AUGMENT, Augment, Layers, TrainConfig


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Layers(kernels=()), "kernels must be one or more numbers above 0, not []"),
        (lambda: Layers(kernels=(8, 0)), "kernels must be one or more numbers above 0, not [8, 0]"),
        (lambda: Layers(kernel_size=0), "kernel_size must be above 0, not 0"),
        (lambda: Layers(pool_window=0), "pool_window must be above 0, not 0"),
        (lambda: Layers(dense=0), "dense must be above 0, not 0"),
        (lambda: Layers(pool_stride=-1), "pool_stride must be 0 (the window) or above, not -1"),
        (lambda: Augment(scale=1.0), "scale must be from 0 to below 1, not 1.0"),
        (lambda: Augment(contrast=-0.1), "contrast must be from 0 to below 1, not -0.1"),
        (lambda: Augment(rotation_deg=181), "rotation_deg must be from 0 to 180, not 181"),
        (lambda: TrainConfig(DataConfig("x"), epochs=0), "epochs must be above 0, not 0"),
        (lambda: TrainConfig(DataConfig("x"), batch=0), "batch must be above 0, not 0"),
        (lambda: TrainConfig(DataConfig("x"), rate=0.0), "rate must be above 0, not 0.0"),
        (lambda: TrainConfig(DataConfig("x"), weight_decay=-1.0), "weight_decay must be 0 or more, not -1.0"),
        (lambda: TrainConfig(DataConfig("x"), dropout=1.0), "dropout must be from 0 to below 1, not 1.0"),
        (lambda: TrainConfig(DataConfig("x"), warmup=10.0), "warmup must be from 0 to below the epochs, not 10.0"),
        (lambda: TrainConfig(DataConfig("x"), label_smoothing=1.0), "label_smoothing must be from 0 to below 1, not 1.0"),
        (lambda: TrainConfig(DataConfig("x"), strangers=-0.1), "strangers must be from 0 to below 1, not -0.1"),
        (lambda: TrainConfig(DataConfig("x"), mixup=-1.0), "mixup must be 0 or more, not -1.0"),
        (lambda: TrainConfig(DataConfig("x"), teacher_weight=1.1), "teacher_weight must be from 0 to 1, not 1.1"),
        (
            lambda: TrainConfig(DataConfig("x"), stranger_kinds=("part", "ghosts")),
            "stranger_kinds must be some of shuffled, part, patchwork, shapes, letters, not ['part', 'ghosts']",
        ),
        (lambda: Layers(width=0.0), "width must be above 0, up to 16, not 0.0"),
        (lambda: Augment(erase=1.0), "erase must be from 0 to below 1, not 1.0"),
    ],
)
def test_settings_that_cannot_be_trained_with_are_refused(make, message):
    """The error names the setting, the allowed values and the given one."""
    with pytest.raises(ConfigError) as caught:
        make()
    assert str(caught.value) == message


def test_the_defaults_are_the_textbook():
    """The defaults: 32 kernels of 3x3, max pooling of 2x2, 512 dense units, 10 epochs, batches of 32."""
    config = TrainConfig(DataConfig("x"))
    assert (config.layers.kernels, config.layers.kernel_size, config.layers.pool_window) == ((32,), 3, 2)
    assert (config.layers.pool, config.layers.dense, config.epochs, config.batch) == ("max", 512, 10, 32)
    assert config.augment != NO_AUGMENT
