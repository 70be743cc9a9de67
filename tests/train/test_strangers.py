"""Pictures of no class."""

from __future__ import annotations

import numpy as np
import pytest

from edgecls.train import strangers
from edgecls.train.config import STRANGER_KINDS

PICTURES = np.random.default_rng(5).integers(0, 256, (6, 24, 32, 3), np.uint8)


def test_the_kinds_are_those_of_the_settings():
    """What a setting may name can be made, and the other way round."""
    assert tuple(strangers.KINDS) == STRANGER_KINDS


@pytest.mark.parametrize("kind", STRANGER_KINDS)
@pytest.mark.parametrize("shape", [(24, 32, 3), (20, 20, 1), (7, 5, 1)])
def test_each_kind_makes_pictures_of_any_shape(kind, shape):
    """As many as there are, of their shape, none of them one that was given, the same for the same chance."""
    given = np.random.default_rng(5).integers(0, 256, (6, *shape), np.uint8)
    before = given.copy()
    made, again = (strangers.make(given, [kind], np.random.default_rng(3)) for _ in range(2))
    assert made.shape == given.shape
    assert made.dtype == np.uint8
    assert (made == again).all()
    assert (given == before).all()
    assert not any((one == other).all() for one in made for other in given)


def test_tiles_change_places_and_keep_their_pixels():
    """A shuffled picture whose sides the tiles divide has the same levels, each as often."""
    chance = np.random.default_rng(0)
    picture = PICTURES[0][:, :24]
    for _ in range(10):
        made = strangers.KINDS["shuffled"](picture, PICTURES, chance)
        assert (np.sort(made.ravel()) == np.sort(picture.ravel())).all()


def test_a_part_shows_levels_of_its_picture_alone():
    """What is enlarged comes from the picture, and from less than a quarter of it."""
    picture = np.arange(24 * 32, dtype=np.uint16).reshape(24, 32, 1).astype(np.uint8)
    unique = np.arange(24 * 32).reshape(24, 32, 1)
    chance = np.random.default_rng(0)
    made = strangers.KINDS["part"](unique, PICTURES, chance)
    assert set(np.unique(made)) <= set(np.unique(unique))
    assert len(np.unique(made)) < 0.25 * picture.size


def test_letters_stand_out():
    """A drawn letter differs from its ground by much, in every picture."""
    made = strangers.make(PICTURES, ["letters"], np.random.default_rng(1))
    assert min(int(one.max()) - int(one.min()) for one in made) > 40
