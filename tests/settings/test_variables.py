"""Environment variables in addresses."""

from __future__ import annotations

from urllib.parse import unquote, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgecls.settings.variables import fill

PASSWORDS = ["plain", "pa#zz/w?rd", "a@b:c", "50% off", "100%", "a b", "ü漢", "p%z", "[x]", "a\\b"]


@pytest.mark.parametrize(
    "address", ["rtsp://adm:{}@h:554/1", "gate=rtsp://adm:{}@h/1", "mqtt://me%40home:{}@h/p", "http://a:{}@h/?x=1"]
)
@pytest.mark.parametrize("password", PASSWORDS)
def test_a_password_may_hold_anything(address, password):
    """The resulting address has the same password and host."""
    parts = urlsplit(fill(address.format("${PW}"), {"PW": password}).removeprefix("gate="))
    assert unquote(parts.password) == password
    assert parts.hostname == "h"


@given(st.text(st.characters(exclude_categories=["Cs"]), min_size=1))
def test_any_password_is_kept_unless_it_is_encoded(password):
    """A value that is already percent-encoded is left unchanged, so that files with such values still work."""
    filled = fill("webhook:https://adm:${PW}@h/x", {"PW": password}).removeprefix("webhook:")
    assert filled == f"https://adm:{password}@h/x" or unquote(urlsplit(filled).password) == password


@pytest.mark.parametrize(
    ("text", "value", "filled"),
    [
        ("rtsp://adm:${V}@h/1", "pa%23zz%2Fw", "rtsp://adm:pa%23zz%2Fw@h/1"),
        ("rtsp://${V}@h/1", "adm:p/w:x", "rtsp://adm:p%2Fw%3Ax@h/1"),
        ("${V}", "rtsp://adm:p@h/a?b#c", "rtsp://adm:p@h/a?b#c"),
        ("rtsp://${V}/1", "10.0.0.7:554", "rtsp://10.0.0.7:554/1"),
        ("rtsp://h/${V}", "live/1?x=y", "rtsp://h/live/1?x=y"),
        ("webhook:https://h/x?t=${V}", "a&b#c/+=", "webhook:https://h/x?t=a%26b%23c/+="),
        ("webhook:https://h/x#secret=${V}", "whsec_a+b/c=", "webhook:https://h/x#secret=whsec_a+b/c="),
        ("plain ${V}", "a b#c", "plain a b#c"),
    ],
)
def test_a_variable_is_encoded_where_it_must_be(text, value, filled):
    """In the user information everything, in a parameter only characters that would end it, elsewhere nothing."""
    assert fill(text, {"V": value}) == filled
