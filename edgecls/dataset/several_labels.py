"""Read the labels of tables in which a picture may have several: a column for each label, or one column that lists them.

    file,car,person          file,labels
    a.jpg,1,0                a.jpg,car
    b.jpg,1,1                b.jpg,car|person
    c.jpg,0,                 c.jpg,

In a column for a label, 1 means that the picture shows it and 0 that it does not. An empty cell is unknown: it does not count,
neither in training nor in a measurement. A column that lists labels separates them by `|`, `;` or `,`; what it does not name is
not there.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from edgecls.dataset.class_names import class_name, ordered
from edgecls.dataset.listing import some
from edgecls.errors import DataError
from edgecls.prediction import NONE

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from edgecls.dataset.csv_table import Table
    from edgecls.dataset.listing import Skipped

Marks = tuple[int, ...]
"""One for each label: SHOWN, NOT_SHOWN or UNKNOWN."""
SHOWN, NOT_SHOWN, UNKNOWN = 1, 0, -1
CELLS = {
    **dict.fromkeys(("1", "1.0", "true", "yes"), SHOWN),
    **dict.fromkeys(("0", "0.0", "false", "no"), NOT_SHOWN),
    **dict.fromkeys(("", "nan", "?"), UNKNOWN),
}
"""The cells of a column for a label, in lower case."""
AMBIGUOUS = ("-1", "-1.0")
SEPARATORS = "|;,"
MOST_NAMED = 5
IGNORED = "columns that are not labels, ignored"


def read(
    tables: Sequence[Table], others: Collection[str], lists: Sequence[str], skipped: Skipped
) -> tuple[list[str], list[list[Marks]]]:
    """Read the labels of the pictures in some tables.

    Args:
        tables: The tables.
        others: The columns that hold something else, such as the file.
        lists: The columns that may list labels.
        skipped: Collects the columns that are ignored.

    Returns:
        The names of the labels, and the marks of each row of each table.

    Raises:
        DataError: There are no labels, a cell is not valid, or the tables have different labels.
    """
    listed = _listing_column(tables, lists)
    if listed:
        return _from_lists(tables, listed)
    columns = [_label_columns(table, {*others, *lists}, skipped) for table in tables]
    for table, found in zip(tables, columns, strict=True):
        if set(found) != set(columns[0]):
            odd = sorted(set(found) ^ set(columns[0]))[0]
            raise DataError(
                f"{table.path}: its columns of labels differ from those of {tables[0].path}, as {odd!r} is only in one"
            )
    names = [_name(tables[0], column) for column in columns[0]]
    return names, [_from_columns(table, columns[0]) for table in tables]


def lacks(table: Table, others: Collection[str], lists: Sequence[str]) -> str:
    """Return a message that says why a table has no labels to read; "" if it has some."""
    if _listing_column([table], lists) or any(
        _is_label_column(table, column) for column in _candidates(table, {*others, *lists})
    ):
        return ""
    single = next((column for column in lists if column in table.columns), "")
    if single:
        return (
            f"{table.path}: for several labels a picture, expected a column of 0 and 1 for each label, or labels as "
            f"in car|person; found the column {single!r} with one label for each picture"
        )
    found = some([column[:40] for column in table.columns], MOST_NAMED)
    return (
        f"{table.path}: for several labels a picture, expected a column of 0 and 1 for each label, or a column of labels as in "
        f"car|person, found {found}"
    )


def _listing_column(tables: Sequence[Table], lists: Sequence[str]) -> str:
    """Return the column that lists labels: the first of `lists` in which a cell has several; "" if there is none."""
    for column in lists:
        cells = [row.cells.get(column, "") for table in tables if column in table.columns for row in table.rows]
        if any(separator in cell for cell in cells for separator in SEPARATORS):
            return column
    return ""


def _from_lists(tables: Sequence[Table], column: str) -> tuple[list[str], list[list[Marks]]]:
    for table in tables:
        if column not in table.columns:
            raise DataError(f"{table.path}: expected the column {column!r}, as in the other tables, with a list of labels")
    cells = [(row.cells.get(column, ""), f"{table.path}:{row.line}") for table in tables for row in table.rows]
    separator = next(s for s in SEPARATORS if any(s in cell for cell, _ in cells))
    lists = [
        [class_name(part.strip(), where) for part in cell.split(separator) if part.strip()] if cell.lower() != "nan" else []
        for cell, where in cells
    ]
    names = ordered({name for found in lists for name in found})
    _check_names(names, str(tables[0].path))
    marks = iter([tuple(int(name in found) for name in names) for found in map(set, lists)])
    return names, [[next(marks) for _ in table.rows] for table in tables]


def _label_columns(table: Table, others: Collection[str], skipped: Skipped) -> list[str]:
    """Return the columns of labels, in their order."""
    candidates = _candidates(table, others)
    found = [column for column in candidates if _is_label_column(table, column)]
    twice = [column for column, count in Counter(table.columns).items() if count > 1 and column in found]
    if twice:
        raise DataError(
            f"{table.path}: several columns are called {twice[0]!r}, apart from case and blanks; give each its own name"
        )
    for column in candidates:
        if column not in found:
            skipped.add(IGNORED, column[:40])
    _check_names([_name(table, column) for column in found], str(table.path))
    return found


def _candidates(table: Table, others: Collection[str]) -> list[str]:
    return [column for column in dict.fromkeys(table.columns) if column and column not in others]


def _is_label_column(table: Table, column: str) -> bool:
    """Whether at least half of the cells that are not empty are 0 or 1: a few wrong cells are an error, not another column."""
    cells = [cell for row in table.rows if (cell := row.cells.get(column, "").lower())]
    return bool(cells) and 2 * sum(cell in CELLS or cell in AMBIGUOUS for cell in cells) >= len(cells)


def _from_columns(table: Table, columns: Sequence[str]) -> list[Marks]:
    return [tuple(_mark(row.cells.get(c, ""), c, f"{table.path}:{row.line}") for c in columns) for row in table.rows]


def _mark(cell: str, column: str, where: str) -> int:
    mark = CELLS.get(cell.lower())
    if mark is None:
        why = "; some tables mean no by it, others unknown" if cell in AMBIGUOUS else ""
        raise DataError(
            f"{where}: label {column!r} is {cell[:40]!r}, expected 1 (shown), 0 (not shown) or nothing (unknown){why}"
        )
    return mark


def _name(table: Table, column: str) -> str:
    """Return the name of a column as it is written in the table."""
    return class_name(table.written[table.columns.index(column)], f"{table.path}, first line")


def _check_names(names: Sequence[str], where: str) -> None:
    if len(names) < 2:
        raise DataError(
            f"{where}: expected at least 2 labels, found {len(names)} ({', '.join(names)}); for a single one use two class "
            "folders, of pictures with and without it"
        )
    if NONE in names:
        raise DataError(f"{where}: a label cannot be called {NONE!r}, as pictures without a label are; rename it")
