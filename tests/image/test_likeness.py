"""Hashes of pictures: near copies have nearly the same, others do not."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from edgecls import image
from edgecls.image.likeness import NEAR


def scene(seed, size_hw=(120, 160)):
    """A smooth random picture, as of a camera out of focus."""
    small = np.random.default_rng(seed).integers(0, 256, (9, 12, 3), np.uint8)
    return cv2.resize(small, size_hw[::-1], interpolation=cv2.INTER_CUBIC)


def distance(one, other):
    """In how many bits the hashes of two pictures differ."""
    return (image.perceptual_hash(one) ^ image.perceptual_hash(other)).bit_count()


@pytest.mark.parametrize(
    "change",
    [
        lambda p: cv2.resize(p, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA),
        lambda p: cv2.imdecode(np.frombuffer(image.encode_jpeg(p, 60), np.uint8), cv2.IMREAD_COLOR),
        lambda p: (p * 0.7 + 20).astype(np.uint8),
        lambda p: cv2.cvtColor(p, cv2.COLOR_BGR2GRAY),
    ],
    ids=["half the size", "JPEG", "darker", "gray"],
)
def test_a_copy_has_nearly_the_same_hash(change):
    """At most NEAR of 64 bits differ in at least 19 of 20 pictures."""
    assert sum(distance(scene(i), change(scene(i))) <= NEAR for i in range(20)) >= 19


def test_other_pictures_have_another_hash():
    """Of 100 pictures no two are near copies."""
    assert image.near_copies([image.perceptual_hash(scene(i)) for i in range(100)]) == []


def test_near_copies_are_found_by_pairs():
    """Hashes that differ in NEAR bits are, in one more are not, wherever the bits are; equal ones are joined in a chain."""
    rng = np.random.default_rng(0)
    for _ in range(50):
        value = int(rng.integers(0, 1 << 63)) * 2 + 1
        bits = rng.permutation(64)
        near = value ^ sum(1 << int(b) for b in bits[:NEAR])
        far = value ^ sum(1 << int(b) for b in bits[: NEAR + 1])
        assert image.near_copies([value, near]) == [(0, 1)]
        assert image.near_copies([value, far]) == []
    assert image.near_copies([5, 5, 5]) == [(0, 1), (0, 2)]


def test_a_hundred_thousand_equal_pictures_take_no_hundred_thousand_squared_steps():
    """As of a camera that looks at a wall."""
    assert len(image.near_copies([7] * 100_000)) == 99_999
