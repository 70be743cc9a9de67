"""Read CSV tables in all usual dialects: `,`, `;` or tabs, quotes, Excel's `sep=;`, blank rows."""

from __future__ import annotations

import csv
import io
import re
from typing import TYPE_CHECKING, NamedTuple

from edgecls.errors import DataError
from edgecls.files.text_file import read_text

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

MOST_BYTES = 2 << 30
"""A manifest of ImageNet-21k takes about 1 GB."""
DELIMITERS = ";,\t"


class Row(NamedTuple):
    """A row of a table: the number of its last line in the file, and its cells by column name."""

    line: int
    cells: Mapping[str, str]

    def first(self, columns: Sequence[str]) -> str:
        """Return the first non-empty cell of these columns; "" if all are empty."""
        return next((self.cells[column] for column in columns if self.cells.get(column)), "")


class Table(NamedTuple):
    """A CSV file: its columns, in lower case with `_` for blanks and hyphens, and its rows without blank ones.

    `written` are the names of the columns as the file writes them.
    """

    path: Path
    columns: tuple[str, ...]
    rows: tuple[Row, ...]
    written: tuple[str, ...] = ()


def read_table(path: Path) -> Table:
    """Read a CSV file whose first line names the columns. Raises DataError with the number of a damaged line."""
    text = read_text(path, error=DataError, most_bytes=MOST_BYTES)
    declared = re.match(rf"sep=([{DELIMITERS}])\n", text)
    header = next((line for line in text[declared.end() if declared else 0 :].split("\n", 100) if line.strip()), "")
    delimiter = declared[1] if declared else max(DELIMITERS, key=header.count)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, skipinitialspace=True)
    columns: tuple[str, ...] = ()
    written: tuple[str, ...] = ()
    rows: list[Row] = []
    try:
        if declared:
            next(reader)
        for cells in reader:
            if not any(cell.strip() for cell in cells):
                continue
            if columns:
                rows.append(Row(reader.line_num, _cells(cells, columns, f"{path}:{reader.line_num}")))
            else:
                written = tuple(name.strip() for name in cells)
                columns = tuple(re.sub(r"[\s_-]+", "_", name.lower()) for name in written)
    except csv.Error as error:
        raise DataError(f"{path}:{reader.line_num}: not a row of a CSV table ({error}); check its quotes") from error
    return Table(path, columns, tuple(rows), written)


def _cells(cells: Sequence[str], columns: Sequence[str], where: str) -> dict[str, str]:
    if any(cell.strip() for cell in cells[len(columns) :]):
        raise DataError(
            f"{where}: expected {len(columns)} cells, found {len(cells)}; put a cell that contains a delimiter in quotes"
        )
    return {column: cell.strip() for column, cell in zip(columns, cells, strict=False)}
