"""Settings as frozen dataclasses that are built from TOML tables, with errors that name the key and what it may be."""

from __future__ import annotations

import dataclasses
import difflib
import tomllib
from pathlib import Path
from types import NoneType, UnionType
from typing import TYPE_CHECKING, Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

from edgecls.errors import ConfigError, EdgeclsError

if TYPE_CHECKING:
    from collections.abc import Mapping

from collections.abc import Callable

T = TypeVar("T")

LISTED = {int: "whole numbers", str: "texts"}


def read_toml(path: str | Path) -> dict[str, Any]:
    """Read a TOML file. Raises ConfigError."""
    try:
        return tomllib.loads(Path(path).read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"{path}: the settings cannot be read ({error.strerror})") from error
    except ValueError as error:
        raise ConfigError(f"{path}: not valid TOML ({error})") from error


Where = Callable[[str], str]
"""What an error calls the place of a setting, by the setting's path."""


def build(cls: type[T], table: Mapping[str, Any], where: str | Where, prefix: str = "") -> T:
    """Build the dataclass `cls` from a table, nested dataclasses from nested tables, tuples of them from lists of tables. A
    type with a classmethod `from_setting` is built by that.

    Raises ConfigError for a key that it does not have, one that is missing, or a value of another type; `where` and `prefix`
    name them.
    """
    place = where if callable(where) else lambda _path: where
    hints = get_type_hints(cls)
    for name in sorted(set(table) - set(hints)):
        near = difflib.get_close_matches(name, hints, 1)
        meant = f"did you mean {prefix}{near[0]}? " if near else ""
        raise ConfigError(
            f"{place(prefix + name)}: unknown setting {prefix}{name}; {meant}known are {', '.join(prefix + n for n in hints)}"
        )
    values = {name: _value(hints[name], value, place, prefix + name) for name, value in table.items()}
    for field in dataclasses.fields(cls):  # type: ignore[arg-type]  # a dataclass
        if field.name not in values and field.default is field.default_factory is dataclasses.MISSING:
            raise ConfigError(f"{place(prefix)}: {prefix}{field.name} is missing")
    try:
        return cls(**values)
    except EdgeclsError as error:
        raise ConfigError(f"{place(prefix)}: {error}") from error


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


def _value(hint: Any, value: Any, where: Where, name: str) -> Any:
    if get_origin(hint) in (Union, UnionType) and dataclasses.is_dataclass(get_args(hint)[0]):
        hint = get_args(hint)[0]  # a table that may be left out
    if hasattr(hint, "from_setting"):
        try:
            return hint.from_setting(value)
        except EdgeclsError as error:
            raise ConfigError(f"{where(name)}: {name}: {error}") from error
    if dataclasses.is_dataclass(hint):
        if not isinstance(value, dict):
            raise ConfigError(f"{where(name)}: {name} must be a table, found {value!r}")
        return build(hint, value, where, name + ".")  # type: ignore[arg-type]  # a dataclass is a type here
    if get_origin(hint) is tuple:
        return _values(get_args(hint)[0], value, where, name)
    if get_origin(hint) is Literal:
        check(f"{where(name)}: {name}", value, value in get_args(hint), f"one of {', '.join(filter(None, get_args(hint)))}")
        return value
    kinds = get_args(hint) if get_origin(hint) in (Union, UnionType) else (hint,)
    if float in kinds and type(value) is int and int not in kinds:
        return float(value)
    if type(value) not in kinds:
        raise ConfigError(
            f"{where(name)}: {name} must be {' or '.join(k.__name__ for k in kinds if k is not NoneType)}, found {value!r}"
        )
    return value


def _values(kind: Any, value: Any, where: Where, name: str) -> tuple[Any, ...]:
    """A list of plain values, or of tables."""
    if not isinstance(value, list | tuple):
        raise ConfigError(f"{where(name)}: {name} must be a list of {LISTED.get(kind, 'tables')}, found {value!r}")
    if kind not in LISTED:
        return tuple(_value(kind, one, where, f"{name}[{i}]") for i, one in enumerate(value))
    if not all(type(one) is kind for one in value):
        raise ConfigError(f"{where(name)}: {name} must be a list of {LISTED[kind]}, found {value!r}")
    return tuple(value)


def _without_none(table: Mapping[str, Any]) -> dict[str, Any]:
    kept = {name: value for name, value in table.items() if value is not None}
    return {name: _without_none(value) if isinstance(value, dict) else value for name, value in kept.items()}
