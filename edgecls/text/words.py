"""Singular and plural in messages."""

from __future__ import annotations


def counted(number: int, noun: str) -> str:
    """Return the number with its noun: `1 frame`, `2 frames`."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
