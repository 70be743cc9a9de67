"""Which pictures look alike: a hash of 64 bits that hardly changes with size, brightness and compression."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from edgecls.image.opencv import cv2

if TYPE_CHECKING:
    from collections.abc import Sequence

    from edgecls.frame import Picture

SIDE = 8
BANDS = 4
"""A hash is compared in so many parts: hashes that differ in fewer bits than that agree in one of them."""
FLAT = 6.0
"""The levels of a picture that says nothing, such as one of a dark room, differ by less than this (standard deviation)."""
NEAR = BANDS - 1
"""Pictures whose hashes differ in at most so many of 64 bits are near copies."""


def perceptual_hash(picture: Picture) -> int:
    """Return the difference hash of a picture: whether each of 8 x 8 cells is brighter than its right neighbour (Krawetz 2013).

    Args:
        picture: (H, W) gray or (H, W, 3) blue-green-red, uint8.

    Returns:
        64 bits. The number of bits in which two hashes differ says how different the pictures look.
    """
    gray = cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY) if picture.ndim == 3 else picture
    small = cv2.resize(gray, (SIDE + 1, SIDE), interpolation=cv2.INTER_AREA).astype(np.int16)
    bits = (small[:, :-1] > small[:, 1:]).ravel()
    return int.from_bytes(np.packbits(bits).tobytes(), "big")


def correlation(one: Picture, other: Picture) -> float | None:
    """Return how much two pictures show the same: the correlation of their levels, -1 to 1. None if one of them is nearly flat.

    Args:
        one: (H, W) uint8.
        other: (H, W) uint8.
    """
    first, second = (picture.astype(np.float32) - picture.mean() for picture in (one, other))
    spread = float(first.std()), float(second.std())
    if min(spread) < FLAT:
        return None
    return float((first * second).mean()) / (spread[0] * spread[1])


def near_copies(hashes: Sequence[int]) -> list[tuple[int, int]]:
    """Return the pairs of near copies, by their positions: those whose hashes differ in at most `NEAR` bits.

    Only hashes that agree in a quarter of their bits are compared, so the time grows with the pairs, not with their square.
    """
    width = 64 // BANDS
    pairs: set[tuple[int, int]] = set()
    for band in range(BANDS):
        alike: dict[int, list[int]] = {}
        for i, value in enumerate(hashes):
            alike.setdefault(value >> band * width & (1 << width) - 1, []).append(i)
        for members in alike.values():
            pairs.update(_close(members, hashes))
    return sorted(pairs)


def _close(members: Sequence[int], hashes: Sequence[int]) -> list[tuple[int, int]]:
    """Return the pairs of near copies among some pictures; of many equal ones, each with the next one."""
    first: dict[int, int] = {}
    pairs = []
    for i in members:
        if hashes[i] in first:
            pairs.append((first[hashes[i]], i))
        else:
            pairs += [(j, i) for value, j in first.items() if (value ^ hashes[i]).bit_count() <= NEAR]
            first[hashes[i]] = i
    return pairs
