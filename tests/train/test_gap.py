"""Tests of the gap between training and validation accuracy."""

from __future__ import annotations

import re
from operator import attrgetter

import numpy as np
import pytest
from typer.main import get_command

from edgecls import evaluate
from edgecls.cli import messages
from edgecls.cli.entry import app
from edgecls.dataset import DataConfig, Pictures
from edgecls.train import gap
from edgecls.train.config import NO_AUGMENT, TrainConfig
from edgecls.train.gap import Gap, measure

CONFIG = TrainConfig(DataConfig("data"))


@pytest.mark.parametrize(
    ("training", "validation", "pictures", "said"),
    [
        (
            0.998,
            0.912,
            2000,
            "gap 8.6 points: overfitting, it has memorized its training pictures; try more pictures, stronger",
        ),
        (0.998, 0.962, 2000, "gap 3.6 points: some overfitting; it may help to try more pictures"),
        (0.998, 0.982, 2000, "gap 1.6 points: little overfitting"),
        (0.998, 0.996, 2000, "gap 0.2 points: no overfitting that 2,000 held-out pictures can show"),
        (0.998, 0.912, 34, "gap 8.6 points: no overfitting that 34 held-out pictures can show"),
        (0.95, 0.97, 2000, "gap -2.0 points: no overfitting that 2,000 held-out pictures can show"),
        (
            0.7,
            0.69,
            2000,
            "gap 1.0 points: underfitting, it has not learned its own training pictures; try more `epochs`, `arch=edge`",
        ),
        (0.8, 0.6, 2000, "gap 20.0 points: overfitting"),
    ],
)
def test_the_gap_has_a_name(training, validation, pictures, said):
    """Above 5 points is overfitting, up to 2 little, within the noise none. A low accuracy without a gap is underfitting."""
    found = Gap(training, 4096, validation, pictures).sentence(CONFIG)
    assert found.startswith(f"Training accuracy {100 * training:.1f} %, validation {100 * validation:.1f} %: ")
    assert said in found


def test_the_gap_is_that_of_the_numbers_as_they_are_shown():
    """99.84 and 91.16 are shown as 99.8 and 91.2, and their gap as 8.6."""
    assert "Training accuracy 99.8 %, validation 91.2 %: gap 8.6 points" in Gap(0.9984, 4096, 0.9116, 2000).sentence(CONFIG)


def test_noise_is_two_standard_errors_of_both_shares():
    """Of 100 and 400 pictures with 0.9 and 0.8 right: 2 sqrt(0.09 / 100 + 0.16 / 400)."""
    assert Gap(0.9, 100, 0.8, 400).noise == pytest.approx(2 * (0.0009 + 0.0004) ** 0.5)


@pytest.mark.parametrize("arch", ["classic", "edge"])
@pytest.mark.parametrize("augment", [CONFIG.augment, NO_AUGMENT])
@pytest.mark.parametrize("found", [Gap(0.99, 4096, 0.8, 2000), Gap(0.6, 4096, 0.6, 2000)])
def test_every_option_that_is_advised_exists(arch, augment, found):
    """The suggested settings are fields of the config and options of `edgecls train`, and are not in use yet."""
    options = {p.name for p in get_command(app).commands["train"].params}
    config = TrainConfig(DataConfig("data"), arch=arch, augment=augment)
    sentence = found.sentence(config)
    advised = set(re.findall(r"`([\w.]+)", sentence))
    assert advised
    assert {messages.OPTION_OF.get(name, name).replace(".", "_") for name in advised} <= options
    for name in advised:
        attrgetter(name)(config)
    assert f"arch={arch}" not in sentence


@pytest.mark.parametrize("found", [Gap(0.99, 4096, 0.8, 2000), Gap(0.6, 4096, 0.6, 2000)])
def test_the_command_line_prints_the_advice_with_its_options(found, capsys):
    """Python users read the name of the field, and users of the command its option."""
    sentence = found.sentence(CONFIG)
    assert "`augment.rotation_deg` and `augment.translation`" in sentence
    messages.use_options({p.name: max(p.opts, key=len) for p in get_command(app).commands["train"].params})
    messages.say(sentence)
    messages.use_options({})
    printed = capsys.readouterr().err
    assert "--augment-rotation and --augment-translation" in printed
    assert "`" not in printed


def test_the_gap_is_measured_on_unchanged_training_pictures(monkeypatch):
    """A model that predicts "bright" above level 100 gets 3 of 4 right. From many pictures, the same sample is taken."""
    batch = np.array([0, 50, 200, 150], np.uint8).reshape(4, 1, 1, 1)
    pictures = Pictures(batch, np.array([0, 1, 1, 1]), (), ())

    def bright(batch):
        above = (batch.reshape(-1) > 100).astype(np.float32)
        return np.stack([1 - above, above], axis=1)

    report = evaluate.measure(bright, ("dark", "bright"), pictures, range(2))
    assert measure(bright, pictures, report, seed=0) == (0.75, 4)
    monkeypatch.setattr(gap, "SAMPLE", 2)
    assert measure(bright, pictures, report, seed=1) == measure(bright, pictures, report, seed=1)
    assert measure(bright, pictures, report, seed=1)[1] == 2
