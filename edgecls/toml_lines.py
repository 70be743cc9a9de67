"""Which line of a TOML file a setting stands in. Python's parser does not say, and an error without it makes people search."""

from __future__ import annotations

import re
from typing import Any

_TABLE = re.compile(r"\[([^\[\],]+)\]\s*(?:#.*)?$")
_ARRAY = re.compile(r"\[\[([^\[\],]+)\]\]\s*(?:#.*)?$")
_KEY = re.compile(r"([\w.\"' -]+?)\s*=")


def line_of(text: str, table: dict[str, Any], path: str) -> int:
    """Return the line, from 1, of a setting such as `camera[1].zone[0].name` in a TOML text, or of the nearest table around it
    if it has no line of its own; 0 for one that stands nowhere. `table` is what the text was read as.
    """
    lines = _lines(text, table)
    while path and path not in lines:
        path = path[: max(path.rfind("."), path.rfind("["), 0)]
    return lines.get(path, 0)


def _lines(text: str, table: dict[str, Any]) -> dict[str, int]:
    """The line of each table and key, by its path. What looks like one inside of a text or a list is none of the table."""
    found: dict[str, int] = {}
    counts: dict[str, int] = {}
    here = ""
    for number, line in enumerate(map(str.strip, text.splitlines()), 1):
        if match := _ARRAY.match(line):
            name = _resolved(_parts(match[1]), counts)
            counts[name] = counts.get(name, -1) + 1
            path = here = f"{name}[{counts[name]}]"
        elif match := _TABLE.match(line):
            path = here = _resolved(_parts(match[1]), counts)
        elif match := _KEY.match(line):
            path = ".".join([*([here] if here else []), *_parts(match[1])])
        else:
            continue
        if _stands(table, path):
            found.setdefault(path, number)
    return found


def _parts(name: str) -> list[str]:
    return [part.strip().strip("\"'") for part in name.split(".")]


def _resolved(parts: list[str], counts: dict[str, int]) -> str:
    """A path with the number of the newest table of each list on the way."""
    path = ""
    for i, part in enumerate(parts):
        path = f"{path}.{part}" if path else part
        if path in counts and i < len(parts) - 1:
            path = f"{path}[{counts[path]}]"
    return path


def _stands(table: Any, path: str) -> bool:
    for name, index in re.findall(r"([^.\[\]]+)|\[(\d+)\]", path):
        try:
            table = table[int(index)] if index else table[name]
        except (KeyError, IndexError, TypeError):
            return False
    return True
