"""Tests of connected components."""

from __future__ import annotations

import numpy as np
import pytest

from edgecls.regions import components as module
from edgecls.regions.components import components


@pytest.mark.parametrize("most", [module.MOST_IN_16_BITS, 0], ids=["16 bits", "32 bits"])
def test_each_component_has_its_box_and_size(monkeypatch, most):
    """Two that touch at a corner are one."""
    monkeypatch.setattr(module, "MOST_IN_16_BITS", most)
    mask = np.zeros((20, 30), np.uint8)
    mask[2:5, 3:9] = 255
    mask[5:8, 9:11] = 1
    mask[10:12, 20:30] = 255
    labels, stats = components(mask)
    assert stats[1:] == [[3, 2, 8, 6, 24], [20, 10, 10, 2, 20]]
    assert (labels == 1).sum() == 24
    assert labels[11, 25] == 2


def test_the_most_components_that_a_picture_can_have_are_told_apart():
    """One pixel in four."""
    mask = np.zeros((180, 320), np.uint8)
    mask[::2, ::2] = 255
    assert len(components(mask)[1]) == 1 + 90 * 160
