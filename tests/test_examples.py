"""The examples of the public functions run as their docstrings show them."""

from __future__ import annotations

import doctest
import inspect

import keras
import pytest

import edgecls
from tests import drawn

MAKERS = ("train_model", "export_model", "adopt_model", "evaluate_model", "learn_model")
"""In this order each finds what those before it have made."""


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A folder with labelled pictures, a file of their labels, and somebody else's network."""
    folder = tmp_path_factory.mktemp("examples")
    drawn.write_class_folders(folder / "shapes", pictures=30)
    (folder / "labels.txt").write_text("\n".join(drawn.SHAPES))
    layers = [keras.Input((24, 24, 1)), keras.layers.Flatten(), keras.layers.Dense(4, activation="softmax")]
    keras.Sequential(layers).save(folder / "theirs.keras")
    return folder


def test_the_examples_give_what_they_say(place, monkeypatch, capsys):
    """Train, export, adopt and evaluate, each as printed; nothing but the examples prints."""
    monkeypatch.chdir(place)
    for name in MAKERS:
        text = inspect.getdoc(getattr(edgecls, name))
        example = doctest.DocTestParser().get_doctest(text, {}, name, None, None)
        assert len(example.examples) >= 2, name
        said = []
        doctest.DocTestRunner(optionflags=doctest.ELLIPSIS).run(example, out=said.append)
        assert not said, "".join(said)
    printed = capsys.readouterr()
    assert printed.out + printed.err == ""


@pytest.mark.parametrize("name", MAKERS)
def test_a_public_function_says_all_that_a_caller_needs(name):
    """Its arguments, what it returns, what it raises, and an example."""
    function = getattr(edgecls, name)
    text = inspect.getdoc(function)
    for part in ("Args:", "Returns:", "Raises:", "Example:"):
        assert f"\n{part}\n" in text
    assert all(f"    {argument}: " in text for argument in inspect.signature(function).parameters)


def test_settings_are_laid_over_a_configuration(place, tmp_path):
    """Keyword arguments override the file, group by group; a mistake is named as in a file."""
    first = edgecls.train_model(place / "shapes", tmp_path / "run", epochs=1, input={"width": 16, "height": 16}, augment=False)
    config = tmp_path / "run" / "config.toml"
    assert "rotation_deg = 0.0" in config.read_text()
    assert first.epochs == 1
    with pytest.raises(edgecls.ConfigError, match="unknown setting epoch; did you mean epochs"):
        edgecls.train_model(None, tmp_path / "other", config=config, epoch=2)
    with pytest.raises(edgecls.ConfigError, match="data: expected class folders"):
        edgecls.train_model(None, tmp_path / "other")
    again = edgecls.train_model(None, tmp_path / "run", resume=True, epochs=2)
    assert (again.epochs, again.card.input.width) == (2, 16)
