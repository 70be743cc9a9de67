"""Words of JSON Schema with which the API is described."""

from __future__ import annotations

from typing import Any

TEXT = {"type": "string"}
NUMBER = {"type": "number"}
COUNT = {"type": "integer", "minimum": 0}
MAYBE_NUMBER = {"type": ["number", "null"]}
TEXTS = {"type": "array", "items": TEXT}
FLAG = {"type": "boolean"}


def record(required: dict[str, Any], /, **optional: Any) -> dict[str, Any]:
    """Return the schema of an object with these properties."""
    return {"type": "object", "required": list(required), "properties": {**required, **optional}}


def of(name: str) -> dict[str, str]:
    """Return a reference to a schema of the description."""
    return {"$ref": f"#/components/schemas/{name}"}


def list_of(schema: dict[str, Any]) -> dict[str, Any]:
    """Return the schema of a list."""
    return {"type": "array", "items": schema}


def maybe(schema: dict[str, Any]) -> dict[str, Any]:
    """Return the schema of a value that may be null."""
    return {"anyOf": [schema, {"type": "null"}]}


def parameter(name: str, schema: dict[str, Any], description: str) -> dict[str, Any]:
    """Return a parameter of a query."""
    return {"name": name, "in": "query", "schema": schema, "description": description}
