"""Find the place of a setting in a TOML file: its line, which Python's parser does not report, and the tables around it."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from edgecls.errors import ConfigError
from edgecls.text.redaction import shown

if TYPE_CHECKING:
    from collections.abc import Mapping

MOST_SHOWN = 200
"""The most characters of a value in an error message."""
_PIECE = re.compile(r""""{3}(?:\\.|[^\\])*?"{3,5}|'{3}.*?'{3,5}|"(?:\\.|[^"\\\n])*"|'[^'\n]*'|#[^\n]*|[\[\]{}]|\n""", re.DOTALL)
"""Strings, comments, brackets and line breaks. A multi-line string may end with up to two quotes of its own."""
_OPENING, _CLOSING = ("[", "{"), ("]", "}")
_STEP = re.compile(r"([^.\[\]]+)((?:\[\d+\])*)")
_TABLE = re.compile(r"\[([^\[\],]+)\]\s*(?:#.*)?$")
_ARRAY = re.compile(r"\[\[([^\[\],]+)\]\]\s*(?:#.*)?$")
_KEY = re.compile(r"([\w.\"' \t-]+)=")


@dataclass(frozen=True, slots=True, eq=False)
class Where:
    """Describes the place of a setting for errors: its file and line, and the names of the tables around it.

    A setting is given by its path, such as `camera[1].zone[0].dwell_s`. `file` may be any other description of where `table`
    comes from; without the `text` of a file there are no line numbers. `root` is the dataclass of the whole file.
    """

    file: str = ""
    text: str = ""
    table: Mapping[str, Any] = field(default_factory=dict)
    root: Any = None

    def at(self, setting: str) -> str:
        """Return the file, the line and the named tables: `cameras.toml:12: camera "gate": zone "bay"`."""
        line = line_of(self.text, self.table, setting.rstrip(".")) if self.text else 0
        return ": ".join(filter(None, (f"{self.file}:{line}" if line else self.file, *self._split(setting)[0])))

    def local(self, setting: str) -> str:
        """Return the path inside the innermost named table: `dwell_s`."""
        return self._split(setting)[1]

    def error(self, setting: str, fault: str) -> ConfigError:
        """Return an error about a setting; `fault` continues the sentence that begins with its name."""
        return self.fault(setting, f"{self.local(setting)}{'' if fault.startswith(':') else ' '}{fault}")

    def fault(self, setting: str, text: str) -> ConfigError:
        """Return an error at the place of a setting; `text` is a whole sentence, which may begin with the table's name."""
        named, _ = self._split(setting)
        text = text.removeprefix(f"{named[-1]}: ") if named else text
        return ConfigError(": ".join(filter(None, (self.at(setting), text))))

    def _split(self, setting: str) -> tuple[list[str], str]:
        """Return the descriptions of the list items that a path goes through, and the rest of the path."""
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
    if it has no line of its own; 0 if it is not in the text. `table` is the parsed text.
    """
    lines = _lines(text, table)
    while path and path not in lines:
        if f"{path}[0]" in lines:  # a list of tables
            return lines[f"{path}[0]"]
        path = path[: max(path.rfind("."), path.rfind("["), 0)]
    return lines.get(path, 0)


def cut(text: str) -> str:
    """Return the text, shortened if it would fill the screen."""
    return text if len(text) <= MOST_SHOWN else f"{text[:MOST_SHOWN]}..."


def _inner(value: Any, name: str, indices: str) -> Any:
    """Return the value at a name and then at indices such as [0][1]; None if there is none."""
    try:
        value = value[name]
        for index in re.findall(r"\d+", indices):
            value = value[int(index)]
    except (KeyError, IndexError, TypeError):
        return None
    return value


def _lines(text: str, table: Mapping[str, Any]) -> dict[str, int]:
    """Return the line of each table and key by its path, ignoring what only looks like one inside a string or a list."""
    found: dict[str, int] = {}
    counts: dict[str, int] = {}
    here = ""
    lines = text.split("\n")
    for number in beginnings(text):
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
        if _exists(table, path):
            found.setdefault(path, number)
    return found


def beginnings(text: str) -> list[int]:
    """Return the lines, from 1, that begin outside any string, list or inline table. Only these can begin a table or key."""
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
    """Return a path with the index of the newest item of each list of tables in it."""
    path = ""
    for i, part in enumerate(parts):
        path = f"{path}.{part}" if path else part
        if path in counts and i < len(parts) - 1:
            path = f"{path}[{counts[path]}]"
    return path


def _exists(table: Any, path: str) -> bool:
    for name, index in re.findall(r"([^.\[\]]+)|\[(\d+)\]", path):
        try:
            table = table[int(index)] if index else table[name]
        except (KeyError, IndexError, TypeError):
            return False
    return True
