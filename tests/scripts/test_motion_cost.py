"""What the cost of motion is measured with: the objects that are drawn are those that motion finds."""

from __future__ import annotations

import pytest

from scripts.motion_cost import cost


@pytest.mark.parametrize("objects", [1, 3])
def test_the_objects_that_are_drawn_are_found(objects):
    """Otherwise something else would be measured."""
    measured = cost(320, 6.0, objects)
    assert measured.boxes == pytest.approx(objects, abs=0.3)
    assert measured.cores > 0
    assert measured.background_ms > 0
