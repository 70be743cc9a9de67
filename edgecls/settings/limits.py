"""Limits of a setting, declared on its field. The dataclass validates them, and the JSON Schema contains them.

    @dataclass(frozen=True, slots=True)
    class Cut:
        pre_s: float = limited(5.0, at_least=0, unit="seconds")

        def __post_init__(self) -> None:
            check_limits(self)

Conditions on several fields are checked in `__post_init__` after that.
"""

from __future__ import annotations

import dataclasses
from functools import cache
from math import inf, isfinite
from typing import Any, Literal, TypeVar, get_args, get_origin

from edgecls.settings.build import check
from edgecls.settings.fields import alternatives, fields_of

T = TypeVar("T")

_KEY = "limits"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """The limits of a number, or of each number in a list, which must not be empty. None means no limit.

    `expected` describes them in words. `choices` are for lists of names.
    """

    expected: str
    at_least: float | None = None
    above: float | None = None
    at_most: float | None = None
    below: float | None = None
    choices: tuple[str, ...] = ()

    def hold(self, value: Any) -> bool:
        """Whether a value is within the limits. NaN never is."""
        if isinstance(value, tuple | list):
            return bool(value) and all(map(self.hold, value))
        if self.choices:
            return value in self.choices
        return isinstance(value, int | float) and all(
            (
                value == value,  # not NaN
                self.at_least is None or value >= self.at_least,
                self.above is None or value > self.above,
                self.at_most is None or value <= self.at_most,
                self.below is None or value < self.below,
            )
        )

    def schema(self) -> dict[str, Any]:
        """Return the limits as keywords of JSON Schema."""
        if self.choices:
            return {"enum": list(self.choices)}
        keywords = {
            "minimum": self.at_least,
            "exclusiveMinimum": self.above,
            "maximum": self.at_most,
            "exclusiveMaximum": self.below,
        }
        return {keyword: limit for keyword, limit in keywords.items() if limit is not None and isfinite(limit)}


def limited(
    default: T,
    *,
    at_least: float | None = None,
    above: float | None = None,
    at_most: float | None = None,
    below: float | None = inf,
    unit: str = "",
    expected: str = "",
) -> T:
    """Declare a dataclass field that holds a number with limits, or a list of such numbers, which must not be empty.

    Args:
        default: The default. If it is None, None is allowed too.
        at_least: The lowest value.
        above: What the value must exceed.
        at_most: The highest value.
        below: What the value must stay below; None also allows infinity.
        unit: The unit of the number, for the message.
        expected: The words for an error message; the default is derived from the limits.
    """
    words = expected or " ".join(filter(None, (_words(at_least, above, at_most, below), unit)))
    limits = Limits(expected=words, at_least=at_least, above=above, at_most=at_most, below=below)
    return dataclasses.field(default=default, metadata={_KEY: limits})


def some_of(default: tuple[T, ...], choices: tuple[str, ...]) -> tuple[T, ...]:
    """Declare a dataclass field that holds one or more of `choices`."""
    limits = Limits(expected=f"some of {', '.join(choices)}", choices=choices)
    return dataclasses.field(default=default, metadata={_KEY: limits})


def limits_of(field: dataclasses.Field[Any]) -> Limits | None:
    """Return the limits that a field was declared with."""
    return field.metadata.get(_KEY)


def check_limits(settings: Any, *, prefix: str = "") -> None:
    """Raise ConfigError unless each field is within its limits or, if its type is a Literal, one of its choices.

    `prefix` precedes the name of the field in the message.
    """
    cls: Any = type(settings)
    choices = _choices(cls)
    for field in dataclasses.fields(settings):
        value, limits = getattr(settings, field.name), limits_of(field)
        if limits is not None:
            good = limits.hold(value) or (value is None and field.default is None)
            check(prefix + field.name, value, good, limits.expected)
        elif field.name in choices:
            known = choices[field.name]
            check(prefix + field.name, value, value in known, f"one of {', '.join(filter(None, known))}")


@cache
def _choices(cls: Any) -> dict[str, tuple[Any, ...]]:
    """Return the choices of each field whose type is a Literal."""
    kinds = {name: alternatives(hint)[0] for name, hint in fields_of(cls).items()}
    return {name: get_args(kind) for name, kind in kinds.items() if get_origin(kind) is Literal}


def _words(at_least: float | None, above: float | None, at_most: float | None, below: float | None) -> str:
    low = f"{above:g}" if at_least is None else f"{at_least:g}"
    if at_most is not None:
        return f"above {low}, up to {at_most:g}" if at_least is None else f"from {low} to {at_most:g}"
    if below is not None and isfinite(below):
        return f"between {low} and {below:g}" if at_least is None else f"from {low} to below {below:g}"
    return f"above {low}" if at_least is None else f"{low} or more"
