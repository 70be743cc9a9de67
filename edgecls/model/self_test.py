"""The result of a self-test: whether a model answers here as it did where its file was made."""

from __future__ import annotations

from typing import NamedTuple


class SelfTest(NamedTuple):
    """One self-test of a loaded model with the golden pictures of its file.

    Attributes:
        passed: Whether the answers are the same, but for rounding.
        pictures: How many golden pictures it was asked about.
        found: What was found, in words, with its limit.
        at_s: When it was, in seconds since 1970.
        ms: How long it took, in milliseconds.
    """

    passed: bool
    pictures: int
    found: str
    at_s: float
    ms: float
