"""Expand ${NAME} in strings of cameras.toml to environment variables, encoded so that addresses stay valid."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from urllib.parse import quote, unquote

if TYPE_CHECKING:
    from collections.abc import Mapping

_VARIABLE = re.compile(r"\$\{(\w*)\}")
_USER = re.compile(r"^(?:[A-Za-z0-9_-]+[:=])?[A-Za-z][A-Za-z0-9+.-]*://(?P<user>[^/?#]*)@")
_BEGIN_OF_PARAMETERS = re.compile("[?#]")
_PARAMETER = "!$'()*+,;=:@/?-._~"
"""Characters that a parameter of an address may contain unencoded (RFC 3986), except for &, which separates parameters."""
_ESCAPED = re.compile(r"(?:[A-Za-z0-9._~!$'()*+,;=-]|%[0-9A-Fa-f]{2})*")


def names_in(text: str) -> list[str]:
    """Return the names of the variables in a text."""
    return _VARIABLE.findall(text)


def fill(text: str, variables: Mapping[str, str]) -> str:
    """Replace the variables in a text by their values.

    In an address, a variable between :// and the @ is percent-encoded, so a password may contain # ? / @ % : and spaces. In a
    parameter after ? or #, only the characters are encoded that must be. A variable that is the whole user information contains
    USER:PASSWORD. A value that is already percent-encoded is left unchanged: it has only characters that an address may have,
    and two hexadecimal digits after each %. Elsewhere, values are inserted unchanged, such as one that is the whole address.
    """
    user, parameters = _USER.match(text), _BEGIN_OF_PARAMETERS.search(text)
    user_span = user.span("user") if user else (0, 0)
    parameters_at = parameters.start() if parameters and "://" in text[: parameters.start()] else len(text)

    def value(found: re.Match[str]) -> str:
        plain = variables[found[1]]
        if user_span[0] <= found.start() < user_span[1]:
            if found.span() == user_span and ":" in plain:
                name, _, password = plain.partition(":")
                return f"{_encoded(name)}:{_encoded(password)}"
            return _encoded(plain)
        if found.start() >= parameters_at:
            return plain if _is_escaped(plain) else quote(plain, safe=_PARAMETER, errors="surrogateescape")
        return plain

    return _VARIABLE.sub(value, text)


def unfilled(text: str, variables: Mapping[str, str]) -> str:
    """Replace the values of variables in a text, which may be secrets, by ${NAME}: whole words, as they are or as in a repr."""
    for name, value in sorted(variables.items(), key=lambda item: -len(item[1])):
        for form in {value, repr(value)[1:-1]} - {""}:
            text = re.sub(rf"(?<!\w){re.escape(form)}(?!\w)", lambda _, name=name: f"${{{name}}}", text)  # type: ignore[misc]
    return text


def _encoded(plain: str) -> str:
    return plain if _is_escaped(plain) else quote(plain, safe="!$'()*+,;=", errors="surrogateescape")


def _is_escaped(plain: str) -> bool:
    return bool(_ESCAPED.fullmatch(plain)) and ("%" not in plain or unquote(plain) != plain)
