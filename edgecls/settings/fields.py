"""The fields of settings, which are dataclasses: their types, the tables that they form, and where a setting belongs."""

from __future__ import annotations

import dataclasses
import difflib
from types import NoneType, UnionType
from typing import TYPE_CHECKING, Any, NamedTuple, Union, get_args, get_origin, get_type_hints

from edgecls.settings.toml_lines import cut

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

MOST_PLACES = 3
"""A setting that belongs in more tables than this is not pointed to."""


class Table(NamedTuple):
    """A table of a TOML file: its path, such as "camera.track" ("" is the file), its header and the names of its settings."""

    path: str
    header: str
    names: frozenset[str]


def fields_of(cls: Any) -> dict[str, Any]:
    """Return the fields of a dataclass that are settings, with their types resolved from annotations."""
    hints = get_type_hints(cls)
    return {field.name: hints[field.name] for field in dataclasses.fields(cls) if field.metadata.get("setting", True)}


def alternatives(hint: Any) -> tuple[Any, ...]:
    """Return the members of a union type, or the type itself; without None, which TOML cannot express."""
    kinds = get_args(hint) if get_origin(hint) in (Union, UnionType) else (hint,)
    return tuple(kind for kind in kinds if kind is not NoneType)


def kinds_of(tables: Iterable[Any]) -> dict[str, Any]:
    """Return the dataclasses that a table may become, by the only value of their field `kind`."""
    return {get_args(fields_of(cls)["kind"])[0]: cls for cls in tables}


def text_setting(cls: Any) -> str:
    """Return the setting that a text means where a table of this dataclass is expected (its `TEXT_IS`); "" if none is."""
    return str(getattr(cls, "TEXT_IS", ""))


def tables_of(cls: Any, path: str = "", header: str = "") -> Iterator[Table]:
    """Yield the table of a dataclass and those within it. Tables whose `kind` chooses their settings are left out."""
    hints = fields_of(cls)
    yield Table(path, header, frozenset(hints))
    for name, hint in hints.items():
        (kind, *others) = alternatives(hint)
        is_list = get_origin(kind) is tuple
        (inner, *more) = alternatives(get_args(kind)[0]) if is_list else (kind,)
        if dataclasses.is_dataclass(inner) and not (others or more or hasattr(inner, "from_setting")):
            below = f"{path}.{name}" if path else name
            yield from tables_of(inner, below, f"[[{below}]]" if is_list else f"[{below}]")


def unknown(name: str, known: Iterable[str], prefix: str = "") -> str:
    """Return the message for an unknown setting, with the most similar known one."""
    known, name = list(known), cut(name)
    near = difflib.get_close_matches(name, known, 1)
    hint = f"did you mean {prefix}{near[0]}? " if near else ""
    return f"unknown setting {prefix}{name}; {hint}known are {', '.join(known)}"


def misplaced(name: str, *, here: str, cls: Any, root: Any, prefix: str = "") -> str:
    """Return the message for a setting that belongs in another table, or "" if it is no setting of any.

    Args:
        name: The setting.
        here: The path of the table in which it is, without indices.
        cls: The dataclass of this table.
        root: That of the whole file.
        prefix: Precedes the name in the message.
    """
    below = [table for table in tables_of(cls, here, here) if table.path != here]
    own = {table.path: table for table in (*tables_of(root), *below)}
    if name in own:
        text = f"write it as {own[name].header}"
    elif tables := [table for table in own.values() if table.path.rpartition(".")[2] == name]:
        text = f"write it as {' or '.join(table.header for table in tables)}" if len(tables) <= MOST_PLACES else ""
    else:
        tables = [table for table in own.values() if name in table.names and table.path != here]
        inside = [table for table in tables if table.path.startswith(f"{here}.")]
        text = _belongs(inside or tables, own.get(here.partition(".")[0]))
    return f"unknown setting {prefix}{name}; {text}" if text else ""


def _belongs(tables: list[Table], first: Table | None) -> str:
    if not tables or len(tables) > MOST_PLACES:
        return ""
    if not tables[0].path:
        return f"it belongs at the top of the file{f', above the first {first.header}' if first else ''}"
    return f"it belongs in {' or '.join(table.header for table in tables)}"
