"""Build settings, which are frozen dataclasses, from TOML tables, with errors that name the key and what it may be."""

from __future__ import annotations

import dataclasses
import difflib
import math
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Literal, TypeVar, get_args, get_origin

from edgecls.errors import ConfigError, EdgeclsError
from edgecls.files.advice import of_another_kind
from edgecls.files.text_file import read_text
from edgecls.settings.fields import alternatives, fields_of, kinds_of, misplaced, text_setting, unknown
from edgecls.settings.toml_lines import MOST_SHOWN, Where, cut
from edgecls.text.redaction import STARS, is_secret_key, shown

if TYPE_CHECKING:
    from collections.abc import Iterable

T = TypeVar("T")

LISTED = {int: "whole numbers", str: "texts"}
WORDS = {int: "a whole number", float: "a number", str: "a text", bool: "true or false"}
LONGEST_TEXT = 10_000
"""The most characters of a setting. Paths have at most 4,096, addresses fewer; the time to search them may grow with the
square of their length.
"""
DEEPEST = 64
"""The deepest nesting of tables. The time of Python's parser grows with the square of the number of parts of a key."""

_DOTTED = re.compile(rf"(?<![\w-])(?:[A-Za-z0-9_-]++[ \t]*+\.[ \t]*+){{{DEEPEST}}}")
_PLACE = re.compile(r"(.*) \(at line (\d+), column (\d+)\)", re.DOTALL)
"""An error of Python's parser."""
_SUBJECT = re.compile(r"\w+(?:\[\d+\]|\.\w+)*")

_INDEX = re.compile(r"\[\d+\]")

NO_SETTING = MappingProxyType({"setting": False})
"""The metadata of a field that no file can set."""


def read_toml(path: str | Path) -> dict[str, Any]:
    """Read a TOML file. Raises ConfigError."""
    return read_toml_with_lines(path)[0]


def read_toml_with_lines(path: str | Path) -> tuple[dict[str, Any], Where]:
    """Read a TOML file. Returns its table, and the `Where` that knows the line of each setting. Raises ConfigError."""
    use = of_another_kind(path, "settings")
    try:
        text = read_text(path, error=ConfigError)
    except ConfigError as error:
        raise ConfigError(f"{error}{use if Path(path).exists() else ''}") from error
    return parse_toml(text, path, use)


def parse_toml(text: str, path: str | Path, use: str = "") -> tuple[dict[str, Any], Where]:
    """Read the text of a TOML file, as `read_toml_with_lines` does; `use` ends a message that it is not valid TOML."""
    if _DOTTED.search(text):
        raise ConfigError(f"{path}: not valid TOML (a key of more than {DEEPEST} parts)")
    try:
        table = tomllib.loads(text)
    except ValueError as error:  # a number of more than 4,300 digits raises a plain ValueError
        found = _PLACE.fullmatch(str(error))
        line, fault = (f":{found[2]}", f"{found[1]}, column {found[3]}") if found else ("", str(error))
        raise ConfigError(f"{path}{line}: not valid TOML ({fault}){use or _fix(text, str(error))}") from error
    except RecursionError as error:
        raise ConfigError(f"{path}: not valid TOML (tables or lists are nested too deep)") from error

    where = Where(str(path), text, table)
    _check_plain(table, where)
    return table, where


def _fix(text: str, fault: str) -> str:
    """Return what to change in a TOML text with this fault, beginning with "; ", or "" if that is not known."""
    if "Unescaped" in fault or "Invalid hex value" in fault:
        return r"; in double quotes \ begins a special character: write / in paths, or use single quotes"
    if "Cannot overwrite" in fault or "Cannot declare" in fault:
        return "; a setting or a table is there twice"
    found = re.search(r"at line (\d+)", fault)
    line = text.split("\n")[int(found[1]) - 1] if found else ""
    name, equals, value = (part.strip() for part in line.partition("="))
    if not equals:
        return f"; write = between {cut(name.partition(':')[0].strip())} and its value" if ":" in line else ""
    if value.lower() in ("true", "false"):
        return f"; write {value.lower()}"
    if not value or value[0] in "\"'[{#":
        return ""
    return f'; texts are in quotes: {cut(name)} = "{STARS if is_secret_key(name) else cut(shown(value))}"'


