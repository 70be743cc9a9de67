"""Settings as frozen dataclasses that are built from TOML tables, with errors that name the key and what it may be."""

from __future__ import annotations

import dataclasses
import difflib
import re
import tomllib
from pathlib import Path
from types import NoneType, UnionType
from typing import TYPE_CHECKING, Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

from edgecls.errors import ConfigError, EdgeclsError
from edgecls.toml_lines import line_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

from collections.abc import Callable

T = TypeVar("T")

LISTED = {int: "whole numbers", str: "texts"}

_SUBJECT = re.compile(r"\w+(?:\[\d+\]|\.\w+)*")

Where = Callable[[str], str]
"""What an error calls the place of a setting, by the setting's path."""


def read_toml(path: str | Path) -> dict[str, Any]:
    """Read a TOML file. Raises ConfigError."""
    return read_toml_with_lines(path)[0]


def read_toml_with_lines(path: str | Path) -> tuple[dict[str, Any], Where]:
    """Read a TOML file. Returns it, and what tells the line of each setting in it. Raises ConfigError."""
    try:
        text = Path(path).read_text(encoding="utf-8")
        table = tomllib.loads(text)
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read ({error.strerror})") from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path}: expected a text in UTF-8, found other bytes at {error.start}") from error
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{path}: not valid TOML ({error})") from error

    def place(setting: str) -> str:
        line = line_of(text, table, setting.rstrip("."))
        return f"{path}, line {line}" if line else str(path)

    return table, place


def fields_of(cls: Any) -> dict[str, Any]:
    """The fields of a dataclass and their types, which stand in its module as text."""
    hints = get_type_hints(cls)
    return {field.name: hints[field.name] for field in dataclasses.fields(cls)}


def alternatives(hint: Any) -> tuple[Any, ...]:
    """The types that a value of this type may have, but for None, which no TOML file can say."""
    kinds = get_args(hint) if get_origin(hint) in (Union, UnionType) else (hint,)
    return tuple(kind for kind in kinds if kind is not NoneType)


def kinds_of(tables: Iterable[Any]) -> dict[str, Any]:
    """Dataclasses that may stand in one place, by what tells them apart: the only value of their field `kind`."""
    return {get_args(fields_of(cls)["kind"])[0]: cls for cls in tables}


def unknown(name: str, known: Iterable[str], prefix: str = "") -> str:
    """Say that there is no such setting, and which is meant most likely."""
    known = list(known)
    near = difflib.get_close_matches(name, known, 1)
    meant = f"did you mean {prefix}{near[0]}? " if near else ""
    return f"unknown setting {prefix}{name}; {meant}known are {', '.join(prefix + n for n in known)}"


def build(cls: type[T], table: Mapping[str, Any], where: str | Where, prefix: str = "") -> T:
    """Build the dataclass `cls` from a table, nested dataclasses from nested tables, tuples of them from lists of tables; of
    several dataclasses that may stand in one place the one that the table's `kind` names. A type with a classmethod
    `from_setting` is built by that.

    Raises ConfigError for a key that it does not have, one that is missing, or a value of another type; `where` and `prefix`
    name them.
    """
    place = where if callable(where) else lambda _path: where
    hints = fields_of(cls)
    for name in sorted(set(table) - set(hints)):
        raise ConfigError(f"{place(prefix + name)}: {unknown(name, hints, prefix)}")
    values = {name: _value(hints[name], value, place, prefix + name) for name, value in table.items()}
    for field in dataclasses.fields(cls):  # type: ignore[arg-type]  # a dataclass
        if field.name not in values and field.default is field.default_factory is dataclasses.MISSING:
            raise ConfigError(f"{place(prefix)}: {prefix}{field.name} is missing")
    try:
        return cls(**values)
    except EdgeclsError as error:
        text = str(error)
        path = _subject(text, hints)
        raise ConfigError(f"{place(prefix + path)}: {prefix if path and text.startswith(path) else ''}{text}") from error


