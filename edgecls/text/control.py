"""Escaping of control characters that would act on a terminal or reorder text.

Labels, file names and model metadata come from others: an escape sequence could erase or forge what the operator reads, and a
bidirectional control could show it in another order (https://trojansource.codes/).
"""

from __future__ import annotations

import re

_BIDIRECTIONAL = "\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069"
"""Bidirectional controls and the two Unicode line breaks."""
_CONTROL = re.compile(f"[\x00-\x08\x0b-\x1f\x7f-\x9f{_BIDIRECTIONAL}]")
_UNSAFE_IN_JSON = re.compile(f"[\x7f-\x9f{_BIDIRECTIONAL}]")


def visible(text: str) -> str:
    r"""Return `text` with control characters written as escapes such as \x1b; line breaks and tabs are kept."""
    return text if text.isascii() and text.isprintable() else _CONTROL.sub(_escape, text)


def in_one_line(text: str) -> str:
    """Return `text` as a single line, for messages and table cells."""
    return visible(text).replace("\n", "\\n").replace("\t", " ")


def in_json(text: str) -> str:
    """Escape control characters that JSON allows unescaped. The text still parses to the same value."""
    return text if text.isascii() and "\x7f" not in text else _UNSAFE_IN_JSON.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


def _escape(found: re.Match[str]) -> str:
    number = ord(found[0])
    return f"\\x{number:02x}" if number < 256 else f"\\u{number:04x}"