def build(cls: type[T], table: Mapping[str, Any], where: str | Where, prefix: str = "") -> T:
    """Build the dataclass `cls` from a table: nested dataclasses from nested tables, tuples of them from lists of tables.
    For a union of dataclasses, the table's `kind` chooses one. A type with a classmethod `from_setting` is built by it,
    and where a dataclass names a setting in `TEXT_IS`, a text is short for a table with that setting.

    Raises ConfigError for an unknown or missing key, or a value of the wrong type; the message begins with `where`, and
    `prefix` precedes the key.
    """
    place = where if isinstance(where, Where) else Where(where)
    place = place if place.root else dataclasses.replace(place, root=cls)
    _check_table(table, place, prefix.rstrip(".") or "the file")
    hints = fields_of(cls)
    for name in sorted(set(table) - set(hints)):
        here, local = _INDEX.sub("", prefix).rstrip("."), place.local(prefix)
        elsewhere = misplaced(name, here=here, cls=cls, root=place.root, prefix=local)
        raise place.fault(prefix + name, elsewhere or unknown(name, hints, local))
    values = {name: _value(hints[name], value, place, prefix + name) for name, value in table.items()}
    for field in dataclasses.fields(cls):  # type: ignore[arg-type]  # a dataclass
        if field.name not in values and field.default is field.default_factory is dataclasses.MISSING:
            raise place.fault(prefix, f"{place.local(prefix)}{field.name} is missing")
    try:
        return cls(**values)
    except EdgeclsError as error:
        text = str(error)
        path, rest = _subject(text, hints)
        if path:
            raise place.fault(prefix + path, f"{place.local(prefix + path)}{rest}") from error
        raise place.fault(prefix, text) from error


