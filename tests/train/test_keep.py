"""Tests of which epoch is kept."""

from __future__ import annotations

import numpy as np
import pytest

from edgecls.train.fit import fit
from tests.runs import Listener, config


@pytest.mark.parametrize("keep", ["best", "last"])
def test_best_keras_is_the_epoch_to_keep(shapes, tmp_path, keep):
    """At a rate so high that epochs get worse, `best` and `last` keep different epochs, as their validation accuracy shows."""
    listener = Listener()
    report = fit(config(shapes, epochs=6, rate=0.02, keep=keep), tmp_path / "run", watcher=listener)
    accuracies = [row["val_accuracy"] for row, _ in listener.rows]
    expected = max(accuracies) if keep == "best" else accuracies[-1]
    assert report.val.top1 == pytest.approx(expected, abs=1e-6)


def test_the_average_of_the_weights_is_what_is_validated_and_kept(shapes, tmp_path):
    """With --average, the validation accuracy of an epoch is that of the saved averaged weights."""
    import keras

    listener = Listener()
    report = fit(config(shapes, epochs=3, average=True, keep="last"), tmp_path / "run", watcher=listener)
    assert report.val.top1 == pytest.approx(listener.rows[-1][0]["val_accuracy"], abs=1e-6)
    kept, trained = (keras.saving.load_model(tmp_path / "run" / f"{name}.keras") for name in ("best", "last"))
    assert any(np.abs(a - b).max() > 1e-4 for a, b in zip(kept.get_weights(), trained.get_weights(), strict=True))
