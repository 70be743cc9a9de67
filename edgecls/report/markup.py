"""HTML as values: what is not HTML already is escaped when it enters a tag, so no label and no file name can be code."""

from __future__ import annotations

import html
import math
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

_NO_TEXT = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
"""Control characters, and those that turn the direction of what is written after them."""
VOID = frozenset({"br", "hr", "img", "input", "link", "meta"})
"""Tags that have no end."""


class Markup(str):
    """Text that is HTML already."""

    __slots__ = ()


def escaped(text: str) -> Markup:
    """Text as HTML that shows it; what UTF-8 cannot hold, such as half of a character in a file's name, is spelled out."""
    if isinstance(text, Markup):
        return text
    writable = text.encode("utf-8", "backslashreplace").decode()
    return Markup(html.escape(_NO_TEXT.sub("\ufffd", writable)))


def tag(name: str, /, *children: str, **attributes: object) -> Markup:
    """`<name attributes>children</name>`.

    In an attribute's name `_` stands for `-`, and one at its end (class_) for nothing; None leaves it out.
    """
    named = {key.rstrip("_").replace("_", "-"): value for key, value in attributes.items() if value is not None}
    written = "".join(f' {key}="{escaped(_plain(value))}"' for key, value in named.items())
    start = f"<{name}{written}>"
    return Markup(start if name in VOID else f"{start}{joined(*children)}</{name}>")


def joined(*children: str) -> Markup:
    """Several pieces one after the other."""
    return Markup("".join(map(escaped, children)))


def table(header: Sequence[str], rows: Iterable[Sequence[str]], *, caption: str, class_: str | None = None) -> Markup:
    """A table whose first column names the row."""
    head = tag("thead", tag("tr", *(tag("th", name, scope="col") for name in header)))
    body = (tag("tr", tag("th", row[0], scope="row"), *(tag("td", value) for value in row[1:])) for row in rows)
    return tag("div", tag("table", tag("caption", caption), head, tag("tbody", *body), class_=class_), class_="wide")


def percent(share: float | None, digits: int = 1) -> str:
    """A share of 0..1 in percent; a dash where there is nothing to take a share of."""
    return "\u2013" if share is None or math.isnan(share) else f"{100 * share:.{digits}f}\u202f%"


def number(value: float | None, form: str = ",.0f") -> str:
    """A number in the given form; a dash for none."""
    return "\u2013" if value is None or math.isnan(value) else format(value, form)


def _plain(value: object) -> str:
    """Pixels need no more than two digits behind the point."""
    return f"{value:.2f}".rstrip("0").rstrip(".") if isinstance(value, float) else str(value)
