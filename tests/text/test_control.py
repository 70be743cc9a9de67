"""Control characters made visible."""

from __future__ import annotations

import json

import pytest

from edgecls.text.control import in_json, in_one_line, visible
from edgecls.text.strict_json import dumps


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a\x1b[31mb", "a\\x1b[31mb"),
        ("bell\x07", "bell\\x07"),
        ("over\rwritten", "over\\x0dwritten"),
        ("\x9b2J", "\\x9b2J"),
        ("a\u202eb\u2066c\u2069", "a\\u202eb\\u2066c\\u2069"),
        ("del\x7f", "del\\x7f"),
        ("Straße 漢字\tx\n", "Straße 漢字\tx\n"),
    ],
)
def test_control_characters_become_escapes(text, shown):
    """What steers a terminal is shown as its number; letters of any script, tabs and line breaks stay."""
    assert visible(text) == shown
    assert visible(shown) == shown


def test_a_cell_of_a_table_is_one_line():
    """A line break in a label would forge a line."""
    assert in_one_line("a\nerror: b\x1b") == "a\\nerror: b\\x1b"


def test_json_keeps_the_data_without_raw_control_characters():
    """JSON escapes them by itself below 32; here it escapes the others too, and reads back the same."""
    label = "a\x1b\x7f\x9b\u202e\u2028ß"
    text = dumps({"label": label})
    assert in_json(text) == visible(text) == text
    assert json.loads(text) == {"label": label}
