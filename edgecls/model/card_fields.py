"""The fields of a card as JSON: what the card of a classifier and that of a detector have in common."""

from __future__ import annotations

import dataclasses
import unicodedata
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeAlias

from edgecls.errors import ModelError
from edgecls.text.strict_json import loads

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

Kinds: TypeAlias = "Mapping[str, tuple[str, Callable[[Any], bool]]]"
"""The expected type of each field: in words, and as a check. `input.width` is the field `width` of the table `input`."""

MOST_CHARACTERS = 8_000_000
"""The longest card, and the longest text of golden pictures. Those of a model with 1,000 labels have less than 500,000."""


def read_fields(text: str, where: str, kinds: Kinds, *, version: int, fix: str) -> dict[str, Any]:
    """Parse the JSON of a card. It may have been edited by hand, so types are checked; missing fields are not.

    Args:
        text: The JSON.
        where: The name of the file, for error messages.
        kinds: The expected types.
        version: The newest version that can be read.
        fix: What to do about a damaged card, for error messages.

    Raises:
        ModelError: The text is not a card, or its version is newer.
    """
    try:
        fields: dict[str, Any] = loads(text, most=MOST_CHARACTERS)
        found = fields["version"]
        _check_kinds(fields, kinds)
    except (ValueError, TypeError, KeyError) as error:
        raise ModelError(f"{where}: its card is damaged ({error}); {fix}") from error
    if found > version:
        raise ModelError(f"{where}: its card has version {found}, this edgecls knows {version}; update edgecls")
    return fields


@contextmanager
def building_card(where: str, fix: str) -> Iterator[None]:
    """Raise ModelError, which names the file `where`, if a card cannot be built from its fields."""
    try:
        yield
    except (TypeError, KeyError) as error:
        raise ModelError(f"{where}: its card is incomplete ({error}); {fix}") from error
    except ModelError as error:
        raise ModelError(f"{where}: {error}") from error


def known(cls: type, fields: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields that a dataclass has. Later versions may add others."""
    names = {f.name for f in dataclasses.fields(cls)}
    return {name: value for name, value in fields.items() if name in names}


def is_printable_line(text: str) -> bool:
    """Whether a text is a single line that can be shown: not empty, without control characters and half characters."""
    return bool(text.strip()) and not any(unicodedata.category(sign) in ("Cc", "Cs") for sign in text)


def _check_kinds(fields: Mapping[str, Any], kinds: Kinds) -> None:
    """Raise TypeError if a field has the wrong type."""
    inner = {
        f"{table}.{name}": value
        for table, values in fields.items()
        if isinstance(values, dict)
        for name, value in values.items()
    }
    for name, value in (*fields.items(), *inner.items()):
        if name in kinds and not kinds[name][1](value):
            raise TypeError(f"{name} must be {kinds[name][0]}, found {str(value)[:80]!r}")
