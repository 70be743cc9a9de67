"""The formats in which labelled pictures come into a store and go out of it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from edgecls import image
from edgecls.collect.exchange import fiftyone, label_studio
from edgecls.collect.exchange.plain import has_boxes, write_folders, write_table
from edgecls.dataset.scan import scan
from edgecls.errors import ConfigError, DataError, SinkError
from edgecls.log import log_progress
from edgecls.store import Origin
from edgecls.text.words import counted

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from edgecls.dataset import Item
    from edgecls.log import Say
    from edgecls.store import Entry, Store

IMPORTED = Origin(reason="imported")


@dataclass(frozen=True, slots=True)
class Format:
    """A format to export to: how it is written, and whether it takes pictures without a label."""

    write: Callable[[Sequence[Entry], Path], None]
    takes_unlabelled: bool


FORMATS = {
    "folders": Format(write_folders, takes_unlabelled=False),
    "csv": Format(write_table, takes_unlabelled=False),
    "label-studio": Format(label_studio.write, takes_unlabelled=True),
    "fiftyone": Format(fiftyone.write, takes_unlabelled=False),
}


class Imported(NamedTuple):
    """What an import did: pictures that were added, pictures of the store that got a label, lines about what was left out."""

    added: int
    labelled: int
    left_out: tuple[str, ...]


class _Picture(NamedTuple):
    """A picture to import: how it is added, which returns its number; its label; and its number if it may be in the store."""

    add: Callable[[Store], int]
    label: str
    author: str = ""
    number: int | None = None


def export_pictures(store: Store, out: str | Path, kind: str = "folders", *, say: Say = log_progress) -> int:
    """Write the pictures of a store to a new folder, in the format of another tool.

    Args:
        store: The store, which stays as it is.
        out: The folder. It must not exist, or be empty.
        kind: "folders" (class folders), "csv", "label-studio" or "fiftyone". All but "label-studio" take only labelled ones.
            All but "folders" say what a model sees of a picture that has a margin around it.
        say: Called with a line about pictures that are left out.

    Returns:
        The number of pictures. Unusable ones, and those whose file was deleted, are left out.

    Raises:
        ConfigError: The format is unknown.
        SinkError: The folder is not empty, or cannot be written.

    Example:
        with edgecls.Store("gate-pictures") as store:
            edgecls.export_pictures(store, "for-label-studio", "label-studio")
    """
    if kind not in FORMATS:
        raise ConfigError(f"format {kind!r} is not known; expected one of {', '.join(FORMATS)}")
    out, form = Path(out), FORMATS[kind]
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise SinkError(f"{out}: expected a new or empty folder to export to; name another one")
    usable = [entry for entry in store.entries() if not entry.is_unusable]
    wanted = [entry for entry in usable if entry.label or form.takes_unlabelled]
    entries = [entry for entry in wanted if entry.path.is_file()]
    for count, which in ((len(usable) - len(wanted), "without a label"), (len(wanted) - len(entries), "deleted by hand")):
        if count:
            say(f"left out: {counted(count, 'picture')} {which}")
    try:
        out.mkdir(parents=True, exist_ok=True)
        form.write(entries, out)
    except OSError as error:
        if isinstance(error, SinkError):
            raise
        raise SinkError(f"{out}: cannot be written ({error.strerror or error})") from error
    return len(entries)


def import_pictures(store: Store, data: str | Path, *, author: str = "") -> Imported:
    """Add labelled pictures to a store: class folders, a CSV manifest, tasks of Label Studio (.json), or a folder of FiftyOne.

    Pictures that were exported from this store with `export_pictures` as tasks of Label Studio are not added again: they get
    their labels.

    Args:
        store: The store.
        data: The pictures.
        author: Who gave the labels, where the data does not say.

    Returns:
        What was done. A picture that cannot be read is left out and named.

    Raises:
        DataError: The data cannot be read, or the store cannot be written.
    """
    data = Path(data)
    known = {entry.id: entry.label for entry in store.entries()}
    strokes: dict[tuple[str, str], list[int]] = {}
    added, labelled, left_out = 0, 0, []
    for picture in _pictures(data):
        number = picture.number if picture.number in known else None
        try:
            if number is None:
                number = picture.add(store)
                added += 1
            else:
                labelled += bool(picture.label)
        except DataError as error:
            left_out.append(str(error))
            continue
        if picture.label and picture.label != known.get(number):  # whoever exports and imports has confirmed nothing
            strokes.setdefault((picture.label, picture.author or author), []).append(number)
    for (label, by), numbers in strokes.items():
        store.label(numbers, label, author=by)
    return Imported(added, labelled, tuple(left_out))


def _pictures(data: Path) -> Iterator[_Picture]:
    """Yield the pictures of labelled data in any of the formats."""
    if data.suffix.lower() == ".json" and data.is_file():
        return (
            _Picture(_of_file(task.file, task.box), task.label, task.author, task.number) for task in label_studio.read(data)
        )
    if (data / label_studio.TASKS).is_file():
        return _pictures(data / label_studio.TASKS)
    if (data / fiftyone.LABELS).is_file():
        return (_Picture(_of_file(file, box), label) for file, label, box in fiftyone.read(data))
    dataset = scan(data, roi=has_boxes(data))
    return (_Picture(_of_item(item), dataset.labels[item.class_id]) for item in dataset.items)


def _of_file(file: Path, box: object = None) -> Callable[[Store], int]:
    """Return what adds a file as it is, and what a model sees of it: left, top, right and bottom in pixels; None for all."""

    def add(store: Store) -> int:
        if box is None:
            return store.add_file(file, IMPORTED)
        height, width = image.load(file).shape[:2]
        if not isinstance(box, list | tuple) or len(box) != 4 or not all(isinstance(one, int | float) for one in box):
            raise DataError(f"{file}: expected a box of left, top, right and bottom in pixels, found {str(box)[:60]}")
        left, top, right, bottom = (round(one) for one in box)
        if not (0 <= left < right <= width and 0 <= top < bottom <= height):
            raise DataError(f"{file}: the box {left} {top} {right} {bottom} does not lie in the picture of {width}x{height}")
        seen = None if (left, top, right, bottom) == (0, 0, width, height) else (left, top, right, bottom)
        return store.add_file(file, replace(IMPORTED, box=seen))

    return add


def _of_item(item: Item) -> Callable[[Store], int]:
    """Return what adds a picture of a dataset: its file with its region, or its array as a new one."""
    return _of_file(item.file, item.roi and item.roi[:4]) if item.file else lambda store: store.add(item.picture(), IMPORTED)
