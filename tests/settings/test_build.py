"""Building frozen dataclasses from tables, and converting them back."""

from __future__ import annotations

import tomllib

import pytest

from edgecls.dataset import DataConfig
from edgecls.errors import ConfigError
from edgecls.input_spec import InputSpec
from edgecls.settings import as_table, build, merged, read_toml
from edgecls.train.config import Layers, TrainConfig


def test_a_config_survives_toml():
    """The config.toml that a run writes builds the same config again; None is left out."""
    config = TrainConfig(DataConfig("x"), layers=Layers(kernels=(8, 16)), input=InputSpec(24, 48, "rgb"), rate=0.01)
    text = config.to_toml()
    assert "dropout" not in text
    assert build(TrainConfig, tomllib.loads(text), "f") == config


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ({"data": {"path": "x"}, "epoch": 3}, r"^f\.toml: unknown setting epoch; did you mean epochs\? known are data, "),
        ({"data": {"path": "x", "rio": True}}, r"^f\.toml: unknown setting data\.rio; did you mean data\.roi\? known are path"),
        ({"data": {"path": "x"}, "epochs": "3"}, r"^f\.toml: epochs must be a whole number, not '3'$"),
        ({"data": {"path": "x"}, "epochs": True}, r"^f\.toml: epochs must be a whole number, not true$"),
        ({"data": {"path": "x"}, "epochs": 0}, r"^f\.toml: epochs must be above 0, not 0$"),
        ({"data": {"path": "x"}, "rate": "fast"}, r"^f\.toml: rate must be a number, not 'fast'$"),
        ({"data": "x"}, r"^f\.toml: data must be a table, not 'x'; write \[data\] above its settings, if any$"),
        ({"data": True}, r"^f\.toml: data must be a table, not true; write \[data\] above its settings, if any$"),
        ({"data": {}}, r"^f\.toml: data\.path is missing$"),
        ({"data": {"path": "x", "val_fraction": 1}}, r"^f\.toml: data\.val_fraction must be between 0 and 1, not 1\.0$"),
        ({"data": {"path": "x"}, "layers": {"kernels": 3}}, r"layers\.kernels must be a list of whole numbers, not 3$"),
        ({"data": {"path": "x"}, "layers": {"kernels": [3.5]}}, r"layers\.kernels must be a list of whole numbers"),
        ({"data": {"path": "x"}, "layers": {"pool": "min"}}, r"layers\.pool must be one of max, average, not 'min'$"),
        ({"data": {"path": "x"}, "input": {"color": "hsv"}}, r"^f\.toml: input\.color must be one of .*, not 'hsv'$"),
        ({"data": {"path": "x"}, "input": {"height": 0}}, r"^f\.toml: input size must be .*, not 32x0$"),
        ({"data": {"path": "x"}, "optimizer": "adamax"}, r"^f\.toml: optimizer must be one of adam, adamw, sgd, rmsprop"),
    ],
)  # fmt: skip
def test_a_wrong_setting_is_named(table, message):
    """The error contains the file, the key with its table, the expected value and the value found."""
    with pytest.raises(ConfigError, match=message):
        build(TrainConfig, table, "f.toml")


def test_whole_numbers_are_valid_for_floats():
    """`rate = 1` in TOML is 1.0."""
    assert build(TrainConfig, {"data": {"path": "x"}, "rate": 1}, "f").rate == 1.0


def test_changes_are_merged_key_by_key():
    """A nested change keeps the other keys, and does not change the original table."""
    table = {"a": {"x": 1, "y": 2}, "b": 3}
    assert merged(table, {"a": {"y": 5}, "c": 4}) == {"a": {"x": 1, "y": 5}, "b": 3, "c": 4}
    assert table == {"a": {"x": 1, "y": 2}, "b": 3}


def test_as_table_leaves_none_out():
    """TOML has no null."""
    assert "rate" not in as_table(TrainConfig(DataConfig("x")))


def test_files_that_cannot_be_read_are_refused(tmp_path):
    """The error for a missing or invalid file is one line with the path."""
    with pytest.raises(ConfigError, match=r"none.toml: cannot be read \(No such file"):
        read_toml(tmp_path / "none.toml")
    (tmp_path / "bad.toml").write_text("a = ")
    with pytest.raises(ConfigError, match=r"bad.toml: not valid TOML"):
        read_toml(tmp_path / "bad.toml")


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_a_byte_order_mark_is_ignored(tmp_path, encoding):
    """Notepad writes one."""
    (tmp_path / "f.toml").write_text('epochs = 3\nabout = "Überblick"\n', encoding=encoding)
    assert read_toml(tmp_path / "f.toml") == {"epochs": 3, "about": "Überblick"}


@pytest.mark.parametrize(
    "text",
    ["x = " + "[" * 20_000, "x = " + "9" * 5000, "a" + " . a" * 2_000_000 + " = 1", "x =", "x = 1\nx = 2", "d = 2026-13-01"],
)
def test_invalid_toml_is_an_error(tmp_path, text):
    """Endless nesting, an endless number, an endless key, half a line, a duplicate key, a month that does not exist."""
    (tmp_path / "f.toml").write_text(text)
    with pytest.raises(ConfigError, match=r"f\.toml(:\d)?: not valid TOML \("):
        read_toml(tmp_path / "f.toml")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("rate = nan", ":2: rate must be a finite number, not nan"),
        ("rate = -inf", ":2: rate must be a finite number, not -inf"),
        ("mixup = 1e999", ":2: mixup must be a finite number, not inf"),
        ("epochs = 9223372036854775808", ":2: epochs must be a number of at most 64 bits"),
        ("batch = 0x" + "f" * 6000, ":2: batch must be a number of at most 64 bits"),
        ('about = "a\\u0000b"', r":2: about must be a text without null bytes, not 'a\\x00b'"),
        ('teachers = ["a", "\\u0000"]', r":2: teachers\[1\] must be a text without null bytes"),
        ("[layers]\nkernels = [1, 0x" + "f" * 6000 + "]", r":3: layers\.kernels\[1\] must be a number of at most 64 bits"),
        ("a" + ".b" * 63 + " = [[[[1]]]]", r".*nested too deep"),
        ("[strange]\n[strange.x]\ny = [[nan]]", r":4: strange\.x\.y\[0\]\[0\] must be a finite number"),
    ],
)
def test_values_that_no_setting_allows_are_refused_with_their_line(tmp_path, text, message):
    """NaN, infinity, numbers beyond 64 bits, null bytes and deep nesting, anywhere in the file."""
    (tmp_path / "f.toml").write_text(f"# first line\n{text}\n")
    with pytest.raises(ConfigError, match=rf"f\.toml{message}"):
        read_toml(tmp_path / "f.toml")


@pytest.mark.parametrize("value", [float("nan"), float("inf"), 10**400])
def test_options_must_be_finite_too(value):
    """The command line accepts nan and inf as numbers."""
    with pytest.raises(ConfigError, match=r"^settings: rate must be a (finite number|number of at most 64 bits)"):
        build(TrainConfig, {"data": {"path": "x"}, "rate": value}, "settings")


def test_a_long_value_is_cut():
    """An error is one readable line."""
    with pytest.raises(ConfigError) as caught:
        build(TrainConfig, {"data": {"path": "x"}, "epochs": ["x" * 10_000] * 100}, "f.toml")
    assert len(str(caught.value)) < 300


def test_the_length_of_a_text_is_limited():
    """The error states its length, and does not show it."""
    with pytest.raises(ConfigError, match=r"^f: path must be a text of at most 10,000 characters, not 20,000$"):
        build(DataConfig, {"path": "x" * 20_000}, "f")
