"""CSV cells that are safe to open in a spreadsheet.

A spreadsheet treats a cell that begins with = + - or @ as a formula, so a label or a file name could run a program on the
computer of whoever opens the file. Such cells get a leading apostrophe, which makes them text. Signed numbers stay numbers.

    import csv
    from edgecls import read_cell
    rows = [[read_cell(cell) for cell in row] for row in csv.reader(open("events.csv", newline="", encoding="utf-8"))]
"""

from __future__ import annotations

import csv
import io
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")
_FORMULA = re.compile(r"'*[\s]*[=+\-@\t\r\n\uff1d\uff0b\uff0d\uff20]")
"""Also matches after spaces, which some programs drop; full-width characters; and after apostrophes, so that `read_cell` can
restore the text.
"""


def safe_cell(value: object) -> str:
    """Return `value` as the text of a cell, with a leading apostrophe if a spreadsheet would treat it as a formula."""
    text = "" if value is None else str(value)
    return f"'{text}" if _FORMULA.match(text) and not _NUMBER.fullmatch(text) else text


def read_cell(cell: str) -> str:
    """Return the text that `safe_cell` was given.

    read_cell("'=1+2")    # '=1+2'
    """
    return cell[1:] if cell.startswith("'") and _FORMULA.match(cell) else cell


def csv_line(row: Iterable[object]) -> bytes:
    r"""Return a row as one line of CSV in UTF-8, with cells that no spreadsheet treats as formulas.

    Args:
        row: The values of the cells. None becomes an empty cell. Characters that UTF-8 cannot encode become backslash escapes.

    Returns:
        The line with its line feed: `csv_line(["bus", 2, "=1+2"])` is `b"bus,2,'=1+2\n"`.
    """
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerow([safe_cell(cell) for cell in row])
    return text.getvalue().encode("utf-8", "backslashreplace")
