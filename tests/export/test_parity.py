"""Is the exported file the model that was trained?"""

from __future__ import annotations

import numpy as np
import pytest

from edgecls.dataset import Pictures
from edgecls.errors import ExportError
from edgecls.evaluate import measure
from edgecls.export.parity import Parity, check_drop, check_float, compare


def report(*rows):
    """What a model that gives `rows` does on pictures of the classes 0, 0, 1, 1."""
    pictures = Pictures(np.zeros((len(rows), 1, 1, 1), np.uint8), np.array([0, 0, 1, 1]), (), ())
    given = np.array(rows, np.float32)
    return measure(lambda batch: given[: len(batch)], ("a", "b"), pictures, [0, 1])


def test_compare_by_hand():
    """One of four pictures goes over to the wrong label and moves by 0.5: agreement 3/4, a drop of 1/4."""
    right = ((1, 0), (1, 0), (0, 1), (0, 1))
    wrong = ((1, 0), (0.25, 0.75), (0, 1), (0, 1))
    found = compare(report(*right), report(*wrong))
    assert found == Parity(0.75, pytest.approx(1.5 / 8), 0.75, 0.25)
    assert compare(report(*right), report(*right)) == Parity(0, 0, 1, 0)


def test_a_float_file_may_not_differ():
    """1e-4 passes, 2e-3 is refused with the number and the bound."""
    check_float(Parity(1e-4, 0, 1, 0), "m.onnx")
    with pytest.raises(
        ExportError,
        match=r"^m\.onnx: its probabilities differ from Keras by up to 0\.002 .* expected at most 0\.001; nothing was written",
    ):
        check_float(Parity(2e-3, 0, 1, 0), "m.onnx")


def test_a_file_may_not_lose_more_than_max_drop():
    """A loss of 2 points passes with 2.5 and is refused with 1; a gain always passes."""
    check_drop(Parity(0, 0, 1, 0.02), 2.5, "m.onnx")
    check_drop(Parity(0, 0, 1, -0.5), 0, "m.onnx")
    with pytest.raises(
        ExportError,
        match=r"^m\.onnx: 2\.00 points .* at most 1; nothing was written\. Take --scheme fp32, or .* --max-drop",
    ):
        check_drop(Parity(0, 0, 1, 0.02), 1, "m.onnx")