def merged(table: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """Return `table` updated with `changes`; nested tables are merged key by key."""
    result = dict(table)
    for name, value in changes.items():
        old = result.get(name)
        result[name] = merged(old, value) if isinstance(old, dict) and isinstance(value, dict) else value
    return result


def check(name: str, value: object, good: bool, expected: str) -> None:
    """Raise ConfigError unless `good`: `name` must be `expected`, not `value`."""
    if not good:
        raise ConfigError(_must_be(name, expected, value))


def as_table(settings: Any) -> dict[str, Any]:
    """Return settings as plain tables, without values that are None: the inverse of `build`."""
    return _without_none(dataclasses.asdict(settings))


def _must_be(name: str, expected: str, value: object) -> str:
    key = re.split(r"[.\s]", name)[-1]
    return f"{name} must be {expected}, not {STARS if is_secret_key(key) else _shown(value)}"


def _subject(text: str, names: Iterable[str]) -> tuple[str, str]:
    """Split an error of a dataclass into the path of its setting and the rest. The path is at the start of the text or after
    the first colon; both are empty if the error is about several settings.
    """
    for part in (text, text.partition(": ")[2]):
        found = _SUBJECT.match(part)
        if found and re.split(r"\W", found[0])[0] in names:
            return found[0], part[found.end() :]
    return "", ""


def _value(hint: Any, value: Any, where: Where, name: str) -> Any:
    kinds = alternatives(hint)
    if len(kinds) > 1 and all(map(dataclasses.is_dataclass, kinds)):
        return build(_kind(kinds, value, where, name), value, where, name + ".")
    kind = kinds[0]
    if hasattr(kind, "from_setting"):
        try:
            return kind.from_setting(value)
        except EdgeclsError as error:
            raise where.error(name, f": {error}") from error
    if dataclasses.is_dataclass(kind):
        return build(kind, _as_table(kind, value, where, name), where, name + ".")  # type: ignore[arg-type]  # a type here
    if get_origin(kind) is tuple:
        return _values(get_args(kind), value, where, name)
    if get_origin(kind) is Literal:
        if value not in get_args(kind):
            raise _wrong(where, name, f"one of {', '.join(filter(None, get_args(kind)))}", value)
        return value
    _check_plain(value, where, name)
    if float in kinds and type(value) is int and int not in kinds:
        return float(value)
    if type(value) not in kinds:
        raise _wrong(where, name, " or ".join(WORDS.get(kind, kind.__name__) for kind in kinds), value)
    return value


def _wrong(where: Where, name: str, expected: str, value: object, fix: str = "") -> ConfigError:
    return where.fault(name, _must_be(where.local(name), expected, value) + fix)


def _check_plain(value: Any, where: Where, name: str = "", depth: int = 0) -> None:
    """Raise ConfigError for values that are valid in TOML or on a command line but not as a setting: numbers that are NaN,
    infinite or beyond 64 bits, strings that are too long or contain a null byte, which no path may have, and nesting that is
    too deep.
    """
    if depth > DEEPEST:
        raise where.fault("", f"{name[:MOST_SHOWN]}... is nested too deep")
    if isinstance(value, dict):
        for key, inner in value.items():
            _check_plain(inner, where, f"{name}.{key}" if name else key, depth + 1)
    elif isinstance(value, list | tuple):
        for i, inner in enumerate(value):
            _check_plain(inner, where, f"{name}[{i}]", depth + 1)
    elif isinstance(value, float) and not math.isfinite(value):
        raise _wrong(where, name, "a finite number", value)
    elif isinstance(value, int) and not -(2**63) <= value < 2**63:
        raise where.error(name, "must be a number of at most 64 bits")
    elif isinstance(value, str) and len(value) > LONGEST_TEXT:
        raise where.error(name, f"must be a text of at most {LONGEST_TEXT:,} characters, not {len(value):,}")
    elif isinstance(value, str) and "\0" in value:
        raise _wrong(where, name, "a text without null bytes", value)


def _shown(value: Any) -> str:
    """Return a value for an error message, without secrets, and shortened if it would fill the screen."""
    if isinstance(value, bool):  # as TOML writes it
        return str(value).lower()
    try:
        text = repr(_public(value))
    except ValueError:  # a number with more digits than Python prints
        return "a number beyond 64 bits"
    return cut(text)


def _public(value: Any) -> Any:
    """Return a value with possible secrets hidden: in strings that look like addresses, and values of keys for secrets."""
    if isinstance(value, str):
        return shown(value)
    if isinstance(value, Mapping):
        return {key: STARS if is_secret_key(str(key)) else _public(inner) for key, inner in value.items()}
    return [_public(one) for one in value] if isinstance(value, list | tuple) else value


def _kind(tables: Iterable[Any], value: Any, where: Where, name: str) -> Any:
    """Return the dataclass that a table's `kind` names."""
    _check_table(value, where, name)
    known, kind = kinds_of(tables), value.get("kind")
    if not isinstance(kind, str) or kind not in known:
        if "kind" not in value:
            raise where.error(f"{name}.kind", f"is missing; expected one of {', '.join(known)}")
        near = difflib.get_close_matches(str(kind), known, 1)
        raise _wrong(where, f"{name}.kind", f"one of {', '.join(known)}", kind, f"; did you mean {near[0]}?" if near else "")
    return known[kind]


def _as_table(cls: Any, value: Any, where: Where, name: str) -> Mapping[str, Any]:
    """Return the table of a dataclass, for which a text may stand."""
    short = text_setting(cls)
    if short and isinstance(value, str):
        return {short: value}
    if short and not isinstance(value, Mapping | list):
        raise _wrong(where, name, "a text or a table", value)
    _check_table(value, where, name)
    return value  # type: ignore[no-any-return]  # checked to be a table


def _check_table(value: Any, where: Where, name: str) -> None:
    if not isinstance(value, Mapping):
        is_list = isinstance(value, list | tuple) and all(isinstance(one, Mapping) for one in value)
        if value and is_list:
            plain = _INDEX.sub("", name)
            raise where.error(name, f"must be a single table; write [{plain}], in single brackets, and only once")
        raise _wrong(where, name, "a table", value, f"; write [{_INDEX.sub('', name)}] above its settings, if any")


def _values(kinds: tuple[Any, ...], value: Any, where: Where, name: str) -> tuple[Any, ...]:
    """Convert a list of plain values or of tables. Its length must be that of `kinds`, or any if `kinds` ends with "..."."""
    kind, fixed = kinds[0], 0 if kinds[-1] is Ellipsis else len(kinds)
    is_list = isinstance(value, list | tuple) and (not fixed or len(value) == fixed)
    is_text = get_origin(kind) is Literal
    if not is_list or (kind in LISTED and not all(type(one) is kind for one in value)):
        count = f"{fixed} " if fixed else ""
        listed = LISTED.get(str if is_text else kind, "tables")
        if isinstance(value, dict) and dataclasses.is_dataclass(kind):
            plain = _INDEX.sub("", name)
            raise where.error(name, f"must be a list of tables; write [[{plain}]], in double brackets, before each")
        raise _wrong(where, name, f"a list of {count}{listed}", value)
    return tuple(_value(kind, one, where, f"{name}[{i}]") for i, one in enumerate(value))


def _without_none(table: Mapping[str, Any]) -> dict[str, Any]:
    kept = {name: value for name, value in table.items() if value is not None}
    return {name: _without_none(value) if isinstance(value, dict) else value for name, value in kept.items()}


def check_count(what: str, found: int, most: int) -> None:
    """Raise ConfigError if there are more than `most` of something."""
    if found > most:
        raise ConfigError(f"expected at most {most:,} {what}, found {found:,}")
