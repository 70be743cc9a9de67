"""Strict JSON (RFC 8259). Python's `json` also writes and reads NaN and Infinity, which other programs reject.

All JSON that edgecls writes or reads goes through this module.
"""

from __future__ import annotations

import json
import math
import re
from typing import Any

from edgecls.text.control import in_json

_HUGE = re.compile(r"[eE]\+?\d{3}|\d{300}")
"""Matches text that may contain a number beyond the range of a float."""


def dumps(value: Any, *, indent: int | None = None, sort_keys: bool = False) -> str:
    """Return `value` as JSON that can be encoded as UTF-8.

    NaN and infinity become null. Characters that UTF-8 cannot encode, as in a file name that is not valid Unicode, become
    backslash escapes.
    """
    try:
        text = json.dumps(value, ensure_ascii=False, allow_nan=False, indent=indent, sort_keys=sort_keys)
    except ValueError:
        text = json.dumps(_finite(value), ensure_ascii=False, allow_nan=False, indent=indent, sort_keys=sort_keys)
    return in_json(in_utf8(text))


def loads(text: str, *, most: int | None = None) -> Any:
    """Parse JSON. Its values may take fifty times the memory of the text, so a text from outside should have a limit.

    Args:
        text: The JSON.
        most: The most characters that it may have. None: any number.

    Raises:
        ValueError: The text is too long or invalid JSON, contains NaN, Infinity or a number beyond the range of a float, or is
            nested too deeply.
    """
    if most is not None and len(text) > most:
        raise ValueError(f"it has {len(text):,} characters, expected at most {most:,}")
    try:
        return json.loads(text, parse_constant=_reject_constant, parse_float=_finite_number if _HUGE.search(text) else None)
    except RecursionError as error:
        raise ValueError("objects or arrays are nested too deeply") from error


def in_utf8(text: str) -> str:
    """Escape characters that UTF-8 cannot encode, as in a file name that is not valid Unicode."""
    return text if text.isascii() else text.encode("utf-8", "backslashreplace").decode("utf-8")


def _finite(value: Any) -> Any:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {name: _finite(inner) for name, inner in value.items()}
    return [_finite(inner) for inner in value] if isinstance(value, list | tuple) else value


def _reject_constant(name: str) -> Any:
    raise ValueError(f"{name} is not a JSON number")


def _finite_number(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(f"{text[:20]} is beyond the range of a float")
    return value
