"""Random changes to training pictures."""

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
    """A drawn ring in gray, (40, 40, 1)."""
    return cv2.cvtColor(shape("ring", np.random.default_rng(0)), cv2.COLOR_BGR2GRAY)[..., None]


def only(**given):
    """All kinds off but one."""
    return dataclasses.replace(NO_AUGMENT, **given)


def test_with_each_kind_off_the_picture_is_identical(picture):
    """Zero everywhere changes no pixel, whatever chance says."""
    for seed in range(20):
        assert (augment(picture, NO_AUGMENT, np.random.default_rng(seed)) == picture).all()


@pytest.mark.parametrize("kind", [f.name for f in dataclasses.fields(Augment) if f.name != "mirror"])
def test_each_kind_changes_the_picture_by_itself(picture, kind):
    """Scale, rotation, translation, light, shear, blur, noise and what covers are each seen, and leave the original alone."""
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


def test_what_is_covered_is_one_rectangle_of_one_level():
    """On a plain picture the changed pixels fill their bounding box, which takes up to half of each side."""
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
    """Noise of 0.02 deviates by at most 0.02 of white in the mean square; blur of one pixel leaves a plain picture alone."""
    plain = np.full((64, 64, 3), 128, np.uint8)
    deviations = [float(augment(plain, only(noise=0.02), np.random.default_rng(s)).std()) for s in range(30)]
    assert max(deviations) < 0.02 * 255 * 1.1
    assert max(deviations) > 0.01 * 255
    assert (augment(plain, only(blur=0.05), np.random.default_rng(0)) == plain).all()


def test_shear_keeps_the_middle():
    """A dot in the middle stays there, whichever way the picture leans."""
    dot = np.zeros((41, 41, 1), np.uint8)
    dot[19:22, 19:22] = 255
    for seed in range(20):
        rows, columns = np.nonzero(augment(dot, only(shear=0.3), np.random.default_rng(seed))[..., 0] > 100)
        assert abs(rows.mean() - 20) < 1
        assert abs(columns.mean() - 20) < 1


def test_mirrors_by_label():
    """A label is its own mirror, a pair is each other's, `all` are all that are not named; the others have none."""
    labels = ("left", "right", "stop", "end")
    assert mirrored_classes(labels, ()).tolist() == [-1] * 4
    assert mirrored_classes(labels, ("left=right", "stop")).tolist() == [1, 0, 2, -1]
    assert mirrored_classes(labels, ("left=right", "all")).tolist() == [1, 0, 2, 3]
    assert mirrored_classes(("a=b", "c"), ("a=b",)).tolist() == [0, -1]


@pytest.mark.parametrize("entry", ["up", "left=up", "left=", "=left", ""])
def test_a_mirror_of_what_is_no_label_is_refused(entry):
    """The error shows the entry and the label that is none."""
    with pytest.raises(ConfigError, match=r"augment\.mirror .*: expected a label, LABEL=LABEL or all; .* is no label"):
        mirrored_classes(("left", "right"), (entry,))
