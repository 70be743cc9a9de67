"""Settings as frozen dataclasses that are built from TOML tables, with errors that name the key and what it may be."""

from __future__ import annotations

import dataclasses
import tomllib
from pathlib import Path
from types import NoneType, UnionType
from typing import TYPE_CHECKING, Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

from edgecls.errors import ConfigError, EdgeclsError

if TYPE_CHECKING:
    from collections.abc import Mapping

T = TypeVar("T")


def read_toml(path: str | Path) -> dict[str, Any]:
    """Read a TOML file. Raises ConfigError."""
    try:
        return tomllib.loads(Path(path).read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"{path}: the settings cannot be read ({error.strerror})") from error
    except ValueError as error:
        raise ConfigError(f"{path}: not valid TOML ({error})") from error


def build(cls: type[T], table: Mapping[str, Any], where: str, prefix: str = "") -> T:
    """Build the dataclass `cls` from a table, nested dataclasses from nested tables.

    Raises ConfigError for a key that it does not have or a value of another type; `where` and `prefix` name them.
    """
    hints = get_type_hints(cls)
    unknown = sorted(set(table) - set(hints))
    if unknown:
        raise ConfigError(f"{where}: unknown setting {prefix}{unknown[0]}; known are {', '.join(prefix + n for n in hints)}")
    values = {name: _value(hints[name], value, where, prefix + name) for name, value in table.items()}
    try:
        return cls(**values)
    except TypeError as error:
        raise ConfigError(f"{where}: a setting is missing ({error})") from error
    except EdgeclsError as error:
        raise ConfigError(f"{where}: {error}") from error


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


def _value(hint: Any, value: Any, where: str, name: str) -> Any:
    if dataclasses.is_dataclass(hint):
        if not isinstance(value, dict):
            raise ConfigError(f"{where}: {name} must be a table, found {value!r}")
        return build(hint, value, where, name + ".")  # type: ignore[arg-type]  # a dataclass is a type here
    if get_origin(hint) is tuple:
        kind = get_args(hint)[0]
        if not isinstance(value, list | tuple) or not all(type(v) is kind for v in value):
            of = {int: "whole numbers", str: "texts"}[kind]
            raise ConfigError(f"{where}: {name} must be a list of {of}, found {value!r}")
        return tuple(value)
    if get_origin(hint) is Literal:
        check(f"{where}: {name}", value, value in get_args(hint), f"one of {', '.join(filter(None, get_args(hint)))}")
        return value
    kinds = get_args(hint) if get_origin(hint) in (Union, UnionType) else (hint,)
    if float in kinds and type(value) is int:
        return float(value)
    if type(value) not in kinds:
        raise ConfigError(
            f"{where}: {name} must be {' or '.join(k.__name__ for k in kinds if k is not NoneType)}, found {value!r}"
        )
    return value


def _without_none(table: Mapping[str, Any]) -> dict[str, Any]:
    kept = {name: value for name, value in table.items() if value is not None}
    return {name: _without_none(value) if isinstance(value, dict) else value for name, value in kept.items()}
