"""Tables to frozen dataclasses and back."""

from __future__ import annotations

import tomllib

import pytest

from edgecls.card import InputSpec
from edgecls.dataset import DataConfig
from edgecls.errors import ConfigError
from edgecls.settings import as_table, build, merged, read_toml
from edgecls.train.config import Layers, TrainConfig


def test_a_config_survives_toml():
    """What a run writes to config.toml builds the same config again; None is left out."""
    config = TrainConfig(DataConfig("x"), layers=Layers(kernels=(8, 16)), input=InputSpec(24, 48, "rgb"), rate=0.01)
    text = config.to_toml()
    assert "dropout" not in text
    assert build(TrainConfig, tomllib.loads(text), "f") == config


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ({"data": {"path": "x"}, "epoch": 3}, r"^f\.toml: unknown setting epoch; did you mean epochs\? known are data, "),
        ({"data": {"path": "x", "rio": True}}, r"^f\.toml: unknown setting data\.rio; did you mean data\.roi\? known are data"),
        ({"data": {"path": "x"}, "epochs": "3"}, r"^f\.toml: epochs must be int, found '3'$"),
        ({"data": {"path": "x"}, "epochs": True}, r"^f\.toml: epochs must be int, found True$"),
        ({"data": {"path": "x"}, "epochs": 0}, r"^f\.toml: epochs must be above 0, not 0$"),
        ({"data": {"path": "x"}, "rate": "fast"}, r"^f\.toml: rate must be float, found 'fast'$"),
        ({"data": "x"}, r"^f\.toml: data must be a table, found 'x'$"),
        ({"data": {}}, r"^f\.toml: data\.path is missing$"),
        ({"data": {"path": "x", "val_fraction": 1}}, r"^f\.toml: data\.val_fraction must be between 0 and 1, not 1\.0$"),
        ({"data": {"path": "x"}, "layers": {"kernels": 3}}, r"layers\.kernels must be a list of whole numbers, found 3$"),
        ({"data": {"path": "x"}, "layers": {"kernels": [3.5]}}, r"layers\.kernels must be a list of whole numbers"),
        ({"data": {"path": "x"}, "layers": {"pool": "min"}}, r"layers\.pool must be one of max, average, not 'min'$"),
        ({"data": {"path": "x"}, "input": {"color": "hsv"}}, r"^f\.toml: input\.color must be one of .*, not 'hsv'$"),
        ({"data": {"path": "x"}, "input": {"height": 0}}, r"^f\.toml: input size must be .*, not 32x0$"),
        ({"data": {"path": "x"}, "optimizer": "adamax"}, r"^f\.toml: optimizer must be one of adam, adamw, sgd, rmsprop"),
    ],
)  # fmt: skip
def test_a_wrong_setting_is_named(table, message):
    """The error has the file, the key with its table, what it may be and what was found."""
    with pytest.raises(ConfigError, match=message):
        build(TrainConfig, table, "f.toml")


def test_whole_numbers_stand_for_floats():
    """Rate = 1 in TOML is 1.0."""
    assert build(TrainConfig, {"data": {"path": "x"}, "rate": 1}, "f").rate == 1.0


def test_changes_go_over_a_table_key_by_key():
    """A nested change leaves its neighbours, and the table that was given."""
    table = {"a": {"x": 1, "y": 2}, "b": 3}
    assert merged(table, {"a": {"y": 5}, "c": 4}) == {"a": {"x": 1, "y": 5}, "b": 3, "c": 4}
    assert table == {"a": {"x": 1, "y": 2}, "b": 3}


def test_as_table_leaves_none_out():
    """TOML has no null."""
    assert "rate" not in as_table(TrainConfig(DataConfig("x")))


def test_files_that_are_no_toml_are_refused(tmp_path):
    """A missing file and a broken one are one line each, with the path."""
    with pytest.raises(ConfigError, match=r"none.toml: cannot be read \(No such file"):
        read_toml(tmp_path / "none.toml")
    (tmp_path / "bad.toml").write_text("a = ")
    with pytest.raises(ConfigError, match=r"bad.toml: not valid TOML"):
        read_toml(tmp_path / "bad.toml")
