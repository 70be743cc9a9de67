"""Whether the labels of a store are enough to learn from, by the limits that `edgecls learn` itself has."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Any

from edgecls.dataset import merged_groups, scan
from edgecls.errors import DataError
from edgecls.store import Store
from edgecls.store.schema import DATABASE

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

NOTHING = "No picture has a label yet. Give labels to pictures of two classes or more."
SINGLE = "Only {label} has labels. A model of a single class calls everything else unknown; give labels to a second class."
START = 20
"""Pictures of a class that are a good start."""


class Enough:
    """Counts the labelled pictures of stores, and the moments that they are of. Nothing is counted again unless it changed."""

    def __init__(self) -> None:
        """Begin with nothing counted."""
        self._counted: dict[Path, tuple[tuple[tuple[int, int], ...], dict[str, Any]]] = {}

    def of(self, folder: Path) -> dict[str, Any]:
        """Return for each class of a store its `pictures`, its `moments`, whether that `is_enough`, and the `advice`.

        Returns:
            These `classes`; `why` nothing can be learned, "" if something can; and a `note`.
        """
        state = tuple(_state(folder / f"{DATABASE}{suffix}") for suffix in ("", "-wal"))
        known = self._counted.get(folder)
        if known is None or known[0] != state:
            known = self._counted[folder] = (state, _count(folder))
        return known[1]


def _count(folder: Path) -> dict[str, Any]:
    try:
        with Store(folder, create=False) as store:
            if not set(store.counts()) - {""}:
                return {"classes": [], "why": NOTHING, "note": ""}
        dataset = scan(folder, fewest_classes=1)
        groups = merged_groups(dataset, dataset.items)
    except DataError as error:
        return {"classes": [], "why": str(error).replace(str(folder), folder.name), "note": ""}
    moments: Mapping[int, set[int]] = defaultdict(set)
    pictures: Mapping[int, list[int]] = defaultdict(list)
    for g, members in enumerate(groups):
        for i in members:
            moments[dataset.items[i].class_id].add(g)
            pictures[dataset.items[i].class_id].append(i)
    classes = [
        {"label": label, "pictures": len(pictures[i]), "moments": len(moments[i]), **_judged(len(pictures[i]), len(moments[i]))}
        for i, label in enumerate(dataset.labels)
    ]
    note = SINGLE.format(label=dataset.labels[0]) if len(classes) == 1 else ""
    return {"classes": classes, "why": "", "note": note}


def _judged(pictures: int, moments: int) -> dict[str, Any]:
    from edgecls.learn.head import FEW_PICTURES

    if moments < 2:
        advice = "of a single moment: it is learned, and its accuracy stays unknown. Add pictures of other moments"
    elif pictures < FEW_PICTURES:
        advice = f"very few: {FEW_PICTURES} give a better model, {START} are a good start"
    elif pictures < START:
        advice = f"enough to try; {START} are a good start"
    else:
        advice = "a good start"
    return {"is_enough": pictures >= START and moments > 1, "advice": advice}


def _state(path: Path) -> tuple[int, int]:
    try:
        status = path.stat()
    except OSError:
        return 0, 0
    return status.st_mtime_ns, status.st_size
