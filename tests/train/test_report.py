"""Drawings of a run."""

from __future__ import annotations

import numpy as np
import pytest

from edgecls import image
from edgecls.train.report import draw_confusion, draw_curves


def test_curves_are_drawn_for_one_epoch_too(tmp_path):
    """A run of one epoch has curves of one point."""
    row = {"epoch": 1, "loss": 1.0, "accuracy": 0.5, "val_loss": 1.1, "val_accuracy": 0.4, "seconds": 1.0}
    draw_curves([row], "accuracy", tmp_path / "curves.png")
    assert image.load(tmp_path / "curves.png").shape[:2] == (520, 1300)


@pytest.mark.parametrize("classes", [2, 43, 200])
def test_a_confusion_matrix_of_any_size_is_drawn(tmp_path, classes):
    """2, 43 or 200 classes, some without pictures, give a picture that is not blank."""
    confusion = np.diag(np.arange(classes))
    draw_confusion(confusion, [f"class {i}" for i in range(classes)], tmp_path / "confusion.png")
    assert image.load(tmp_path / "confusion.png").std() > 1
