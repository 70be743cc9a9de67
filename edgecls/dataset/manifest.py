"""Read CSV manifests: one row per picture, as in GTSRB and most data on Kaggle.

Columns are found by name, in any case. If a table has several columns of a kind, the first non-empty one counts in each row:

    file    filename, file, path, image, ...      see `FILE_COLUMNS` and `edgecls.dataset.manifest_paths`
    class   classid, class, class_id, label, ...  see `CLASS_COLUMNS`; a name, or a number
    roi     roi.x1 roi.y1 roi.x2 roi.y2, or x1 y1 x2 y2, or left top right bottom     optional
    size    width height                          the size of the picture in which the roi was measured; optional
    split   split, usage, subset, ...             train, val or test; optional; see `SPLIT_COLUMNS`

Where a picture may have several labels, the class is replaced by what `edgecls.dataset.several_labels` reads.

Without a split column, the part is taken from the name of the manifest or of its folder: Train.csv, test_labels.csv,
val/labels.csv.
"""

from __future__ import annotations

import math
import os.path
import re
from dataclasses import replace
from typing import TYPE_CHECKING

from edgecls.dataset import several_labels
from edgecls.dataset.class_names import class_name, ordered
from edgecls.dataset.items import SPLIT_NAMES, Item, Roi
from edgecls.dataset.listing import Skipped, pictures_under, some
from edgecls.dataset.manifest_paths import PictureFinder
from edgecls.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    from edgecls.dataset.csv_table import Row, Table

FILE_COLUMNS = (
    *("filename", "file", "path", "image"),
    *("file_name", "filepath", "file_path", "filepaths", "image_path", "image_name", "image_file", "image_id"),
    *("img", "img_path", "img_name"),
)
CLASS_COLUMNS = ("classid", "class_id", "class", "label", "labels", "class_name", "label_name", "category", "target")
LIST_COLUMNS = (*CLASS_COLUMNS, "tags", "classes", "categories", "attributes", "finding_labels", "ground_truth")
"""The columns that may list several labels."""
ROI_COLUMNS = (("roi.x1", "roi.y1", "roi.x2", "roi.y2"), ("x1", "y1", "x2", "y2"), ("left", "top", "right", "bottom"))
SPLIT_COLUMNS = ("split", "usage")
"""A value in these that is not in SPLIT_NAMES raises an error."""
OTHER_SPLIT_COLUMNS = ("data_set", "dataset", "set", "subset", "partition")
"""These may mean something else, so they are used only if all their values are in SPLIT_NAMES."""
WANTED = (("the picture's file", FILE_COLUMNS), ("its class", CLASS_COLUMNS))
LONGEST = 4096
"""The longest path in characters, as on Linux."""
MOST_NAMED = 12
FARTHEST_PX = 1e9
"""A larger coordinate is an error."""
UNLISTED = "pictures that are not in a manifest, left out"


def read(
    tables: Sequence[Table], root: Path, skipped: Skipped, *, roi: bool, multi_label: bool = False
) -> tuple[list[str], list[Item]]:
    """Read manifests.

    Args:
        tables: The manifests.
        root: The top folder of the data.
        skipped: Collects notes on paths that were resolved by guessing.
        roi: Whether to read the regions of interest.
        multi_label: Whether a picture may have several labels, see `several_labels`.

    Returns:
        The class names, sorted by number if all are whole numbers, else alphabetically; and the items. The labels of a table
        with a column for each keep the order of the columns.

    Raises:
        DataError: No manifest has a row, a value is missing or not valid, or a picture does not exist.
    """
    if not any(table.rows for table in tables):
        raise DataError(f"{tables[0].path}: the manifest has no rows")
    if multi_label:
        others = {column for table in tables for column in _of_no_label(table)}
        labels, marks = several_labels.read(tables, others, LIST_COLUMNS, skipped)
        items = _items(tables, root, skipped, roi=roi)
        return labels, _numbered(zip([mark for of_table in marks for mark in of_table], items, strict=True))
    classes = [_class_of(row, f"{table.path}:{row.line}") for table in tables for row in table.rows]
    names = ordered(set(classes))
    ids = {name: i for i, name in enumerate(names)}
    items = _items(tables, root, skipped, roi=roi)
    return names, [replace(item, class_id=ids[label]) for label, item in zip(classes, items, strict=True)]


def _items(tables: Sequence[Table], root: Path, skipped: Skipped, *, roi: bool) -> list[Item]:
    """Return the items of all rows, without their classes."""
    parts = _parts(tables, root)
    finder = PictureFinder(root)
    items: list[Item] = []
    for table in tables:
        columns = _split_columns(table)
        for row in table.rows:
            where = f"{table.path}:{row.line}"
            part = _split_of(row.first(columns), parts[table.path], where)
            file = finder.find(table.path, _filled(row, FILE_COLUMNS, where), part, where)
            name = file.relative_to(root).as_posix() if file.is_relative_to(root) else file.as_posix()
            items.append(Item(name, 0, "", part, file, roi=_roi(row, where) if roi else None))
    for line in finder.guessed:
        skipped.add(PictureFinder.GUESSED, line)
    return items


def _numbered(marked: Iterable[tuple[several_labels.Marks, Item]]) -> list[Item]:
    """Return items with their marks, numbered by the combinations of marks that occur."""
    marked = list(marked)
    ids = {marks: i for i, marks in enumerate(sorted({marks for marks, _ in marked}))}
    return [replace(item, class_id=ids[marks], marks=marks) for marks, item in marked]


