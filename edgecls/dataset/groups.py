"""Group pictures that must stay on one side of a split: frames of a track or a video, copies of a picture."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING

from edgecls.dataset.items import SPLIT_NAMES
from edgecls.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from edgecls.dataset.items import Item

GROUP_RULES = {
    "GTSRB track": r"(.*(?<!\d)\d{5})_\d{5}\.(?:ppm|png|jpe?g|bmp|webp)$",
    "copies made by Roboflow": r"(.*)\.rf\.[0-9a-f]+\.\w+$",
    "frames of one video": r"(.*?)[-_. ]?frame[-_. ]?\d+\.\w+$",
}
"""Regular expressions on the path, tried in order; the captured text names the group. A rule is used only if it matches every
picture that may be trained or held out; if none does, each picture is a group of its own. GTSRB's official files are .ppm,
Kaggle's copies .png.
"""


def grouped(items: Iterable[Item], group: str | None, where: Path) -> tuple[str, list[Item]]:
    """Assign a group to each item.

    Args:
        items: The pictures.
        group: A regular expression from the user; None tries GROUP_RULES.
        where: The path of the data, for error messages.

    Returns:
        The rule in words, and the items with their groups.

    Raises:
        DataError: `group` is not a regular expression or does not match the path of every picture.
    """
    items = list(items)
    try:
        rules = {"given": re.compile(group)} if group else {name: re.compile(r) for name, r in GROUP_RULES.items()}
    except (re.error, OverflowError, RecursionError) as error:
        raise DataError(f"`group` {group}: not a regular expression ({error})") from error
    for name, rule in rules.items():
        found = [rule.search(item.name if group else _within_part(item)) for item in items]
        if all(match or (item.split == "test" and not group) for match, item in zip(found, items, strict=True)) and any(found):
            keys = [
                "/".join(part or "" for part in m.groups() or (m.group(),)) if m else item.name
                for m, item in zip(found, items, strict=True)
            ]
            description = f"{name}: {rule.pattern}" if group is None else rule.pattern
            return description, [replace(item, group=key) for item, key in zip(items, keys, strict=True)]
    if group:
        unmatched = next(item.name for item in items if not rules["given"].search(item.name))
        raise DataError(f"{where}: `group` {group} does not match {unmatched!r}; it must match the path of every picture")
    return "each picture by itself", [replace(item, group=item.name) for item in items]


def _within_part(item: Item) -> str:
    """Return the path within train/, val/ or test/, so that a track that is in two of them is one group."""
    part, _, rest = item.name.partition("/")
    return rest if item.split and SPLIT_NAMES.get(part.casefold()) == item.split else item.name
