"""Drawing zones, lines and ignored areas on a picture."""

from __future__ import annotations

import numpy as np

from edgecls.draw.zones import GRID_PLATE, IGNORED, LINE, OBJECTS, ZONE, grid, sketch
from edgecls.events.rules import CountingLine, Zone
from edgecls.regions.geometry import Line, Polygon
from edgecls.run.camera import Camera

PICTURE = np.full((400, 600, 3), 128, np.uint8)


def places(drawn: np.ndarray, color: tuple[int, int, int]) -> tuple[np.ndarray, np.ndarray]:
    """Return the y and x of all pixels of a colour."""
    return np.nonzero((drawn == color).all(axis=2))


def test_zones_are_drawn_in_place():
    """A zone that shows a state has the rectangle that is classified. The original picture is not changed."""
    bay = Zone("bay", Polygon.rectangle(0.5, 0.5, 0.25, 0.25), look="objects")
    lamp = Zone("lamp", Polygon(((0.1, 0.5), (0.2, 0.5), (0.2, 0.9))))
    drawn = sketch(PICTURE, Camera("gate", 0, zone=(bay, lamp)))
    assert (PICTURE == 128).all()
    ys, xs = places(drawn[200:], OBJECTS)  # below its name
    assert (xs.min(), xs.max(), ys.max()) == (299, 451, 101)
    assert tuple(drawn[250, 300]) == tuple(drawn[300, 375]) == OBJECTS
    assert tuple(drawn[250, 375]) == (128, 128, 128)
    assert tuple(drawn[300, 60]) == ZONE  # on the rectangle, outside the triangle


def test_a_line_names_its_sides():
    """As seen from its start, which has a dot: the left side of a line from left to right is above."""
    to_right = sketch(
        PICTURE, Camera("gate", 0, line=(CountingLine("stop", Line((0.1, 0.5), (0.9, 0.5)), left="up", right="down"),))
    )
    to_left = sketch(
        PICTURE, Camera("gate", 0, line=(CountingLine("stop", Line((0.9, 0.5), (0.1, 0.5)), left="down", right="up"),))
    )
    assert tuple(to_right[200, 300]) == tuple(to_right[196, 60]) == tuple(to_left[196, 540]) == LINE
    assert (to_right[100:300, 290:420] == to_left[100:300, 290:420]).mean() > 0.99
    swapped = sketch(
        PICTURE, Camera("gate", 0, line=(CountingLine("stop", Line((0.1, 0.5), (0.9, 0.5)), left="down", right="up"),))
    )
    assert (to_right != swapped).any()


def test_ignored_areas_are_crossed_out():
    """With stripes, so that the picture remains visible; nothing else changes."""
    drawn = sketch(PICTURE, Camera("gate", 0, ignore=(Polygon.rectangle(0.0, 0.0, 0.5, 0.5),)))
    changed = (drawn != PICTURE).any(axis=2)
    assert 0.1 < changed[5:195, 5:295].mean() < 0.3
    assert not changed[205:].any()
    assert not changed[:, 305:].any()
    assert (drawn[changed] == IGNORED).all()


def test_the_grid_has_a_line_at_each_tenth():
    """In both directions, with its fraction at all edges; the original picture is not changed."""
    drawn = grid(PICTURE)
    assert (PICTURE == 128).all()
    changed = (drawn != 128).any(axis=2)
    for tenth in range(1, 10):
        assert changed[:, 60 * tenth].mean() > 0.99
        assert changed[40 * tenth, :].mean() > 0.99
    assert not changed[50:70, 70:110].any()
    for side in (drawn[:12, 50:70], drawn[-12:, 50:70], drawn[30:50, :12], drawn[30:50, -12:]):
        assert (side == GRID_PLATE).all(axis=2).any()
