"""Class names: validation, normalization, sorting, and detection of names that look the same."""

from __future__ import annotations

import re
import unicodedata
from collections import defaultdict
from typing import TYPE_CHECKING

from edgecls.dataset.listing import in_order, natural, some
from edgecls.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

MOST_NAMED = 5
LONGEST = 255
"""The longest name in characters, like that of a file."""
LATIN_1 = "convmv -f latin1 -t utf8 -r --notest"
"""A command that converts the names of files from an old archive to UTF-8."""


def class_name(text: str, where: str) -> str:
    """Return a class name in Unicode normalization form C, as Linux and Windows write it.

    Raises:
        DataError: The name is not valid UTF-8, too long, or not on one line. The message begins with `where`.
    """
    if len(text) > LONGEST:
        raise DataError(f"{where}: the class name {text[:40]!a}... has {len(text)} characters, expected at most {LONGEST}")
    if any(unicodedata.category(sign) == "Cs" for sign in text):
        shown = text.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace") if _is_bytes(text) else ascii(text)
        raise DataError(
            f"{where}: the class name {shown!r} is not UTF-8, as from an old archive, so no model can store it; rename "
            f"it, for example with: {LATIN_1} FOLDER"
        )
    if any(unicodedata.category(sign) == "Cc" for sign in text):
        raise DataError(f"{where}: the class name {text!r} has control characters; a class name is a text on one line")
    return unicodedata.normalize("NFC", text)


def ordered(names: Iterable[str]) -> list[str]:
    """Sort class names: by number if all are whole numbers, else alphabetically."""
    names = list(names)
    return in_order(names) if all(re.fullmatch("[0-9]+", name) for name in names) else sorted(names)


def alike(names: Sequence[str]) -> str:
    """Return a line about classes whose names look the same, such as `Car` and `car` or `1` and `01`; "" if there are none."""
    groups: dict[object, list[str]] = defaultdict(list)
    for name in names:
        groups[natural(unicodedata.normalize("NFKC", name).casefold().strip())].append(name)
    pairs = [" and ".join(map(repr, group)) for group in groups.values() if len(group) > 1]
    return f"classes whose names look alike, kept apart: {len(pairs)} ({some(pairs, MOST_NAMED)})" if pairs else ""


def _is_bytes(text: str) -> bool:
    """Whether every surrogate in a name stands for an undecodable byte of a file name."""
    return all(not 0xD800 <= ord(sign) <= 0xDFFF or 0xDC80 <= ord(sign) <= 0xDCFF for sign in text)
