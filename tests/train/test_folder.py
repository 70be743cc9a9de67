"""Tests of run folders and of resuming."""

from __future__ import annotations

import shutil

import pytest

from edgecls import ConfigError
from edgecls.train.config import Layers
from edgecls.train.fit import fit
from tests.runs import config


@pytest.fixture
def finished(short_run):
    """Return the folder of a finished run of two epochs."""
    return short_run[0].out


@pytest.mark.parametrize(
    ("changes", "name"),
    [
        ({"arch": "edge"}, "arch"),
        ({"layers": Layers(kernels=(4,), dense=32)}, "layers"),
        ({"seed": 3}, "seed"),
        ({"batch": 8}, "batch"),
    ],
)
def test_a_run_goes_on_with_its_own_settings(finished, shapes, tmp_path, changes, name):
    """On `resume`, another network, seed or batch is rejected by name, and config.toml is unchanged."""
    run = shutil.copytree(finished, tmp_path / "run")
    before = (run / "config.toml").read_text()
    with pytest.raises(
        ConfigError, match=f"`resume` continues with the settings of the run, but {name} differs from its config.toml"
    ):
        fit(config(shapes, **changes), run, resume=True)
    assert (run / "config.toml").read_text() == before


def test_more_epochs_and_other_words_may_come_on_resume(finished, shapes, tmp_path):
    """A resumed run may have more epochs and another text for the card."""
    run = shutil.copytree(finished, tmp_path / "run")
    report = fit(config(shapes, epochs=3, about="drawn"), run, resume=True)
    assert report.epochs == 3
    assert report.card.about == "drawn"
    assert len((run / "history.csv").read_text().splitlines()) == 1 + 3


def test_an_epoch_that_was_written_down_but_not_saved_is_trained_again(finished, shapes, tmp_path):
    """After a kill between history.csv and last.keras, the batch count in last.keras tells which rows are valid."""
    run = shutil.copytree(finished, tmp_path / "run")
    rows = (run / "history.csv").read_text()
    (run / "history.csv").write_text(rows + "3,0.1,0.9,0.8,0.1,0.9,0.8,0.7,1.0\n")
    assert fit(config(shapes, epochs=3), run, resume=True).epochs == 3
    assert "0.1,0.9,0.8,0.1,0.9,0.8,0.7,1.0" not in (run / "history.csv").read_text()


def test_a_history_with_too_few_epochs_stops_a_resume(finished, shapes, tmp_path):
    """A history.csv that lacks a row is rejected."""
    run = shutil.copytree(finished, tmp_path / "run")
    lines = (run / "history.csv").read_text().splitlines()
    (run / "history.csv").write_text("\n".join(lines[:-1]) + "\n")
    with pytest.raises(ConfigError, match=r"history\.csv: has 1 of 2 epochs"):
        fit(config(shapes), run, resume=True)


def test_a_damaged_last_keras_is_one_line(finished, shapes, tmp_path):
    """The error for a damaged file names it and says what to do."""
    run = shutil.copytree(finished, tmp_path / "run")
    (run / "last.keras").write_bytes(b"not a model")
    with pytest.raises(ConfigError, match=r"last\.keras: Keras cannot read it .*train again into another `out`"):
        fit(config(shapes, epochs=3), run, resume=True)


def test_a_run_that_cannot_begin_leaves_nothing(shapes, tmp_path):
    """If the layers shrink the picture to nothing, the folder that was just created is removed."""
    with pytest.raises(ConfigError, match=r"shrink a picture of .* to nothing"):
        fit(config(shapes, layers=Layers(kernels=(3, 3, 3, 3, 3))), tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_a_folder_that_was_there_stays(shapes, tmp_path):
    """An empty folder that existed before is kept."""
    (tmp_path / "run").mkdir()
    with pytest.raises(ConfigError, match=r"shrink a picture of .* to nothing"):
        fit(config(shapes, layers=Layers(kernels=(3, 3, 3, 3, 3))), tmp_path / "run")
    assert (tmp_path / "run").is_dir()
