"""Which classes of a detector count, and what they are called."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from edgecls.errors import ConfigError

MOST_NAMED = 12
"""How many classes a message lists."""


@dataclass(frozen=True, slots=True)
class ClassMap:
    """Classes of a detector by the name that they get.

    Example:
        vehicles = edgecls.ClassMap({"vehicle": ("car", "truck", "bus"), "person": ("person",)})

    Attributes:
        names: The classes of each name. Classes that are not in it do not count.

    Raises:
        ConfigError: It is empty, or a class has two names.
    """

    names: Mapping[str, tuple[str, ...]]

    def __post_init__(self) -> None:
        """Validate the names."""
        if not self.names or not all(self.names.values()):
            raise ConfigError("expected one class or more, or one for each name")
        classes = [name for names in self.names.values() for name in names]
        _check_once(classes)
        if not all(name.strip() for name in (*self.names, *classes)):
            raise ConfigError("expected names, found an empty one")

    def __hash__(self) -> int:
        """Return the hash of the names, since a mapping has none."""
        return hash(tuple(self.names.items()))

    @classmethod
    def from_setting(cls, value: object) -> ClassMap:
        """Read a TOML value: ["car", "person"], or { vehicle = ["car", "truck"], person = "person" }."""
        if isinstance(value, list | tuple) and all(isinstance(name, str) for name in value):
            _check_once(value)
            return cls({name: (name,) for name in value})
        if isinstance(value, Mapping):
            names = {name: (given,) if isinstance(given, str) else given for name, given in value.items()}
            if all(isinstance(given, list | tuple) and all(isinstance(one, str) for one in given) for given in names.values()):
                return cls({name: tuple(given) for name, given in names.items()})
        raise ConfigError(
            'expected a list of classes such as ["car", "person"], or a table such as { vehicle = ["car", "truck"] }, '
            f"found {str(value)[:80]!r}"
        )

    @classmethod
    def setting_schema(cls) -> dict[str, Any]:
        """Return the JSON Schema of what `from_setting` reads."""
        text = {"type": "string", "minLength": 1}
        names = {"type": "array", "items": text, "minItems": 1, "uniqueItems": True}
        table = {"type": "object", "additionalProperties": {"anyOf": [text, names]}, "minProperties": 1}
        return {"description": "classes that count, or the classes of each name", "anyOf": [names, table]}

    def of(self, classes: tuple[str, ...], detector: str) -> tuple[str, ...]:
        """Return the name of each class of a detector, "" for those that do not count.

        Args:
            classes: The classes of the detector, in the order of its outputs.
            detector: Its file, for error messages.

        Raises:
            ConfigError: The detector does not have one of the classes.
        """
        known = {one: name for name, names in self.names.items() for one in names}
        for one in known:
            if one not in classes:
                near = difflib.get_close_matches(one, classes, 1)
                more = f" and {len(classes) - MOST_NAMED} more" if len(classes) > MOST_NAMED else ""
                fix = f"did you mean {near[0]!r}?" if near else f"it has {', '.join(classes[:MOST_NAMED])}{more}"
                raise ConfigError(f"{detector} has no class {one!r}; {fix}")
        return tuple(known.get(one, "") for one in classes)


def _check_once(classes: Sequence[str]) -> None:
    """Raise ConfigError if a class is named twice."""
    twice = next((name for name in classes if classes.count(name) > 1), None)
    if twice is not None:
        raise ConfigError(f"the class {twice!r} is named twice; expected each class once")
