"""CSV manifests: one row per picture, as GTSRB and most others write them.

The delimiter is found among `;`, `,` and tab. Columns are found by name, whatever their case:

    file    filename, file, path, image           relative to the folder of the manifest
    class   classid, class, class_id, label       a name, or a number
    roi     roi.x1 roi.y1 roi.x2 roi.y2, or x1 y1 x2 y2, or left top right bottom     optional
    size    width height                          of the picture that the roi was measured in; optional
    split   split, usage                          train, val or test; optional
"""

from __future__ import annotations

import csv
from typing import TYPE_CHECKING

from edgecls.dataset.items import SPLIT_NAMES, Item, Roi
from edgecls.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

FILE_COLUMNS = ("filename", "file", "path", "image")
CLASS_COLUMNS = ("classid", "class_id", "class", "label")
ROI_COLUMNS = (("roi.x1", "roi.y1", "roi.x2", "roi.y2"), ("x1", "y1", "x2", "y2"), ("left", "top", "right", "bottom"))
SPLIT_COLUMNS = ("split", "usage")


def find(folder: Path) -> list[Path]:
    """The manifests of a folder: its own CSV files, else those of its subfolders (GTSRB has one per class)."""
    return sorted(folder.glob("*.csv")) or sorted(folder.glob("*/*.csv"))


def read(manifests: Sequence[Path], root: Path, *, roi: bool) -> tuple[list[str], list[Item]]:
    """Read rows into class names and items; `roi` keeps the regions of interest.

    Class names that are all whole numbers sort as numbers, others by the alphabet. Raises DataError for a manifest
    without the needed columns, an incomplete row, or a named picture that does not exist.
    """
    rows = [(path, line, row) for path in manifests for line, row in _rows(path)]
    if not rows:
        raise DataError(f"{manifests[0]}: the manifest has no row")
    classes = {_pick(row, CLASS_COLUMNS, path, line) for path, line, row in rows}
    names = sorted(classes, key=int) if all(c.isdecimal() for c in classes) else sorted(classes)
    ids = {name: i for i, name in enumerate(names)}
    return names, [_item(path, line, row, root, ids, roi) for path, line, row in rows]


def _rows(path: Path) -> list[tuple[int, dict[str, str]]]:
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{path}: cannot be read as text ({error})") from error
    lines = text.splitlines()
    header = lines[0] if lines else ""
    reader = csv.DictReader(lines, delimiter=max(";,\t", key=header.count))
    columns = [name.strip().lower() for name in reader.fieldnames or ()]
    for wanted, known in (("the picture's file", FILE_COLUMNS), ("its class", CLASS_COLUMNS)):
        if not set(known) & set(columns):
            raise DataError(
                f"{path}: expected a column with {wanted} ({' or '.join(known)}), found {', '.join(columns) or 'none'}"
            )
    return [
        (number, {k.strip().lower(): (v or "").strip() for k, v in row.items() if isinstance(k, str)})
        for number, row in enumerate(reader, start=2)
    ]


def _pick(row: Mapping[str, str], columns: Sequence[str], path: Path, line: int) -> str:
    value = next((row[c] for c in columns if row.get(c)), "")
    if not value:
        raise DataError(f"{path}, line {line}: no value for {' or '.join(columns)}")
    return value


def _item(path: Path, line: int, row: Mapping[str, str], root: Path, ids: Mapping[str, int], roi: bool) -> Item:
    file = path.parent / _pick(row, FILE_COLUMNS, path, line)
    if not file.is_file():
        raise DataError(f"{path}, line {line}: the picture {file} does not exist")
    split = next((row[c].lower() for c in SPLIT_COLUMNS if row.get(c)), "")
    if split and split not in SPLIT_NAMES:
        raise DataError(f"{path}, line {line}: split {split!r} is not known; expected {', '.join(SPLIT_NAMES)}")
    name = file.relative_to(root).as_posix() if file.is_relative_to(root) else file.as_posix()
    class_id = ids[_pick(row, CLASS_COLUMNS, path, line)]
    return Item(name, class_id, "", SPLIT_NAMES.get(split, ""), file, roi=_roi(path, line, row) if roi else None)


def _roi(path: Path, line: int, row: Mapping[str, str]) -> Roi:
    columns = next((c for c in ROI_COLUMNS if all(name in row for name in c)), None)
    if columns is None:
        raise DataError(
            f"{path}: --roi expects columns {' or '.join(' '.join(c) for c in ROI_COLUMNS)}, found {', '.join(row)}"
        )
    try:
        left, top, right, bottom = (float(row[name]) for name in columns)
        width, height = (float(row[name]) if row.get(name) else None for name in ("width", "height"))
    except ValueError as error:
        raise DataError(f"{path}, line {line}: the region of interest is not made of numbers ({error})") from error
    return Roi(left, top, right, bottom, width, height)
