"""Where in a TOML file a setting stands: its line, which Python's parser does not say, and the tables around it."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from edgecls.errors import ConfigError
from edgecls.text.redaction import shown

if TYPE_CHECKING:
    from collections.abc import Mapping

MOST_SHOWN = 200
"""Characters of a value in an error."""
_PIECE = re.compile(r""""{3}(?:\\.|[^\\])*?"{3,5}|'{3}.*?'{3,5}|"(?:\\.|[^"\\\n])*"|'[^'\n]*'|#[^\n]*|[\[\]{}]|\n""", re.DOTALL)
"""Texts, comments, brackets and line breaks. A text of several lines may end with up to two quotes of its own."""
_OPENING, _CLOSING = ("[", "{"), ("]", "}")
_STEP = re.compile(r"([^.\[\]]+)((?:\[\d+\])*)")
_TABLE = re.compile(r"\[([^\[\],]+)\]\s*(?:#.*)?$")
_ARRAY = re.compile(r"\[\[([^\[\],]+)\]\]\s*(?:#.*)?$")
_KEY = re.compile(r"([\w.\"' \t-]+)=")


@dataclass(frozen=True, slots=True, eq=False)
class Where:
    """Names the place of a setting in errors: its file and line, and the tables around it by their names.

    A setting is given by its path, such as `camera[1].zone[0].dwell_s`. `file` may also be any other words for where `table`
    comes from; without the `text` of a file there are no lines.
    """

    file: str = ""
    text: str = ""
    table: Mapping[str, Any] = field(default_factory=dict)

    def at(self, setting: str) -> str:
        """The file, the line and the named tables: `cameras.toml:12: camera "gate": zone "bay"`."""
        line = line_of(self.text, self.table, setting.rstrip(".")) if self.text else 0
        return ": ".join(filter(None, (f"{self.file}:{line}" if line else self.file, *self._split(setting)[0])))

    def local(self, setting: str) -> str:
        """The path within the last of the named tables: `dwell_s`."""
        return self._split(setting)[1]

    def error(self, setting: str, fault: str) -> ConfigError:
        """The error for a fault of a setting; the fault is a sentence that goes on behind its name."""
        return self.fault(setting, f"{self.local(setting)}{'' if fault.startswith(':') else ' '}{fault}")

    def fault(self, setting: str, text: str) -> ConfigError:
        """The error for a fault at the place of a setting, as a whole sentence."""
        return ConfigError(": ".join(filter(None, (self.at(setting), text))))

    def _split(self, setting: str) -> tuple[list[str], str]:
        """The tables of lists that a path goes through, and the rest of it."""
        named: list[str] = []
        rest, value = "", self.table
        for name, indices in _STEP.findall(setting):
            value = _inner(value, name, indices)
            rest += f".{name}{indices}" if rest else f"{name}{indices}"
            if indices and isinstance(value, dict):
                own = value.get("name", value.get("kind"))
                named.append(f'{name} "{cut(shown(own))}"' if isinstance(own, str) and own else rest)
                rest = ""
        return named, rest + "." * (setting.endswith(".") and bool(rest))


def line_of(text: str, table: Mapping[str, Any], path: str) -> int:
    """Return the line, from 1, of a setting such as `camera[1].zone[0].name` in a TOML text, or of the nearest table around it
    if it has no line of its own; 0 for one that stands nowhere. `table` is what the text was read as.
    """
    lines = _lines(text, table)
    while path and path not in lines:
        path = path[: max(path.rfind("."), path.rfind("["), 0)]
    return lines.get(path, 0)


def cut(text: str) -> str:
    """The text, without its end where it would fill the screen."""
    return text if len(text) <= MOST_SHOWN else f"{text[:MOST_SHOWN]}..."


def _inner(value: Any, name: str, indices: str) -> Any:
    """What stands at a name, and in it at indices such as [0][1]; None where there is nothing."""
    try:
        value = value[name]
        for index in re.findall(r"\d+", indices):
            value = value[int(index)]
    except (KeyError, IndexError, TypeError):
        return None
    return value


def _lines(text: str, table: Mapping[str, Any]) -> dict[str, int]:
    """The line of each table and key, by its path. What looks like one inside of a text or a list is none of the table."""
    found: dict[str, int] = {}
    counts: dict[str, int] = {}
    here = ""
    lines = text.split("\n")
    for number in _beginnings(text):
        line = lines[number - 1].strip()
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


def _beginnings(text: str) -> list[int]:
    """The lines, from 1, that begin outside of any text, list or inline table: tables and keys of the file stand only there."""
    numbers, number, depth = [1], 1, 0
    for piece in _PIECE.findall(text):
        depth += (piece in _OPENING) - (piece in _CLOSING)
        number += piece.count("\n")
        if piece == "\n" and depth == 0:
            numbers.append(number)
    return numbers


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
