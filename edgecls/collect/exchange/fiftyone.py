"""FiftyOneImageClassificationDataset: pictures in data/, and labels.json with the classes and the class of each picture.

{"classes": ["closed", "open"], "labels": {"000001-gate": 1, "000002-gate": {"label": 0, "attributes": {...}}, ...}}

Pictures with a margin around what a model sees have that as the attribute `seen_box`.
"""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING, Any

from edgecls.collect.exchange.plain import file_name
from edgecls.errors import DataError
from edgecls.files import read_small, whole_file
from edgecls.text import strict_json

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from edgecls.store import Entry

LABELS, FOLDER = "labels.json", "data"
BOX = "seen_box"
LARGEST_BYTES = 500_000_000


def write(entries: Sequence[Entry], out: Path) -> None:
    """Copy labelled pictures to OUT/data/, and write OUT/labels.json. Raises OSError."""
    (out / FOLDER).mkdir(parents=True, exist_ok=True)
    classes = sorted({entry.label for entry in entries})
    labels: dict[str, Any] = {}
    for entry in entries:
        file = out / FOLDER / file_name(entry)
        shutil.copyfile(entry.path, file)
        label: Any = classes.index(entry.label)
        labels[file.stem] = label if entry.origin.box is None else {"label": label, "attributes": {BOX: entry.origin.box}}
    with whole_file(out / LABELS) as beside:
        beside.write_text(strict_json.dumps({"classes": classes, "labels": labels}), encoding="utf-8")


def read(root: Path) -> Iterator[tuple[Path, str, Any]]:
    """Yield each picture, its label ("" for one without), and the box that it has as an attribute or None. Raises DataError."""
    path = root / LABELS
    try:
        found = strict_json.loads(read_small(path, LARGEST_BYTES).decode("utf-8-sig"))
    except (OSError, ValueError) as error:
        raise DataError(f"{path}: expected the labels of FiftyOne as JSON ({error})") from error
    if not isinstance(found, dict) or not isinstance(found.get("labels"), dict):
        raise DataError(f'{path}: expected {{"classes": [...], "labels": {{...}}}} of FiftyOne')
    classes = found.get("classes")
    files = {file.stem: file for file in sorted((root / FOLDER).glob("*"))}
    for stem, value in found["labels"].items():
        if stem not in files:
            raise DataError(f"{path}: has a label for {stem!r}, but {root / FOLDER} has no picture of this name")
        yield files[stem], _label(value, classes, f"{path}: {stem!r}"), _box(value)


def _box(value: Any) -> Any:
    attributes = value.get("attributes") if isinstance(value, dict) else None
    return attributes.get(BOX) if isinstance(attributes, dict) else None


def _label(value: Any, classes: Any, where: str) -> str:
    """Return a label: an index into the classes, a name, or a table with either."""
    if isinstance(value, dict):
        value = value.get("label")
    if isinstance(value, str):
        return value
    if value is None:
        return ""
    if isinstance(value, int) and isinstance(classes, list) and 0 <= value < len(classes):
        return str(classes[value])
    raise DataError(f"{where}: expected one label, found {str(value)[:60]!r}; several labels of a picture cannot be read")
