"""What labelling costs a person, and whether wrong labels are found: python scripts/labelling.py DATA [--sets scenes,signs].

Strokes: 500 pictures of five classes of a set, in a store without labels. The truth is the person: each group gets the label of
most of its pictures, and the others are named as exceptions, as in `speed limit 80 / 3 5`. Suspects: 1,000 pictures with
labels, 5 % of which were exchanged for another one at random. How many of those are among the 10 % most suspected ones?

DATA is a folder with the data sets named in SETS. Prints a line of JSON for each draw and a last one for each set.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from edgecls.dataset import DataConfig
from edgecls.labelling import Labelling, suspects
from edgecls.store import Origin, Store

if TYPE_CHECKING:
    from collections.abc import Sequence

    from edgecls.dataset import Item
    from edgecls.labelling import Group

FACES = r"^(.*)/\d{5}_(.*?)(?:_copy(?:_\d+)?)?\.\w+$"
TRACK = r"^(.*_?\d{5})_\d{5}\.\w+$"
SETS = {
    "scenes": ("scenes", ""),
    "face-mask": ("face-mask", FACES),
    "signs": ("GTSRB/Final_Training/Images", TRACK),
    "chars": ("plate-chars", ""),
}
"""The folder, and how pictures are grouped: signs are films of 30 pictures."""
CLASSES, PICTURES = 5, 500
FLIPPED, SUSPECTED, LABELLED = 0.05, 0.1, 1000


def drawn(items: Sequence[Item], classes: int, pictures: int, rng: np.random.Generator) -> list[Item]:
    """Draw classes, and equally many pictures of each, of whole groups."""
    names = sorted({item.class_id for item in items})
    chosen: list[Item] = []
    for class_id in rng.permutation(names)[:classes].tolist():
        groups: dict[str, list[Item]] = {}
        for item in items:
            if item.class_id == class_id:
                groups.setdefault(item.group, []).append(item)
        order = [list(groups)[i] for i in rng.permutation(len(groups)).tolist()]
        chosen += [item for group in order for item in groups[group]][: pictures // classes]
    return [chosen[i] for i in rng.permutation(len(chosen)).tolist()]


def filled(folder: Path, items: Sequence[Item], labels: Sequence[str]) -> dict[int, str]:
    """Make a store of pictures. Returns the true label of each, by number."""
    with Store(folder) as store:
        return {
            store.add_file(item.file, Origin(event=item.group)): labels[item.class_id]
            for item in items
            if item.file is not None
        }


def strokes(folder: Path, truth: dict[int, str]) -> dict[str, float]:
    """Label a store. Returns the strokes, the exceptions that were named, and the share of right labels."""
    count = exceptions = 0
    with Labelling(folder, say=lambda _line: None) as labelling:
        while (group := labelling.next()) is not None:
            label, others = answer(group, truth)
            labelling.label(group, label, without=others)
            count, exceptions = count + 1, exceptions + len(others)
        right = np.mean([entry.label == truth[entry.id] for entry in labelling.store.entries()])
    return {"pictures": len(truth), "strokes": count, "exceptions": exceptions, "right": round(float(right), 4)}


def answer(group: Group, truth: dict[int, str]) -> tuple[str, list[int]]:
    """Return the label of most pictures of a group, and the numbers of the others."""
    label = Counter(truth[entry.id] for entry in group.entries).most_common(1)[0][0]
    return label, [entry.id for entry in group.entries if truth[entry.id] != label]


def found(folder: Path, truth: dict[int, str], rng: np.random.Generator) -> dict[str, float]:
    """Label a store with some labels exchanged. Returns the share of these among the most suspected."""
    names = sorted(set(truth.values()))
    numbers = list(truth)
    wrong = set(rng.choice(numbers, round(FLIPPED * len(numbers)), replace=False).tolist())
    with Store(folder) as store:
        for number in numbers:
            others = [name for name in names if name != truth[number]]
            store.label([number], others[int(rng.integers(len(others)))] if number in wrong else truth[number])
        first = suspects(store, say=lambda _line: None)[: round(SUSPECTED * len(numbers))]
    share = sum(one.entry.id in wrong for one in first) / len(wrong)
    return {"labels": len(numbers), "wrong": len(wrong), "found": round(share, 4)}


def main() -> None:
    """Measure the named sets."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--sets", default=",".join(SETS))
    parser.add_argument("--draws", type=int, default=3)
    given = parser.parse_args()
    for name in given.sets.split(","):
        folder, group = SETS[name]
        dataset = DataConfig(str(given.data / folder), group=group).scan()
        rows = []
        for draw in range(given.draws):
            rng = np.random.default_rng(draw)
            with tempfile.TemporaryDirectory() as place:
                row: dict[str, float] = {"draw": draw}
                if len(dataset.labels) >= CLASSES:
                    some = drawn(dataset.items, CLASSES, PICTURES, rng)
                    row |= strokes(Path(place, "open"), filled(Path(place, "open"), some, dataset.labels))
                some = drawn(dataset.items, min(10, len(dataset.labels)), LABELLED, rng)
                row |= found(Path(place, "labelled"), filled(Path(place, "labelled"), some, dataset.labels), rng)
            rows.append(row)
            print(json.dumps({"set": name, **row}), flush=True)
        means = {key: round(float(np.mean([row[key] for row in rows])), 3) for key in rows[0] if key != "draw"}
        print(json.dumps({"set": name, "draws": given.draws, **means}), flush=True)


if __name__ == "__main__":
    main()