def merged(table: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """Lay `changes` over `table`, nested tables key by key."""
    result = dict(table)
    for name, value in changes.items():
        old = result.get(name)
        result[name] = merged(old, value) if isinstance(old, dict) and isinstance(value, dict) else value
    return result


def check(name: str, value: object, good: bool, expected: str) -> None:
    """Raise ConfigError unless `good`: `name` must be `expected`, not `value`."""
    if not good:
        raise ConfigError(f"{name} must be {expected}, not {value!r}")


def as_table(settings: Any) -> dict[str, Any]:
    """The inverse of `build`: plain tables, without what is None."""
    return _without_none(dataclasses.asdict(settings))


def _subject(text: str, names: Iterable[str]) -> str:
    """The path of the setting that an error of a dataclass is about, which it begins with, or its part after a colon; "" where
    it is about several.
    """
    for part in (text, text.partition(": ")[2]):
        found = _SUBJECT.match(part)
        if found and re.split(r"\W", found[0])[0] in names:
            return found[0]
    return ""


def _value(hint: Any, value: Any, where: Where, name: str) -> Any:
    kinds = alternatives(hint)
    if len(kinds) > 1 and all(map(dataclasses.is_dataclass, kinds)):
        return build(_kind(kinds, value, where, name), value, where, name + ".")
    kind = kinds[0]
    if hasattr(kind, "from_setting"):
        try:
            return kind.from_setting(value)
        except EdgeclsError as error:
            raise ConfigError(f"{where(name)}: {name}: {error}") from error
    if dataclasses.is_dataclass(kind):
        _check_table(value, where, name)
        return build(kind, value, where, name + ".")  # type: ignore[arg-type]  # a dataclass is a type here
    if get_origin(kind) is tuple:
        return _values(get_args(kind), value, where, name)
    if get_origin(kind) is Literal:
        check(f"{where(name)}: {name}", value, value in get_args(kind), f"one of {', '.join(filter(None, get_args(kind)))}")
        return value
    if float in kinds and type(value) is int and int not in kinds:
        return float(value)
    if type(value) not in kinds:
        raise ConfigError(f"{where(name)}: {name} must be {' or '.join(k.__name__ for k in kinds)}, found {value!r}")
    return value


def _kind(tables: Iterable[Any], value: Any, where: Where, name: str) -> Any:
    """Which of several dataclasses a table is meant to be."""
    _check_table(value, where, name)
    known, kind = kinds_of(tables), value.get("kind")
    if not isinstance(kind, str) or kind not in known:
        found = f"must be one of {', '.join(known)}, not {kind!r}" if "kind" in value else f"is missing: {', '.join(known)}"
        near = difflib.get_close_matches(str(kind), known, 1)
        raise ConfigError(f"{where(name + '.kind')}: {name}.kind {found}{f'; did you mean {near[0]}?' if near else ''}")
    return known[kind]


def _check_table(value: Any, where: Where, name: str) -> None:
    if not isinstance(value, dict):
        raise ConfigError(f"{where(name)}: {name} must be a table, found {value!r}")


def _values(kinds: tuple[Any, ...], value: Any, where: Where, name: str) -> tuple[Any, ...]:
    """A list of plain values, or of tables; of a fixed length, or, where `kinds` ends with "...", of any."""
    kind, fixed = kinds[0], 0 if kinds[-1] is Ellipsis else len(kinds)
    is_list = isinstance(value, list | tuple) and (not fixed or len(value) == fixed)
    is_text = get_origin(kind) is Literal
    if not is_list or (kind in LISTED and not all(type(one) is kind for one in value)):
        count = f"{fixed} " if fixed else ""
        listed = LISTED.get(str if is_text else kind, "tables")
        plain = re.sub(r"\[\d+\]", "", name)
        fix = f"; write [[{plain}]] before each" if isinstance(value, dict) and dataclasses.is_dataclass(kind) else ""
        raise ConfigError(f"{where(name)}: {name} must be a list of {count}{listed}, found {value!r}{fix}")
    return tuple(_value(kind, one, where, f"{name}[{i}]") for i, one in enumerate(value))


def _without_none(table: Mapping[str, Any]) -> dict[str, Any]:
    kept = {name: value for name, value in table.items() if value is not None}
    return {name: _without_none(value) if isinstance(value, dict) else value for name, value in kept.items()}