def unlisted(items: Sequence[Item], root: Path, skipped: Skipped) -> None:
    """Add the pictures below a folder that are not in `items` to `skipped`."""
    rest = pictures_under(root, skipped, known={str(item.file) for item in items if item.file})
    if not rest:
        return
    held = {os.path.abspath(item.file) for item in items if item.file}  # noqa: PTH100 - without resolving links
    for file in rest:  # a manifest may write a path differently, such as a/../b
        if os.path.abspath(file) not in held:  # noqa: PTH100
            skipped.add(UNLISTED, file.relative_to(root).as_posix())


def lacks(table: Table, *, multi_label: bool = False) -> str:
    """Return a message that says why a table is not a manifest; "" if it is one."""
    for wanted, known in WANTED[:1] if multi_label else WANTED:
        if not set(known) & set(table.columns):
            found = some([column[:40] for column in table.columns], MOST_NAMED) or "none"
            usual = " or ".join(known[:4])
            why = f"{table.path}: expected a column with {wanted} ({usual}), found {found}; its first line names the columns"
            several = known is CLASS_COLUMNS and not several_labels.lacks(table, _of_no_label(table), LIST_COLUMNS)
            return f"{why}; to learn several labels a picture: edgecls train --multi-label" if several else why
    return several_labels.lacks(table, _of_no_label(table), LIST_COLUMNS) if multi_label and table.rows else ""


def _of_no_label(table: Table) -> set[str]:
    """Return the columns that are known to hold no label: file, part, region of interest and size."""
    rois = (column for columns in ROI_COLUMNS if set(columns) <= set(table.columns) for column in columns)
    return {*FILE_COLUMNS, *_split_columns(table), *rois, "width", "height"}


def part_of(words: str) -> str:
    """Return the part of the data that the words in a file or folder name stand for; "" if there is none, or several."""
    parts = {SPLIT_NAMES[word] for word in re.split("[^a-z]+", words.lower()) if word in SPLIT_NAMES}
    return parts.pop() if len(parts) == 1 else ""


def _parts(tables: Sequence[Table], root: Path) -> dict[Path, str]:
    """Return the part of each manifest: by its name (train.csv), by its folder (val/labels.csv), or by a word in its name.

    A word, as in GT-final_test.csv, counts only if the names of several manifests contain different ones.
    """
    by_name = {table.path: SPLIT_NAMES.get(table.path.stem.lower(), "") for table in tables}
    by_folder = {table.path: "" if table.path.parent == root else part_of(table.path.parent.name) for table in tables}
    by_word = {table.path: part_of(table.path.stem) for table in tables}
    words_differ = len(set(by_word.values())) > 1
    return {path: by_name[path] or by_folder[path] or (by_word[path] if words_differ else "") for path in by_name}


def _filled(row: Row, columns: Sequence[str], where: str) -> str:
    value = row.first(columns)
    if not value:
        raise DataError(f"{where}: no value for {' or '.join(columns[:4])}")
    if len(value) > LONGEST:
        raise DataError(f"{where}: {value[:40]!a}... has {len(value)} characters, expected at most {LONGEST}")
    return value


def _class_of(row: Row, where: str) -> str:
    value = _filled(row, CLASS_COLUMNS, where)
    if value.lower() == "nan":
        raise DataError(
            f"{where}: the class is {value!r}, which most programs write for a missing value; name the class, or remove the row"
        )
    return class_name(value, where)


def _split_columns(table: Table) -> tuple[str, ...]:
    """Return the columns with the part of a row."""
    others = (column for column in OTHER_SPLIT_COLUMNS if column in table.columns)
    known = (column for column in others if all(row.cells.get(column, "").lower() in SPLIT_NAMES for row in table.rows))
    return (*SPLIT_COLUMNS, *known)


def _split_of(word: str, part: str, where: str) -> str:
    """Return the part that a word stands for; `part` if the word is empty."""
    if word and word.lower() not in SPLIT_NAMES:
        raise DataError(f"{where}: split {word[:40].lower()!r} is not known; expected {', '.join(SPLIT_NAMES)}")
    return SPLIT_NAMES.get(word.lower(), part)


def _roi(row: Row, where: str) -> Roi:
    columns = next((c for c in ROI_COLUMNS if all(name in row.cells for name in c)), None)
    if columns is None:
        raise DataError(
            f"{where.rpartition(', line')[0]}: `roi` expects columns {' or '.join(' '.join(c) for c in ROI_COLUMNS)}, found "
            f"{some([column[:40] for column in row.cells], MOST_NAMED)}"
        )
    left, top, right, bottom = (_pixels(row.cells, name, where) for name in columns)
    width, height = (
        _pixels(row.cells, name, where, least=1.0) if row.cells.get(name) else None for name in ("width", "height")
    )
    return Roi(left, top, right, bottom, width, height)


def _pixels(cells: Mapping[str, str], name: str, where: str, *, least: float = -FARTHEST_PX) -> float:
    try:
        value = float(cells[name])
    except ValueError:
        value = math.nan
    if not least <= value <= FARTHEST_PX:
        raise DataError(f"{where}: the region of interest is not made of numbers ({name} is {cells[name][:40]!r})")
    return value
