"""Random changes to training pictures."""

from __future__ import annotations

import dataclasses

import cv2
import numpy as np
import pytest

from edgecls.train.augment import augment
from edgecls.train.config import NO_AUGMENT, Augment
from tests.drawn import shape


@pytest.fixture
def picture():
    """A drawn ring in gray, (40, 40, 1)."""
    return cv2.cvtColor(shape("ring", np.random.default_rng(0)), cv2.COLOR_BGR2GRAY)[..., None]


def only(**given):
    """All kinds off but one."""
    return dataclasses.replace(NO_AUGMENT, **given)


def test_with_each_kind_off_the_picture_is_identical(picture):
    """Zero everywhere changes no pixel, whatever chance says."""
    for seed in range(20):
        assert (augment(picture, NO_AUGMENT, np.random.default_rng(seed)) == picture).all()


@pytest.mark.parametrize("kind", [f.name for f in dataclasses.fields(Augment)])
def test_each_kind_changes_the_picture_by_itself(picture, kind):
    """Scale, rotation, translation, brightness and contrast are each seen, and leave the original alone."""
    before = picture.copy()
    changed = augment(picture, only(**{kind: 20.0 if kind == "rotation_deg" else 0.3}), np.random.default_rng(1))
    assert (changed != picture).any()
    assert (picture == before).all()
    assert changed.shape == picture.shape
    assert changed.dtype == np.uint8


def test_the_same_chance_gives_the_same_picture(picture):
    """Equal seeds, equal pictures; another seed, another picture."""
    first, again, other = (augment(picture, Augment(), np.random.default_rng(s)) for s in (3, 3, 4))
    assert (first == again).all()
    assert (first != other).any()


def test_brightness_scales_the_mean_and_contrast_keeps_it():
    """A plain 100 lies between 80 and 120 with brightness 0.2; contrast leaves a plain picture as it is."""
    plain = np.full((8, 8, 1), 100, np.uint8)
    levels = {int(augment(plain, only(brightness=0.2), np.random.default_rng(s))[0, 0, 0]) for s in range(50)}
    assert min(levels) >= 80
    assert max(levels) <= 120
    assert len(levels) > 10
    assert (augment(plain, only(contrast=0.9), np.random.default_rng(0)) == plain).all()


def test_translation_moves_by_up_to_its_share():
    """A white dot in the middle of 41x41 moves by at most 0.1 of 41 pixels in either direction."""
    dot = np.zeros((41, 41, 1), np.uint8)
    dot[19:22, 19:22] = 255
    places = []
    for seed in range(40):
        rows, columns = np.nonzero(augment(dot, only(translation=0.1), np.random.default_rng(seed))[..., 0] > 100)
        places.append((rows.mean() - 20, columns.mean() - 20))
    assert np.abs(places).max() <= 4.1 + 0.6
    assert np.abs(places).max() > 2


def test_the_border_is_repeated():
    """What comes in from outside is the border's level, not black."""
    plain = np.full((16, 16, 3), 90, np.uint8)
    assert (augment(plain, only(translation=0.4, rotation_deg=90.0, scale=0.5), np.random.default_rng(2)) == plain).all()
