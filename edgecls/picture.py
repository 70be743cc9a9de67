"""Pictures, boxes in them, and what is painted over in those of a camera."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, Protocol, TypeAlias

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from edgecls.input_spec import Color, Interpolation

Picture: TypeAlias = "NDArray[np.uint8]"
"""(H, W) gray or (H, W, 3) blue-green-red, uint8, full range 0..255."""


class Batch(Protocol):
    """(N, height, width, channels) uint8: an array, or what is taken from as from one (`edgecls.dataset.storage.OnDisk`)."""

    def __len__(self) -> int:
        """N."""

    def __getitem__(self, index: int | slice | Sequence[int] | NDArray[np.int64], /) -> NDArray[np.uint8]:
        """One picture by its number, several by a slice or by their numbers."""


FULL_RANGE: NDArray[np.uint8] = np.clip(np.rint((np.arange(256) - 16) * 255 / 219), 0, 255).astype(np.uint8)
"""The full-range level of each level of a video's luma, which usually goes from 16 (black) to 235 (white)."""


class Box(NamedTuple):
    """A rectangle in pixels, half-open: `right` and `bottom` are the first column and row outside."""

    left: int
    top: int
    right: int
    bottom: int


MakePart: TypeAlias = "Callable[[Box, tuple[int, int], Color, Interpolation], Picture | None]"
"""Makes a part of a frame in a size, or returns None where it has no way to (`edgecls.frame.Frame.part`)."""


class Paint(Protocol):
    """Paints over some pixels of a frame."""

    def __call__(self, picture: Picture, /) -> Picture:
        """Return a copy of a picture of the whole frame, in whatever size, without those pixels."""

    def touches(self, box: Box, size_hw: tuple[int, int]) -> bool:
        """Whether some of those pixels lie in, or next to, a box of a frame of this height and width."""


def is_averaged(size_hw: tuple[int, int], whole_hw: tuple[int, int], interpolation: Interpolation) -> bool:
    """Whether bringing a picture of the size `whole_hw` to `size_hw` takes the mean of at least two by two pixels."""
    return interpolation == "area" and 2 * size_hw[0] <= whole_hw[0] and 2 * size_hw[1] <= whole_hw[1]


def painted_part(make: MakePart, paint: Paint, size_hw: tuple[int, int]) -> MakePart:
    """Return what makes parts without the pixels that are painted over.

    Of a part that touches them it makes none, because its borders would be mixed with them: it has to be cut out of the painted
    frame. All of the frame is averaged first, where several pixels become one, and painted in its new size.

    Args:
        make: Makes parts of the frame as it is.
        paint: What is painted over.
        size_hw: Height and width of the frame.
    """
    high, wide = size_hw

    def part(box: Box, size_hw: tuple[int, int], color: Color, interpolation: Interpolation) -> Picture | None:
        if not paint.touches(box, (high, wide)):
            return make(box, size_hw, color, interpolation)
        averages = is_averaged(size_hw, (high, wide), interpolation)
        made = make(box, size_hw, color, interpolation) if averages and box == (0, 0, wide, high) else None
        return None if made is None else paint(made)

    return part
