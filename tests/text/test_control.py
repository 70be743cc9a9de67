"""Escaping of control characters."""

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
    """Characters that control a terminal become escapes; letters of any script, tabs and line breaks are kept."""
    assert visible(text) == shown
    assert visible(shown) == shown


def test_a_cell_of_a_table_is_one_line():
    """A line break in a label could forge a line of output."""
    assert in_one_line("a\nerror: b\x1b") == "a\\nerror: b\\x1b"


def test_json_keeps_the_data_without_raw_control_characters():
    """Python's JSON escapes those below 32; ours escapes the others too, and they are read back unchanged."""
    label = "a\x1b\x7f\x9b\u202e\u2028ß"
    text = dumps({"label": label})
    assert in_json(text) == visible(text) == text
    assert json.loads(text) == {"label": label}
