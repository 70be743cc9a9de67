"""Generate the JSON Schema of settings from their dataclasses, so that editors can complete and check TOML files.

The schema uses draft 2020-12. It contains names, types, choices and the limits of each field (`edgecls.settings.limits`).
Conditions on several values (a line of zero length, thresholds in the wrong order) are only checked by the dataclasses. Two
things cannot be expressed in a schema: that 3.0 is not an integer, and that a string with an environment variable may become
one of a few choices.
"""

from __future__ import annotations

import dataclasses
import inspect
import re
from types import MappingProxyType
from typing import Any, Literal, get_args, get_origin

from edgecls.settings.fields import alternatives, fields_of, kinds_of, text_setting
from edgecls.settings.limits import Limits, limits_of

DIALECT = "https://json-schema.org/draft/2020-12/schema"
PLAIN = MappingProxyType({str: "string", int: "integer", float: "number", bool: "boolean"})


def schema_of(cls: Any, *, title: str) -> dict[str, Any]:
    """Return the JSON Schema of the tables from which `settings.build` builds `cls`. Nested dataclasses are under `$defs`."""
    tables: dict[str, Any] = {}
    whole = _table(cls, tables)
    return {"$schema": DIALECT, "title": title, **whole, "$defs": dict(sorted(tables.items()))}


def _table(cls: Any, tables: dict[str, Any], *, needs: tuple[str, ...] = ()) -> dict[str, Any]:
    """Return the schema of a dataclass. Required are the fields without a default, and those in `needs`."""
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
        return kind.setting_schema()  # type: ignore[no-any-return]  # defined together with `from_setting`
    if dataclasses.is_dataclass(kind):
        table = _reference(kind, tables)
        return {"oneOf": [{"type": "string"}, table]} if text_setting(kind) else table
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
    """Return the schema of a value with its limits. For a list they apply to each item, and it must not be empty."""
    if limits is None:
        return value
    if value["type"] == "array":
        return {**value, "items": {**value["items"], **limits.schema()}, "minItems": 1}
    return {**value, **limits.schema()}


def _reference(cls: Any, tables: dict[str, Any], *, needs: tuple[str, ...] = ()) -> dict[str, Any]:
    if cls.__name__ not in tables:
        tables[cls.__name__] = {}  # reserves its name, so that a recursive type ends
        tables[cls.__name__] = _table(cls, tables, needs=needs)
    return {"$ref": f"#/$defs/{cls.__name__}"}


def _described(value: dict[str, Any], sentences: str, default: Any) -> dict[str, Any]:
    described = {"description": sentences, **value} if sentences else value
    return described if default is None else {**described, "default": default}


def _attributes(section: str) -> dict[str, str]:
    """Return the descriptions in the section "Attributes" of a docstring: `name: text`, with continuation lines indented."""
    entries = re.findall(r"^ {4}(\w+): (.*(?:\n {5,}.*)*)", section, re.MULTILINE)
    return {name: " ".join(text.split()) for name, text in entries}


def _sentences(text: str, name: str) -> str:
    """Return what a docstring says about a field: the sentences, or parts between semicolons, with its name in backquotes."""
    parts = re.split(r"(?<=[.!?]) (?=[A-Z`])|(?<=;) ", text)
    return " ".join(part.rstrip(";") for part in parts if f"`{name}`" in part)


def _default(field: dataclasses.Field[Any]) -> Any:
    """Return the default of a field as in TOML; None if there is none, or if it is a table, whose fields have their own."""
    value = field.default
    if value is dataclasses.MISSING or dataclasses.is_dataclass(value):
        return None
    return list(value) if isinstance(value, tuple) else value
