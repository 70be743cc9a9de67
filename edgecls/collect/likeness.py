"""How unlike a picture is to those that are kept."""

from __future__ import annotations

import math
from collections import OrderedDict
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from edgecls.collect.embedder import unit

if TYPE_CHECKING:
    from numpy.typing import NDArray

BITS = 64
UNRELATED = BITS // 2
"""The hashes of unrelated pictures differ in half of their bits."""
RIGHT_ANGLE = math.pi / 2
"""Embeddings have no negative numbers, so no two are farther apart than this."""
REMEMBERED = 2000
"""Pictures of a camera that are remembered."""


class Look(NamedTuple):
    """What a picture looks like: its perceptual hash of 64 bits and, where there is a network, its embedding, (dimensions,)."""

    hash_bits: int
    embedding: NDArray[np.float32] | None = None


class Nearest(NamedTuple):
    """The kept picture that is most like another one: its number, None without any, and how unlike it is, in bits."""

    number: int | None
    bits: float


def bits_between(one: Look, other: Look) -> float:
    """Return how unlike two pictures are, from 0 to 32 bits."""
    if one.embedding is None or other.embedding is None:
        return min(UNRELATED, (one.hash_bits ^ other.hash_bits).bit_count())
    return float(_as_bits(unit(one.embedding)[None] @ unit(other.embedding))[0])


class Likeness:
    """Remembers what the kept pictures of a camera look like.

    Unlikeness is counted in bits of a hash, from 0 to 32. Between pictures with an embedding it is the angle between
    these, on the same scale: 32 are a right angle.
    """

    def __init__(self) -> None:
        """Start without pictures."""
        self._hashes: OrderedDict[int, int] = OrderedDict()
        self._embeddings: dict[int, NDArray[np.float16]] = {}
        self._matrix: NDArray[np.float16] | None = None

    def add(self, number: int, look: Look) -> None:
        """Remember a picture. The oldest is forgotten."""
        self._hashes[number] = look.hash_bits
        if look.embedding is not None:
            self._embeddings[number] = unit(look.embedding).astype(np.float16)
            self._matrix = None
        while len(self._hashes) > REMEMBERED:
            self.drop(next(iter(self._hashes)))

    def drop(self, number: int) -> None:
        """Forget a picture."""
        self._hashes.pop(number, None)
        if self._embeddings.pop(number, None) is not None:
            self._matrix = None

    def nearest(self, look: Look, *, without: int | None = None) -> Nearest:
        """Return the most similar picture that is remembered, apart from `without`."""
        bits = {number: float((look.hash_bits ^ kept).bit_count()) for number, kept in self._hashes.items()}
        if look.embedding is not None and self._embeddings:
            if self._matrix is None:
                self._matrix = np.stack(list(self._embeddings.values()))
            products = self._matrix.astype(np.float32) @ unit(look.embedding)
            bits |= dict(zip(self._embeddings, _as_bits(products).tolist(), strict=True))
        if without is not None:
            bits.pop(without, None)
        number = min(bits, key=bits.__getitem__, default=None)
        return Nearest(None, UNRELATED) if number is None else Nearest(number, min(UNRELATED, bits[number]))


def _as_bits(products: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return how unlike pictures are, in bits, from the inner products of their embeddings."""
    found: NDArray[np.float32] = (np.arccos(np.clip(products, 0, 1)) * (UNRELATED / RIGHT_ANGLE)).astype(np.float32)
    return found
