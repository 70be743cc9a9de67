"""The JSON Schema of settings, out of the very dataclasses that they are built into; editors complete and check TOML by it.

It is of draft 2020-12. It knows names, types, choices and the limits of each field (`edgecls.settings.limits`); what depends on
several values (a line of zero length, thresholds the wrong way round) is known to the dataclasses alone. Two things no schema
can say: that 3.0 is no whole number, and that a text with a variable of the environment may become one of a few choices.
"""

from __future__ import annotations

import dataclasses
import inspect
import re
from types import MappingProxyType
from typing import Any, Literal, get_args, get_origin

from edgecls.settings.build import alternatives, fields_of, kinds_of
from edgecls.settings.limits import Limits, limits_of

DIALECT = "https://json-schema.org/draft/2020-12/schema"
PLAIN = MappingProxyType({str: "string", int: "integer", float: "number", bool: "boolean"})


def schema_of(cls: Any, *, title: str) -> dict[str, Any]:
    """The JSON Schema of the tables that `settings.build` makes `cls` of. Each dataclass in it stands once, under `$defs`."""
    tables: dict[str, Any] = {}
    whole = _table(cls, tables)
    return {"$schema": DIALECT, "title": title, **whole, "$defs": dict(sorted(tables.items()))}


def _table(cls: Any, tables: dict[str, Any], *, needs: tuple[str, ...] = ()) -> dict[str, Any]:
    """An object with the fields of a dataclass, those in `needs` and those without a default required."""
    about, _, attributes = (inspect.getdoc(cls) or "").partition("\nAttributes:\n")
    text, described = " ".join(about.split()), _attributes(attributes)
    properties, required = {}, list(needs)
    hints = fields_of(cls)
    for field in (field for field in dataclasses.fields(cls) if field.name in hints):
        value = _limited(_value(hints[field.name], tables), limits_of(field))
        properties[field.name] = _described(value, described.get(field.name) or _sentences(text, field.name), _default(field))
        if field.default is field.default_factory is dataclasses.MISSING:
            required.append(field.name)
    return {
        "description": text,
        "type": "object",
        "properties": properties,
        **({"required": sorted(set(required))} if required else {}),
        "additionalProperties": False,
    }


def _value(hint: Any, tables: dict[str, Any]) -> dict[str, Any]:
    kinds = alternatives(hint)
    if len(kinds) > 1 and all(map(dataclasses.is_dataclass, kinds)):
        return {"oneOf": [_reference(cls, tables, needs=("kind",)) for cls in kinds_of(kinds).values()]}
    kind = kinds[0]
    if hasattr(kind, "setting_schema"):
        return kind.setting_schema()  # type: ignore[no-any-return]  # what stands beside `from_setting`
    if dataclasses.is_dataclass(kind):
        return _reference(kind, tables)
    if get_origin(kind) is tuple:
        of, *rest = get_args(kind)
        count = {} if rest == [Ellipsis] else {"minItems": 1 + len(rest), "maxItems": 1 + len(rest)}
        return {"type": "array", "items": _value(of, tables), **count}
    if get_origin(kind) is Literal:
        choices = list(get_args(kind))
        return {"const": choices[0]} if len(choices) == 1 else {"enum": choices}
    names = [PLAIN[one] for one in kinds]
    return {"type": names[0] if len(names) == 1 else names}


def _limited(value: dict[str, Any], limits: Limits | None) -> dict[str, Any]:
    """A value with its limits; of a list they are those of each item, and one must be there."""
    if limits is None:
        return value
    if value["type"] == "array":
        return {**value, "items": {**value["items"], **limits.schema()}, "minItems": 1}
    return {**value, **limits.schema()}


def _reference(cls: Any, tables: dict[str, Any], *, needs: tuple[str, ...] = ()) -> dict[str, Any]:
    if cls.__name__ not in tables:
        tables[cls.__name__] = {}  # it has its place before what is in it
        tables[cls.__name__] = _table(cls, tables, needs=needs)
    return {"$ref": f"#/$defs/{cls.__name__}"}


def _described(value: dict[str, Any], sentences: str, default: Any) -> dict[str, Any]:
    described = {"description": sentences, **value} if sentences else value
    return described if default is None else {**described, "default": default}


def _attributes(section: str) -> dict[str, str]:
    """What the section "Attributes" of a docstring says of each field: `name: text`, whose further lines are indented."""
    entries = re.findall(r"^ {4}(\w+): (.*(?:\n {5,}.*)*)", section, re.MULTILINE)
    return {name: " ".join(text.split()) for name, text in entries}


def _sentences(text: str, name: str) -> str:
    """What a docstring says of a field: the sentences, or their parts up to a semicolon, that name it in backquotes."""
    parts = re.split(r"(?<=[.!?]) (?=[A-Z`])|(?<=;) ", text)
    return " ".join(part.rstrip(";") for part in parts if f"`{name}`" in part)


def _default(field: dataclasses.Field[Any]) -> Any:
    """A default as TOML would have it; None where there is none, or where it is a table, whose fields have their own."""
    value = field.default
    if value is dataclasses.MISSING or dataclasses.is_dataclass(value):
        return None
    return list(value) if isinstance(value, tuple) else value
