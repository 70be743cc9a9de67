"""Place labels so that they are easy to tell apart: each has its own plate, next to its box and to no other.

If there is no room, a label is shortened, then placed farther away with a line to its box, and finally left out.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import cv2

from edgecls.draw.lettering import fitted, put_text, text_px
from edgecls.draw.spots import Spot, far, is_mistakable, near, overlaps, reached
from edgecls.draw.steady import HIDDEN, Key, Steady
from edgecls.frame import Box

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from edgecls.frame import Picture

Color = tuple[int, int, int]
Wording = tuple[tuple[str, Color], ...]
"""The texts of one label, side by side, each with its background colour."""


_Parts = list[tuple[str, Color, int]]
"""A wording as it can be drawn, with the widths of its plates."""


class _Plate(NamedTuple):
    text: str
    color: Color
    left: int
    top: int
    width: int


class Plates:
    """Places the labels of one picture, the most important first. `finish` draws them over all lines that lead to them.
    `left_out` counts the labels for which there was no room.
    """

    def __init__(self, picture: Picture, *, steady: Steady | None = None, time_s: float = 0.0) -> None:
        """Draw on this picture, (H, W, 3) uint8, at this time; `steady` remembers where labels were in earlier frames."""
        self._picture = picture
        self._picture_h, self._picture_w = self._size_hw = picture.shape[:2]
        self._steady = Steady() if steady is None else steady
        self._time_s = time_s
        self.px = text_px(self._size_hw)
        self._plates: list[_Plate] = []
        self._lines: list[tuple[Box, Color]] = []
        self._taken: list[Box] = []
        self.left_out = 0

    @property
    def height(self) -> int:
        """The height of a plate, in pixels."""
        return round(self.px * 1.4)

    def is_whole(self, box: Box) -> bool:
        """Whether a box is the whole picture."""
        return tuple(box) == (0, 0, self._picture_w, self._picture_h)

    def beside(
        self,
        wordings: Sequence[Wording],
        box: Box,
        *,
        others: Iterable[Box] = (),
        key: Key | None = None,
        is_minor: bool = False,
    ) -> None:
        """Place a label at a box, but not at the edge of one of the `others`. Uses the first of the wordings for which there is
        room; give the longest first. `key` identifies the label from frame to frame. A minor label is placed at its box or left
        out, without being counted.
        """
        fits = [self._fitted(wording) for wording in wordings]
        widest = max(map(_width, fits))
        taken, others = (reached(box, widest, self.height, all_of) for all_of in (self._taken, others))
        was = self._steady.spot(key)
        best, is_still_free, found = HIDDEN, False, {}
        for number, (parts, spot) in enumerate(self._spots(fits, box, is_minor=is_minor)):
            if best == HIDDEN and _is_free(spot, taken, others, self.px // 4):
                best, found[number] = number, (parts, spot)
            if number == was:  # boxes jitter, so one that only touches the label does not move it
                is_still_free, found[number] = _is_free(spot, taken, others, -(self.px // 2)), (parts, spot)
            if best < HIDDEN and (was is None or was <= number or was == HIDDEN):
                break
        chosen = self._steady.choose(key, best, still_free=is_still_free, time_s=self._time_s)
        if chosen in found:
            self._put_at(*found[chosen])
        else:
            self.left_out += not is_minor

    def at(self, text: str, x: int, y: int, color: Color) -> None:
        """Place a text at a position, moved into the picture, and up or down if something else is there."""
        parts = self._fitted(((text, color),))
        for away in (0, 1, -1, 2, -2, 3, -3):
            left, top = self._inside(x, y + away * self.height, parts[0][2])
            if not overlaps(Box(left, top, left + parts[0][2], top + self.height), self._taken):
                self._put(parts, left, top)
                return
        self.left_out += 1

    def fixed(self, text: str, x: int, y: int, color: Color) -> int:
        """Place a text at a position even if something else is there, moved into the picture. Returns its right end."""
        parts = self._fitted(((text, color),))
        left, top = self._inside(x, y, parts[0][2])
        self._put(parts, left, top)
        return left + parts[0][2]

    def keep_free(self, text: str, x: int, y: int) -> None:
        """Keep labels away from where `fixed` may write a text like this one."""
        width = _width(self._fitted(((text, (0, 0, 0)),)))
        left, top = self._inside(x, y, width)
        self._taken.append(Box(left, top, left + width, top + self.height))

    def finish(self) -> None:
        """Draw the placed labels and their lines."""
        self._steady.forget(self._time_s)
        for (left, top, right, bottom), color in self._lines:
            cv2.line(self._picture, (left, top), (right - 1, bottom - 1), color, max(1, self.px // 10))
        for text, color, left, top, width in self._plates:
            cv2.rectangle(self._picture, (left, top), (left + width - 1, top + self.height - 1), color, -1)
            put_text(self._picture, text, left + self.px // 4, top + round(self.px * 1.05), self.px)

    def _fitted(self, wording: Wording) -> _Parts:
        """Return the texts as they can be drawn, with the widths of their plates, together at most as wide as the picture."""
        pad, parts, used = self.px // 2, [], 0
        for text, color in wording:
            drawn, width = fitted(text, self.px, max(1, self._picture_w - used - pad))
            parts.append((drawn, color, width + pad))
            used += width + pad
        return parts

    def _spots(self, fits: list[_Parts], box: Box, *, is_minor: bool) -> Iterator[tuple[_Parts, Spot]]:
        """Yield all spots of a label, the best first: at its box in each wording, then farther away in the shorter ones."""
        for parts in fits:
            yield from ((parts, spot) for spot in near(box, _width(parts), self.height, self._size_hw))
        if not is_minor:
            for parts in fits[1:] or fits:
                yield from ((parts, spot) for spot in far(box, _width(parts), self.height, self._size_hw))

    def _inside(self, x: int, y: int, width: int) -> tuple[int, int]:
        return max(0, min(x, self._picture_w - width)), max(0, min(y, self._picture_h - self.height))

    def _put_at(self, parts: _Parts, spot: Spot) -> None:
        if spot.line is not None:
            self._taken.append(spot.line)
            self._lines.append((spot.line, parts[0][1]))
        self._put(parts, spot.at.left, spot.at.top)

    def _put(self, parts: _Parts, left: int, top: int) -> None:
        x = left
        for text, color, width in parts:
            self._plates.append(_Plate(text, color, x, top, width))
            x += width
        self._taken.append(Box(left, top, x, top + self.height))


def _width(parts: _Parts) -> int:
    return sum(width for _, _, width in parts)


def _is_free(spot: Spot, taken: Sequence[Box], others: Sequence[Box], gap: int) -> bool:
    """Whether a spot is free, with a gap to other labels and boxes; if `gap` is negative, boxes may overlap it by that much."""
    if not spot.fits or overlaps(spot.at, taken, max(0, gap)) or is_mistakable(spot.at, others, gap):
        return False
    return spot.line is None or not (overlaps(spot.line, taken, max(0, gap)) or is_mistakable(spot.line, others, min(0, gap)))
