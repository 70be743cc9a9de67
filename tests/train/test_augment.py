"""Tests of augmentation."""

from __future__ import annotations

import dataclasses

import cv2
import numpy as np
import pytest

from edgecls.errors import ConfigError
from edgecls.train.augment import augment, mirrored_classes
from edgecls.train.config import NO_AUGMENT, Augment
from tests.drawn import shape


@pytest.fixture
def picture():
    """Return a drawn gray ring, (40, 40, 1) uint8."""
    return cv2.cvtColor(shape("ring", np.random.default_rng(0)), cv2.COLOR_BGR2GRAY)[..., None]


def only(**given):
    """Return settings with only one kind of change."""
    return dataclasses.replace(NO_AUGMENT, **given)


def test_with_each_kind_off_the_picture_is_identical(picture):
    """With all settings 0, no pixel changes, whatever the rng."""
    for seed in range(20):
        assert (augment(picture, NO_AUGMENT, np.random.default_rng(seed)) == picture).all()


@pytest.mark.parametrize("kind", [f.name for f in dataclasses.fields(Augment) if f.name != "mirror"])
def test_each_kind_changes_the_picture_by_itself(picture, kind):
    """Every kind of change has an effect and leaves the original unchanged."""
    before = picture.copy()
    changed = augment(picture, only(**{kind: 20.0 if kind == "rotation_deg" else 0.3}), np.random.default_rng(1))
    assert (changed != picture).any()
    assert (picture == before).all()
    assert changed.shape == picture.shape
    assert changed.dtype == np.uint8


def test_the_same_chance_gives_the_same_picture(picture):
    """The same seed gives the same picture, another seed another one."""
    first, again, other = (augment(picture, Augment(), np.random.default_rng(s)) for s in (3, 3, 4))
    assert (first == again).all()
    assert (first != other).any()


def test_brightness_scales_the_mean_and_contrast_keeps_it():
    """With brightness 0.2, a plain level of 100 becomes 80 to 120; contrast does not change a plain picture."""
    plain = np.full((8, 8, 1), 100, np.uint8)
    levels = {int(augment(plain, only(brightness=0.2), np.random.default_rng(s))[0, 0, 0]) for s in range(50)}
    assert min(levels) >= 80
    assert max(levels) <= 120
    assert len(levels) > 10
    assert (augment(plain, only(contrast=0.9), np.random.default_rng(0)) == plain).all()


def test_translation_moves_by_up_to_its_share():
    """With translation 0.1, a white dot in the middle of 41x41 moves by at most 4.1 pixels in each direction."""
    dot = np.zeros((41, 41, 1), np.uint8)
    dot[19:22, 19:22] = 255
    places = []
    for seed in range(40):
        rows, columns = np.nonzero(augment(dot, only(translation=0.1), np.random.default_rng(seed))[..., 0] > 100)
        places.append((rows.mean() - 20, columns.mean() - 20))
    assert np.abs(places).max() <= 4.1 + 0.6
    assert np.abs(places).max() > 2


def test_the_border_is_repeated():
    """Pixels from outside have the level of the border, not black."""
    plain = np.full((16, 16, 3), 90, np.uint8)
    assert (augment(plain, only(translation=0.4, rotation_deg=90.0, scale=0.5), np.random.default_rng(2)) == plain).all()


def test_what_is_covered_is_one_rectangle_of_one_level():
    """The erased pixels of a plain picture form a rectangle with sides of up to half of the picture's."""
    plain = np.full((40, 40, 1), 90, np.uint8)
    sides = []
    for seed in range(40):
        changed = augment(plain, only(erase=0.5), np.random.default_rng(seed))[..., 0]
        rows, columns = np.nonzero(changed != 90)
        if len(rows):
            box = changed[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1]
            assert len(np.unique(box)) == 1
            sides += box.shape
    assert max(sides) <= 20
    assert max(sides) > 15


def test_blur_and_noise_keep_to_their_bounds():
    """Noise of 0.02 has a standard deviation of at most 0.02 of white; blur does not change a plain picture."""
    plain = np.full((64, 64, 3), 128, np.uint8)
    deviations = [float(augment(plain, only(noise=0.02), np.random.default_rng(s)).std()) for s in range(30)]
    assert max(deviations) < 0.02 * 255 * 1.1
    assert max(deviations) > 0.01 * 255
    assert (augment(plain, only(blur=0.05), np.random.default_rng(0)) == plain).all()


def test_shear_keeps_the_middle():
    """A dot in the center stays there, however the picture is sheared."""
    dot = np.zeros((41, 41, 1), np.uint8)
    dot[19:22, 19:22] = 255
    for seed in range(20):
        rows, columns = np.nonzero(augment(dot, only(shear=0.3), np.random.default_rng(seed))[..., 0] > 100)
        assert abs(rows.mean() - 20) < 1
        assert abs(columns.mean() - 20) < 1


def test_mirrors_by_label():
    """A label keeps its class, a pair swaps, `all` is every class without its own entry; other classes have -1."""
    labels = ("left", "right", "stop", "end")
    assert mirrored_classes(labels, ()).tolist() == [-1] * 4
    assert mirrored_classes(labels, ("left=right", "stop")).tolist() == [1, 0, 2, -1]
    assert mirrored_classes(labels, ("left=right", "all")).tolist() == [1, 0, 2, 3]
    assert mirrored_classes(("a=b", "c"), ("a=b",)).tolist() == [0, -1]


@pytest.mark.parametrize("entry", ["up", "left=up", "left=", "=left", ""])
def test_a_mirror_of_what_is_no_label_is_refused(entry):
    """The error has the entry and the unknown label."""
    with pytest.raises(ConfigError, match=r"augment\.mirror .*: expected a label, LABEL=LABEL or all; .* is no label"):
        mirrored_classes(("left", "right"), (entry,))
