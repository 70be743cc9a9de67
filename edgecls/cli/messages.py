"""Output of the commands: data on stdout, messages on stderr, and a status line on a terminal.

Library code does not know the options of the command line. Its messages name a setting in backticks, such as `max_drop`,
`color=gray` with a value, or `augment.scale` for a field of another one. `say` prints these as options of the running command:
--max-drop, --color gray, --augment-scale; an option that is called otherwise than its setting stands in OPTION_OF.
"""

from __future__ import annotations

import contextlib
import re
import shutil
import sys
from typing import TYPE_CHECKING

from edgecls.text.control import in_one_line, visible
from edgecls.text.redaction import redact

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

ERASE_LINE = "\r\x1b[K"
SETTING = re.compile(r"`(\w+(?:\.\w+)*)(?:=([^`]*))?`")

OPTION_OF = {"input": "size", "layers.width": "width", "layers.normalize": "normalize"}

_options: dict[str, str] = {}


def use_options(options: Mapping[str, str]) -> None:
    """Set the options of the running command, by the names of its settings, such as {"max_drop": "--max-drop"}."""
    _options.clear()
    _options.update(options)


def with_options(line: str) -> str:
    """Replace the settings in backticks by options of the running command. Other names stay as they are."""

    def option(found: re.Match[str]) -> str:
        name, value = found.groups()
        name = OPTION_OF.get(name, name).replace(".", "_")
        return found.group() if name not in _options else _options[name] if value is None else f"{_options[name]} {value}"

    return SETTING.sub(option, line)


def say(line: str) -> None:
    """Print one line on stderr."""
    clear_status()
    _write(f"{visible(redact(with_options(line)))}\n")


def status(line: str) -> None:
    """Show a line that the next one replaces. Does nothing if stderr is not a terminal."""
    if is_terminal():
        width = shutil.get_terminal_size().columns - 1
        clear_status()
        _write(in_one_line(redact(with_options(line)))[:width])


def clear_status() -> None:
    """Erase the status line, so that other output can take its place."""
    if is_terminal():
        getattr(sys.stderr, "control", sys.stderr.write)(ERASE_LINE)
        sys.stderr.flush()  # before stdout, which may be the same terminal, is written


def data(text: str) -> None:
    """Print the result of a command on stdout."""
    print(visible(text), flush=True)  # noqa: T201 - the one place that prints to stdout


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return aligned columns: the first flush left, the others flush right."""
    header, rows = list(map(in_one_line, header)), [list(map(in_one_line, row)) for row in rows]
    widths = [max(len(row[i]) for row in (header, *rows)) for i in range(len(header))]
    lines = []
    for row in (header, *rows):
        cells = [cell.ljust(w) if i == 0 else cell.rjust(w) for i, (cell, w) in enumerate(zip(row, widths, strict=True))]
        lines.append("  ".join(cells).rstrip())
    return "\n".join(lines)


def is_terminal() -> bool:
    """Return whether stderr is a terminal."""
    return sys.stderr is not None and sys.stderr.isatty()


def _write(text: str) -> None:
    """Write to stderr. Failures, such as a full disk, are ignored: there is nowhere to report them."""
    if sys.stderr is not None:
        with contextlib.suppress(OSError):
            sys.stderr.write(text)
            sys.stderr.flush()
