"""Tests of edges across an outline."""

from __future__ import annotations

import numpy as np

from edgecls.regions.outline import edges_across

MASK = np.zeros((40, 60), np.uint8)
MASK[10:30, 20:40] = 1


def test_an_edge_at_the_outline_counts_and_one_elsewhere_does_not():
    """A square at the mask, one beside it, and none."""
    at, beside, none = (np.full(MASK.shape, 100, np.uint8) for _ in range(3))
    at[10:30, 20:40] = 200
    beside[12:28, 46:56] = 200
    strong, weak, nothing = edges_across(MASK, (at, beside, none))
    assert strong > 100
    assert weak < 5
    assert nothing == 0


def test_stripes_that_end_at_no_outline_count_little():
    """Across the upper and lower side only, and there only if one is on it."""
    stripes = np.full(MASK.shape, 100, np.uint8)
    stripes[4::8] = 200
    stripes[5::8] = 200
    square = stripes.copy()
    square[10:30, 20:40] = 30
    striped, covered = edges_across(MASK, (stripes, square))
    assert striped < covered / 2
