"""Tests of what tells another light from an object."""

from __future__ import annotations

import numpy as np

from edgecls.regions.lighting import is_lit, is_shaded

RNG = np.random.default_rng(0)
KERB = np.where(np.arange(60)[:, None] < 30, 90.0, 160.0) + RNG.normal(0, 5, (60, 40))
"""A dark road above a bright pavement, both uneven."""


def levels(picture):
    """Return a picture as a camera gives it."""
    return np.clip(picture, 0, 255).astype(np.uint8)


def inside(top, bottom, left, right):
    """Return the mask of a rectangle."""
    mask = np.zeros(KERB.shape, bool)
    mask[top:bottom, left:right] = True
    return mask


def test_a_shadow_is_another_light():
    """It is darker, and the texture stays."""
    mask = np.ones(KERB.shape, bool)
    assert is_lit(levels(np.where(mask, KERB * 0.6, KERB)), levels(KERB), mask)


def test_a_shift_of_a_pixel_is_no_object():
    """The kerb is a row lower, as when the camera sways."""
    moved = np.roll(KERB, 1, axis=0)
    mask = np.abs(moved - KERB) > 20
    assert is_lit(levels(moved), levels(KERB), mask)


def test_somebody_at_a_kerb_is_no_light():
    """Dark in front of the road, bright in front of the pavement, and so thin that the rest of the area looks as before."""
    mask = inside(10, 50, 14, 22)
    somebody = np.where(np.arange(60)[:, None] < 32, 30.0, 215.0)
    assert not is_lit(levels(np.where(mask, somebody, KERB)), levels(KERB), mask)


def test_an_area_without_texture_is_never_lit():
    """There is nothing to recognise."""
    plain = np.full((40, 40), 120.0)
    mask = np.ones((40, 40), bool)
    assert not is_lit(levels(plain * 0.6), levels(plain), mask)


def test_a_shadow_of_any_shape_has_the_texture_of_the_ground():
    """A diagonal stripe of shade is found by its own pixels, and a plain or another texture is not."""
    stripe = np.abs(np.arange(60)[:, None] - np.arange(40)[None] - 10) < 6
    assert is_shaded(levels(np.where(stripe, KERB * 0.6, KERB)), levels(KERB), stripe)
    assert not is_shaded(levels(np.where(stripe, 40.0, KERB)), levels(KERB), stripe)
    other = 200 + np.random.default_rng(1).normal(0, 8, KERB.shape)
    assert not is_shaded(levels(np.where(stripe, other, KERB)), levels(KERB), stripe)
