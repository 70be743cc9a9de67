"""Draw text on pictures: any script, at a size that fits the picture.

OpenCV 5 includes a font with most scripts. OpenCV 4 has only ASCII, so other characters are written in Latin letters.
"""

from __future__ import annotations

import re
import threading
import unicodedata
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING, Any

import cv2

if TYPE_CHECKING:
    from edgecls.frame import Picture

HAS_FONT = hasattr(cv2, "FontFace")
"""Whether this OpenCV draws more than ASCII."""
HERSHEY = cv2.FONT_HERSHEY_SIMPLEX
HERSHEY_PX = 30
"""The line height of OpenCV's Hershey font at scale 1."""
INK = (255, 255, 255)
SMALLEST_PX = 10
"""Smaller text is unreadable."""
LINES = 48
"""The number of text lines that would fill a picture."""
_LETTERS = (
    "ßss æae œoe øo đd łl ıi þth ðd …... –- —- "  # noqa: RUF001
    "аa бb вv гg дd еe ёe жzh зz иi йy кk лl мm нn оo пp рr сs тt уu фf хkh цts чch шsh щshch ъ ыy ь эe юyu яya "  # noqa: RUF001
    "αa βv γg δd εe ζz ηi θth ιi κk λl μm νn ξx οo πp ρr σs ςs τt υy φf χch ψps ωo"  # noqa: RUF001
)
"""Letters that are not a base letter with an accent, each followed by its Latin transliteration."""
_LATIN = {ord(pair[0]): pair[1:] for pair in _LETTERS.split()}
_NAMED = re.compile(r"(?:LETTER|SYLLABLE|IDEOGRAPH-)\s*(.+)$")


class _Faces(threading.local):
    """A font for each thread, loaded when it first draws: snapshots and videos are drawn in different threads."""

    @cached_property
    def uni(self) -> Any:
        """The font of OpenCV 5."""
        return cv2.FontFace("uni")


_faces = _Faces()


def text_px(size_hw: tuple[int, int]) -> int:
    """Return the height of a line of text, in pixels, on a picture of this size."""
    return max(SMALLEST_PX, round(min(size_hw[0], size_hw[1] * 0.75) / LINES))


@lru_cache(maxsize=4096)
def fitted(text: str, px: int, most: int) -> tuple[str, int]:
    """Return a text as it can be drawn, shortened to at most `most` pixels, and its width in pixels."""
    text = drawable(text)
    width = _width(text, px)
    while width > most and len(text) > 1:
        text = f"{text[: max(0, len(text) * most // width - 2)]}~" if most > px else text[:1]
        width = _width(text, px)
        if len(text) <= 2:
            break
    return text, width


def put_text(picture: Picture, text: str, x: int, baseline: int, px: int) -> None:
    """Draw a text returned by `fitted` in white, with its left end at x."""
    if HAS_FONT:
        cv2.putText(picture, text, (x, baseline), INK, _faces.uni, px)
    else:
        cv2.putText(picture, text, (x, baseline), HERSHEY, px / HERSHEY_PX, INK, max(1, px // 20), cv2.LINE_AA)


def drawable(text: str, *, has_font: bool = HAS_FONT) -> str:
    """Return a text as one line, with characters that the font lacks replaced."""
    text = " ".join(text.split())
    return "".join(map(_in_font if has_font else _in_ascii, unicodedata.normalize("NFC", text)))


def _width(text: str, px: int) -> int:
    if not text:
        return 0
    if HAS_FONT:
        left, _, width, _ = cv2.getTextSize((0, 0), text, (0, 0), _faces.uni, px)
        return int(left + width)
    return int(cv2.getTextSize(text, HERSHEY, px / HERSHEY_PX, max(1, px // 20))[0][0])


def _in_font(char: str) -> str:
    """Return a character if the font of OpenCV 5 has it (letters, digits and punctuation of most scripts, but no emoji), or its
    Unicode name.
    """
    category = unicodedata.category(char)
    return _by_name(char) if category[0] == "C" or (category == "So" and ord(char) > 0xFF) else char


def _in_ascii(char: str) -> str:
    """Return a character in Latin letters: by a table, without its accents, or by its Unicode name."""
    if char.isascii():
        return char
    for one in (char, unicodedata.normalize("NFKD", char)):
        lower = one.lower()
        plain = "".join(c for c in lower.translate(_LATIN) if not unicodedata.combining(c))
        if plain.isascii():
            return plain.capitalize() if one != lower else plain
    return _by_name(char)


def _by_name(char: str) -> str:
    name = unicodedata.name(char, f"U+{ord(char):04X}")
    letter = _NAMED.search(name)
    if letter is None:
        return f"[{name.lower()}]"
    return f"[{letter[1].lower()}]" if "IDEOGRAPH" in name else letter[1].split()[-1].lower()
