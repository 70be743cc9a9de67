"""What a command says to the person: on stderr, one line each, with a status line under them on a terminal."""

from __future__ import annotations

import shutil
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

ERASE_LINE = "\r\x1b[K"


def say(line: str) -> None:
    """Print one line on stderr."""
    print(f"{ERASE_LINE if is_terminal() else ''}{line}", file=sys.stderr, flush=True)  # noqa: T201 - this is the place that prints


def status(line: str) -> None:
    """Show a line that the next one replaces; nothing where stderr is no terminal."""
    if is_terminal():
        width = shutil.get_terminal_size().columns - 1
        print(f"{ERASE_LINE}{line[:width]}", end="", file=sys.stderr, flush=True)  # noqa: T201 - this is the place that prints


def clear_status() -> None:
    """Take the status line away, so that something else can be written where it stands."""
    if is_terminal():
        print(ERASE_LINE, end="", file=sys.stderr, flush=True)  # noqa: T201 - this is the place that prints


def data(text: str) -> None:
    """Print what a command gives on stdout."""
    print(text, flush=True)  # noqa: T201 - this is the place that prints


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Columns in line: the first to the left, the others to the right."""
    widths = [max(len(row[i]) for row in (header, *rows)) for i in range(len(header))]
    lines = []
    for row in (header, *rows):
        cells = [cell.ljust(w) if i == 0 else cell.rjust(w) for i, (cell, w) in enumerate(zip(row, widths, strict=True))]
        lines.append("  ".join(cells).rstrip())
    return "\n".join(lines)


def is_terminal() -> bool:
    """Whether stderr is shown to a person."""
    return sys.stderr.isatty()
