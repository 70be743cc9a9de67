"""Find labelled pictures in the layouts that people have.

DATA/<class>/**/picture          class folders; DATA/train/<class>, DATA/val/<class> and DATA/test/<class> too
DATA.csv, DATA/*.csv, DATA/*/*.csv   manifests, see `edgecls.dataset.manifest`
DATA.npz                         MedMNIST's arrays, see `edgecls.dataset.npz`
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

from edgecls import image
from edgecls.dataset import manifest, npz
from edgecls.dataset.items import SPLIT_NAMES, Dataset, Item
from edgecls.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

GROUP_RULES = {
    "GTSRB track": r"(.*\d{5})_\d{5}\.ppm$",
    "copies made by Roboflow": r"(.*)\.rf\.[0-9a-f]+\.\w+$",
    "frames of one video": r"(.*?)[-_. ]?frame[-_. ]?\d+\.\w+$",
}
"""Regular expressions on the path, tried in order: what the parentheses catch names the group. A rule is taken only if
it fits every picture; otherwise each picture is a group of its own."""


def scan(path: str | Path, *, labels: Sequence[str] | None = None, group: str | None = None, roi: bool = False) -> Dataset:
    """List the pictures under `path` with their classes, without decoding them.

    `labels` renames the classes in their order; `group` is a regular expression on the path within the data whose
    parentheses catch what keeps pictures together; `roi` cuts the region of interest that a manifest names.
    Raises DataError for a layout that is not understood, an empty class, or fewer than two classes.
    """
    where = Path(path)
    if not where.exists():
        raise DataError(f"{where}: no such file or folder; expected class folders, a CSV manifest or an npz file")
    if where.is_dir():
        manifests = manifest.find(where)
        names, items = manifest.read(manifests, where, roi=roi) if manifests else _folders(where)
    elif where.suffix.lower() == ".csv":
        names, items = manifest.read([where], where.parent, roi=roi)
    elif where.suffix.lower() == ".npz":
        names, items = npz.read(where)
    else:
        raise DataError(f"{where}: expected a folder, a .csv or a .npz, found {where.suffix or 'a file without ending'}")
    if len(names) < 2:
        raise DataError(f"{where}: a classifier needs at least 2 classes, found {len(names)} ({', '.join(names)})")
    if labels is not None:
        names = _renamed(names, labels, where)
    rule, items = _grouped(items, group, where)
    return Dataset(str(where), tuple(names), tuple(items), rule)


def natural(text: str) -> tuple[tuple[int, int | str], ...]:
    """A sort key by which 2 comes before 10."""
    return tuple((0, int(part)) if part.isdecimal() else (1, part) for part in re.split(r"(\d+)", text) if part)


def pictures_under(folder: Path) -> list[Path]:
    """The picture files below a folder, in natural order; hidden ones are left out."""
    found = (p for p in folder.rglob("*") if p.suffix.lower() in image.SUFFIXES and p.is_file())
    visible = (p for p in found if not any(part.startswith(".") for part in p.relative_to(folder).parts))
    return sorted(visible, key=lambda p: natural(p.as_posix()))


def _folders(root: Path) -> tuple[list[str], list[Item]]:
    folders = _subfolders(root)
    if not folders:
        found = "pictures without class folders" if pictures_under(root) else "nothing"
        raise DataError(f"{root}: expected one folder of pictures per class or a CSV manifest, found {found}")
    is_split = "train" in {SPLIT_NAMES.get(f.name.lower()) for f in folders}
    parts = [(SPLIT_NAMES.get(f.name.lower(), ""), f) for f in folders] if is_split else [("", root)]
    strange = [f.name for split, f in parts if is_split and not split]
    if strange:
        raise DataError(f"{root}: beside train, val and test there is {strange[0]!r}; move it out of the data")
    names = sorted({c.name for _, part in parts for c in _subfolders(part)}, key=natural)
    items: list[Item] = []
    filled: set[int] = set()
    for split, part in parts:
        for folder in _subfolders(part):
            class_id = names.index(folder.name)
            files = pictures_under(folder)
            filled |= {class_id} if files else set()
            items += [Item(f.relative_to(root).as_posix(), class_id, "", split, f) for f in files]
    empty = [name for i, name in enumerate(names) if i not in filled]
    if empty:
        raise DataError(f"{root}: class folder {empty[0]!r} has no picture; add some or remove the folder")
    return names, items


def _subfolders(folder: Path) -> list[Path]:
    return sorted((p for p in folder.iterdir() if p.is_dir() and not p.name.startswith(".")), key=lambda p: natural(p.name))


def _renamed(names: Sequence[str], labels: Sequence[str], where: Path) -> list[str]:
    if len(labels) != len(names):
        shown = ", ".join(names[:5]) + (", ..." if len(names) > 5 else "")
        raise DataError(
            f"{where}: {len(labels)} labels given for {len(names)} classes ({shown}); give one for each, in their order"
        )
    if len(set(labels)) != len(labels):
        raise DataError(f"{where}: the labels given must differ, {max(labels, key=list(labels).count)!r} stands there twice")
    return list(labels)


def _grouped(items: Iterable[Item], group: str | None, where: Path) -> tuple[str, list[Item]]:
    items = list(items)
    try:
        rules = {"given": re.compile(group)} if group else {name: re.compile(r) for name, r in GROUP_RULES.items()}
    except re.error as error:
        raise DataError(f"--group {group}: not a regular expression ({error})") from error
    for name, rule in rules.items():
        found = [rule.search(item.name if group else _within_part(item)) for item in items]
        if all(found):
            keys = ["/".join(m.groups() or (m.group(),)) for m in found if m]
            said = f"{name}: {rule.pattern}" if group is None else rule.pattern
            return said, [_with_group(item, key) for item, key in zip(items, keys, strict=True)]
    if group:
        lost = next(item.name for item in items if not rules["given"].search(item.name))
        raise DataError(f"{where}: --group {group} does not fit {lost!r}; it must fit the path of every picture")
    return "each picture by itself", [_with_group(item, item.name) for item in items]


def _within_part(item: Item) -> str:
    """The path within train/, val/ or test/: a track that stands in two of them is one track."""
    part, _, rest = item.name.partition("/")
    return rest if item.split and SPLIT_NAMES.get(part.lower()) == item.split else item.name


def _with_group(item: Item, group: str) -> Item:
    return Item(item.name, item.class_id, group, item.split, item.file, item.pixels, item.roi)
