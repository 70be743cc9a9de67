"""The comparison of an exported file with the trained model."""

from __future__ import annotations

import numpy as np
import pytest

from edgecls.dataset import Pictures
from edgecls.errors import ExportError
from edgecls.evaluate import measure
from edgecls.export.parity import Parity, check_float, compare


def report(*rows):
    """Return the evaluation of a model that gives these probabilities for pictures of the classes 0, 0, 1, 1."""
    pictures = Pictures(np.zeros((len(rows), 1, 1, 1), np.uint8), np.array([0, 0, 1, 1]), (), ())
    given = np.array(rows, np.float32)
    return measure(lambda batch: given[: len(batch)], ("a", "b"), pictures, [0, 1])


def test_compare_by_hand():
    """One of four pictures changes to the wrong label: agreement 3/4, drops of 1/4."""
    right = ((1, 0), (1, 0), (0, 1), (0, 1))
    wrong = ((1, 0), (0.25, 0.75), (0, 1), (0, 1))
    found = compare(report(*right), report(*wrong))
    assert found == Parity(0.75, pytest.approx(1.5 / 8), 0.75, 0.25, 0.25)
    assert compare(report(*right), report(*right)) == Parity(0, 0, 1, 0, 0)


def test_a_float_file_may_not_differ():
    """1e-4 passes, 2e-3 is refused with the number and the bound."""
    check_float(Parity(1e-4, 0, 1, 0, 0), "m.onnx")
    with pytest.raises(
        ExportError,
        match=r"^m\.onnx: its probabilities differ from Keras by up to 0\.002 .* expected at most 0\.001; nothing was written",
    ):
        check_float(Parity(2e-3, 0, 1, 0, 0), "m.onnx")
