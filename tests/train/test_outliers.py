"""Tests of synthetic outliers."""

from __future__ import annotations

import numpy as np
import pytest

from edgecls.train import outliers
from edgecls.train.config import STRANGER_KINDS

PICTURES = np.random.default_rng(5).integers(0, 256, (6, 24, 32, 3), np.uint8)


def test_the_kinds_are_those_of_the_settings():
    """The kinds in the settings are those that can be made."""
    assert tuple(outliers.KINDS) == STRANGER_KINDS


@pytest.mark.parametrize("kind", STRANGER_KINDS)
@pytest.mark.parametrize("shape", [(24, 32, 3), (20, 20, 1), (7, 5, 1)])
def test_each_kind_makes_pictures_of_any_shape(kind, shape):
    """There are as many outliers as pictures, of the same shape; none equals a given picture; the same rng gives the same."""
    given = np.random.default_rng(5).integers(0, 256, (6, *shape), np.uint8)
    before = given.copy()
    made, again = (outliers.make(given, [kind], np.random.default_rng(3)) for _ in range(2))
    assert made.shape == given.shape
    assert made.dtype == np.uint8
    assert (made == again).all()
    assert (given == before).all()
    assert not any((one == other).all() for one in made for other in given)


def test_tiles_change_places_and_keep_their_pixels():
    """If the tiles divide the sides evenly, a shuffled picture has the same levels equally often."""
    rng = np.random.default_rng(0)
    picture = PICTURES[0][:, :24]
    for _ in range(10):
        made = outliers.KINDS["shuffled"](picture, PICTURES, rng)
        assert (np.sort(made.ravel()) == np.sort(picture.ravel())).all()


def test_a_part_shows_levels_of_its_picture_alone():
    """The enlarged part comes from less than a quarter of the picture."""
    picture = np.arange(24 * 32, dtype=np.uint16).reshape(24, 32, 1).astype(np.uint8)
    unique = np.arange(24 * 32).reshape(24, 32, 1)
    rng = np.random.default_rng(0)
    made = outliers.KINDS["part"](unique, PICTURES, rng)
    assert set(np.unique(made)) <= set(np.unique(unique))
    assert len(np.unique(made)) < 0.25 * picture.size


def test_letters_stand_out():
    """A drawn letter differs strongly from its background, in every picture."""
    made = outliers.make(PICTURES, ["letters"], np.random.default_rng(1))
    assert min(int(one.max()) - int(one.min()) for one in made) > 40
