"""Numbers and their nouns in messages."""

from __future__ import annotations

from edgecls.text.words import counted


def test_one_thing_is_no_plural():
    """Nothing is."""
    assert [counted(n, "frame") for n in (0, 1, 2)] == ["0 frames", "1 frame", "2 frames"]
