"""Find labelled pictures in the usual layouts.

DATA.csv, DATA/*.csv, DATA/*/*.csv   manifests, see `edgecls.dataset.manifest`
DATA/<class>/**/picture              class folders; DATA/train/<class>, DATA/val/<class> and DATA/test/<class> too, see
                                     `edgecls.dataset.folders`
DATA.npz                             arrays as in MedMNIST, see `edgecls.dataset.npz`
DATA/store.sqlite                    a store of pictures of cameras, see `edgecls.store`

A CSV file in a folder is a manifest if it has a column of pictures and one of classes. Other CSV files, such as a training log,
are ignored if there is anything else to read. So is a table with one picture per class next to manifests, such as Kaggle's
Meta.csv, because it describes classes. Manifests in subfolders are used only if every subfolder with pictures has one.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from edgecls.dataset import folders, manifest, npz, stores
from edgecls.dataset.class_names import alike
from edgecls.dataset.csv_table import Table, read_table
from edgecls.dataset.groups import grouped
from edgecls.dataset.items import SPLIT_NAMES, Dataset, Item
from edgecls.dataset.listing import Skipped, children, csv_files, holds_pictures
from edgecls.errors import DataError
from edgecls.files.advice import of_missing
from edgecls.store import is_store

if TYPE_CHECKING:
    from collections.abc import Sequence

STRAY = "CSV files that are not a manifest of these pictures, ignored"
ARCHIVES = frozenset({".zip", ".tar", ".tgz", ".gz", ".bz2", ".xz", ".7z", ".rar"})
SINGLE = "; only edgecls learn takes a single class, and calls everything else unknown"
CLASS_TABLES = frozenset({"meta", "metadata", "classes", "class_names", "signnames"})
"""Usual names of tables that describe classes."""


def scan(
    path: str | Path, *, labels: Sequence[str] | None = None, group: str | None = None, roi: bool = False,
    multi_label: bool = False, fewest_classes: int = 2,
) -> Dataset:  # fmt: skip
    """List labelled pictures without decoding them.

    Args:
        path: A folder, a store, a CSV manifest or an npz file.
        labels: New names for the classes, in their order.
        group: A regular expression on the path within the data. Pictures with equal captured groups stay on one side of a
            split. None tries the usual rules of `edgecls.dataset.groups`.
        roi: Whether to crop pictures to the region of interest in the manifest.
        multi_label: Whether a picture may have several labels, or none, see `edgecls.dataset.several_labels`.
        fewest_classes: With fewer classes, the data is rejected.

    Raises:
        DataError: The layout is not understood, a class is empty, or there are too few classes.

    Example:
        dataset = scan("data/signs")
        print(dataset.labels, len(dataset.items))
    """
    where = Path(path)
    skipped = Skipped()
    names, items = _read(where, skipped, roi=roi, multi_label=multi_label)
    if len(names) < fewest_classes:
        raise DataError(
            f"{where}: a classifier needs at least {fewest_classes} classes, "
            f"found {len(names)} ({', '.join(names)}){_inside(where) or ('' if multi_label else SINGLE)}"
        )
    similar = alike(names)
    if labels is not None:
        names = _renamed(names, labels, where)
    rule, items = (stores.GROUP_RULE, items) if group is None and is_store(where) else grouped(items, group, where)
    return Dataset(str(where), tuple(names), tuple(items), rule, (*skipped.lines(), *filter(None, [similar])))


def _read(where: Path, skipped: Skipped, *, roi: bool, multi_label: bool) -> tuple[list[str], list[Item]]:
    """Return the class names and the items of a folder, a manifest or an npz file."""
    if "\0" in str(where) or not _exists(where):
        near = of_missing(where)
        raise DataError(f"{where}: no such file or folder; expected class folders, a CSV manifest or an npz file{near}")
    if is_store(where):
        return stores.read(where, skipped)
    if where.is_dir():
        return _read_folder(where, skipped, roi=roi, multi_label=multi_label)
    suffix = where.suffix.lower()
    if suffix == ".csv":
        table = read_table(where)
        if why := manifest.lacks(table, multi_label=multi_label):
            raise DataError(why)
        return manifest.read([table], where.parent, skipped, roi=roi, multi_label=multi_label)
    if suffix == ".npz" and multi_label:
        raise DataError(f"{where}: for several labels a picture, expected a CSV manifest, found .npz")
    if suffix == ".npz" and where.is_file():
        return npz.read(where)
    hint = "; unpack the archive first" if suffix in ARCHIVES else ""
    raise DataError(f"{where}: expected a folder, a .csv or a .npz, found {suffix or 'a file without ending'}{hint}")


def _read_folder(root: Path, skipped: Skipped, *, roi: bool, multi_label: bool) -> tuple[list[str], list[Item]]:
    """Read the manifests in a folder, else those in its subfolders, else its class folders."""
    strays: dict[Path, str] = {}
    try:
        os.scandir(root).close()
    except OSError as error:
        raise DataError(f"{root}: cannot be opened ({error.strerror})") from error
    inner = children(root, Skipped()).folders
    own = _manifests([root], strays, multi_label=multi_label)
    tables = own or _manifests(inner, strays, multi_label=multi_label)
    if tables and not own and (bare := _without_manifest(inner, tables)):
        strays |= {table.path: f"{table.path}: {bare.name!r} beside it has pictures and no manifest" for table in tables}
        tables = []
    described = [table for table in tables if not multi_label and _describes_classes(table, tables)]
    if len(described) < len(tables) or folders.holds_classes(root):
        strays |= {table.path: "" for table in described}
        tables = [table for table in tables if table not in described]
    for path in strays if tables or folders.holds_classes(root) else ():
        skipped.add(STRAY, path.relative_to(root).as_posix())
    if tables:
        names, items = manifest.read(tables, root, skipped, roi=roi, multi_label=multi_label)
        manifest.unlisted(items, root, skipped)
        return names, items
    if multi_label:
        none = f"{root}: for several labels a picture, expected a CSV manifest with a column of 0 and 1 for each label, found"
        raise DataError(next(iter(strays.values()), f"{none} no manifest; class folders give one label for each picture"))
    if strays and not folders.holds_classes(root):
        raise DataError(f"{next(iter(strays.values()))}; there are no class folders with pictures either")
    return folders.read(root, skipped)


def _manifests(places: Sequence[Path], strays: dict[Path, str], *, multi_label: bool) -> list[Table]:
    """Read the manifests directly in some folders; other CSV files are added to `strays` with the reason."""
    tables: list[Table] = []
    for path in sorted(file for place in places for file in csv_files(place)):
        try:
            table = read_table(path)
            why = manifest.lacks(table, multi_label=multi_label)
        except DataError as error:
            strays[path] = str(error)
            continue
        if why:
            strays[path] = why
        else:
            tables.append(table)
    return tables


def _describes_classes(table: Table, tables: Sequence[Table]) -> bool:
    """Whether a table only describes classes: it has one picture per class, and a telling name or larger tables next to it."""
    if not _one_each(table):
        return False
    words = f"{table.path.parent.name} {table.path.stem}"
    return table.path.stem.lower() in CLASS_TABLES or not (manifest.part_of(words) or all(map(_one_each, tables)))


def _one_each(table: Table) -> bool:
    classes = [row.first(manifest.CLASS_COLUMNS) for row in table.rows]
    return len(set(classes)) == len(classes)


def _without_manifest(inner: Sequence[Path], tables: Sequence[Table]) -> Path | None:
    """Return a folder of pictures that lacks a manifest although others have one; train, val and test may lack one."""
    held = {table.path.parent for table in tables}
    if not any(map(holds_pictures, held)):
        return None
    bare = (folder for folder in inner if folder not in held and folder.name.lower() not in SPLIT_NAMES)
    return next(filter(holds_pictures, bare), None)


def _exists(where: Path) -> bool:
    try:
        return where.exists()
    except OSError as error:
        raise DataError(f"{where}: cannot be read ({error.strerror})") from error


def _inside(where: Path) -> str:
    """Return a hint at the right folder if all data is in a single subfolder."""
    inner = children(where, Skipped()).folders if where.is_dir() else ()
    return (
        f"; if the classes are the folders in it, give {inner[0]}"
        if len(inner) == 1 and folders.holds_classes(inner[0])
        else ""
    )


def _renamed(names: Sequence[str], labels: Sequence[str], where: Path) -> list[str]:
    if len(labels) != len(names):
        shown = ", ".join(names[:5]) + (", ..." if len(names) > 5 else "")
        raise DataError(
            f"{where}: {len(labels)} labels given for {len(names)} classes ({shown}); give one for each, in their order"
        )
    if len(set(labels)) != len(labels):
        raise DataError(f"{where}: the labels given must differ, {max(labels, key=list(labels).count)!r} is given twice")
    return list(labels)
