"""Build HTML from values: plain text is escaped when it enters a tag, so that no label or file name can become code."""

from __future__ import annotations

import html
import math
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

_NO_TEXT = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
"""Control characters, and those that change the direction of the following text."""
VOID = frozenset({"br", "hr", "img", "input", "link", "meta"})
"""Tags without an end tag."""


class Markup(str):
    """Text that is already HTML."""

    __slots__ = ()


def escaped(text: str) -> Markup:
    """Escape text for HTML. What UTF-8 cannot encode, such as invalid bytes in a file name, becomes a backslash escape."""
    if isinstance(text, Markup):
        return text
    writable = text.encode("utf-8", "backslashreplace").decode()
    return Markup(html.escape(_NO_TEXT.sub("\ufffd", writable)))


def tag(name: str, /, *children: str, **attributes: object) -> Markup:
    """Return `<name attributes>children</name>`.

    In the name of an attribute, `_` becomes `-`, and a trailing one (class_) is removed. Attributes that are None are left out.
    """
    named = {key.rstrip("_").replace("_", "-"): value for key, value in attributes.items() if value is not None}
    written = "".join(f' {key}="{escaped(_plain(value))}"' for key, value in named.items())
    start = f"<{name}{written}>"
    return Markup(start if name in VOID else f"{start}{joined(*children)}</{name}>")


def prose(text: str) -> Markup:
    """Mark up a message in which backticks set off names of settings, such as `max_drop`."""
    plain, *others = text.split("`")
    if len(others) % 2:
        return joined(text)
    return joined(plain, *(tag("code", part) if i % 2 == 0 else part for i, part in enumerate(others)))


def joined(*children: str) -> Markup:
    """Join several pieces."""
    return Markup("".join(map(escaped, children)))


def table(header: Sequence[str], rows: Iterable[Sequence[str]], *, caption: str, class_: str | None = None) -> Markup:
    """Return a table; the first cell of each row is its heading."""
    head = tag("thead", tag("tr", *(tag("th", name, scope="col") for name in header)))
    body = (tag("tr", tag("th", row[0], scope="row"), *(tag("td", value) for value in row[1:])) for row in rows)
    return tag("div", tag("table", tag("caption", caption), head, tag("tbody", *body), class_=class_), class_="wide")


def percent(share: float | None, digits: int = 1) -> str:
    """Format a share of 0..1 in percent; a dash for None or NaN."""
    return "\u2013" if share is None or math.isnan(share) else f"{100 * share:.{digits}f}\u202f%"


def number(value: float | None, form: str = ",.0f") -> str:
    """Format a number; a dash for None or NaN."""
    return "\u2013" if value is None or math.isnan(value) else format(value, form)


def _plain(value: object) -> str:
    """Format the value of an attribute. Pixels need at most two decimals."""
    return f"{value:.2f}".rstrip("0").rstrip(".") if isinstance(value, float) else str(value)
