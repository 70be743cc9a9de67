"""Read class folders: DATA/<class>/**/picture, or a folder of class folders for each part of the data.

The content decides whether `train` is a part or a class. A folder called train, val or test (or another word in `SPLIT_NAMES`)
is a part if it contains class folders with pictures, and a class if it contains pictures directly. If both readings are
possible, the error explains both.
"""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, NamedTuple

from edgecls.dataset.class_names import class_name
from edgecls.dataset.items import SPLIT_NAMES, Item
from edgecls.dataset.listing import Skipped, children, holds_pictures, in_order, pictures_under
from edgecls.errors import DataError

if TYPE_CHECKING:
    from pathlib import Path

LOOSE = "pictures next to class folders, left out"
SPELLED = "class folders whose names differ only in how accents are encoded, read as one class"
PASSED_OVER = "folders without pictures next to train, val and test, ignored"


class _Top(NamedTuple):
    """A top-level folder of the data.

    Attributes:
        folder: Its path.
        part: The part that its name stands for; "" if none.
        loose: Whether it contains pictures directly.
        classes: How many of its subfolders contain pictures.
    """

    folder: Path
    part: str
    loose: bool
    classes: int

    @property
    def is_part(self) -> bool:
        """Whether its name is that of a part and it contains class folders."""
        return bool(self.part) and (self.classes > 1 or (self.classes == 1 and not self.loose))


def read(root: Path, skipped: Skipped) -> tuple[list[str], list[Item]]:
    """Return the class names, in natural order, and the items. `skipped` collects what was left out.

    Raises:
        DataError: The layout is not understood, a class has no pictures, or a name cannot be a class.
    """
    folders: dict[str, dict[Path, list[Path]]] = defaultdict(dict)  # by class: its folders and their pictures
    part_of: dict[Path, str] = {}
    for part, holder in _parts(root, skipped):
        inside = children(holder, skipped)
        for loose in inside.pictures:
            skipped.add(LOOSE, loose.relative_to(root).as_posix())
        for folder in inside.folders:
            name = class_name(folder.name, f"{folder.parent}, class folder")
            folders[name][folder] = pictures_under(folder, skipped)
            part_of[folder] = part
    names = in_order(folders)
    for name in names:
        _check_class(root, name, folders[name], skipped)
    items = [
        Item(file.relative_to(root).as_posix(), names.index(name), "", part_of[folder], file)
        for name, held in folders.items()
        for folder, files in held.items()
        for file in files
    ]
    order = {part: i for i, part in enumerate(dict.fromkeys(part_of.values()))}
    return names, sorted(items, key=lambda item: (order[item.split], item.class_id))


def holds_classes(root: Path) -> bool:
    """Whether at least two subfolders contain pictures."""
    return sum(map(holds_pictures, children(root, Skipped()).folders)) > 1


def _check_class(root: Path, name: str, held: dict[Path, list[Path]], skipped: Skipped) -> None:
    if not any(held.values()):
        why = "".join(f"; {line}" for line in skipped.lines())
        raise DataError(f"{root}: class folder {name!r} has no picture; add some or remove the folder{why}")
    for spelled in sorted({folder.name for folder in held} - {name}):
        skipped.add(SPELLED, ascii(spelled))


def _parts(root: Path, skipped: Skipped) -> list[tuple[str, Path]]:
    """Return (part, folder) of the folders that contain class folders: the root itself, or train, val and test."""
    inside = children(root, skipped)
    if not inside.folders:
        found = "pictures without class folders" if inside.pictures else "nothing"
        raise DataError(f"{root}: expected one folder of pictures per class or a CSV manifest, found {found}")
    if not any(map(_part_of, inside.folders)):
        return [("", root)]
    tops = [_top(folder) for folder in inside.folders]
    parts = [top for top in tops if top.is_part]
    others = [top for top in tops if not top.part]
    trains = [top.folder.name for top in tops if top.part == "train"]
    if trains and not others and not parts:
        raise DataError(
            f"{root}: {' and '.join(repr(top.folder.name) for top in tops)} have no class folders; if these are parts of the "
            f"data, expected a folder of pictures per class in each, as {trains[0]}/CLASS/picture; if they are classes, rename "
            f"{trains[0]!r}, or write a CSV manifest"
        )
    filled = [top.folder.name for top in others if top.loose or top.classes]
    if not parts or (filled and not trains):
        return [("", root)]
    if filled:
        raise DataError(
            f"{root}: beside train, val and test there is {filled[0]!r}; move it out of the data, or, if "
            f"{parts[0].folder.name!r} is a class, put its pictures directly into its folder"
        )
    for top in others:
        skipped.add(PASSED_OVER, top.folder.name)
    for loose in inside.pictures:
        skipped.add(LOOSE, loose.name)
    return [(top.part, top.folder) for top in tops if top.part]


def _top(folder: Path) -> _Top:
    inside = children(folder, Skipped())
    return _Top(folder, _part_of(folder), bool(inside.pictures), sum(map(holds_pictures, inside.folders)))


def _part_of(folder: Path) -> str:
    return SPLIT_NAMES.get(folder.name.casefold(), "")
