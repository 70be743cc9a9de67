"""Measure what comes out as unknown: python scripts/unknown.py DATA [NAME...] [--count 20] [--draws 3] [--model FILE].

DATA is a folder with sets of labelled pictures in class folders. For each set, or those that are named, `edgecls learn` makes a
model from some pictures of each class, and is asked about the others and about pictures of all other sets: how many of its own
get a label, and how many foreign ones are unknown. Pictures of a group stay on one side. With --model, that file is asked about
all pictures of the set instead.
"""

from __future__ import annotations

import argparse
import csv
import os
import statistics
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from edgecls.dataset import DataConfig, decode, pictures_under, scan
from edgecls.dataset.answering import answers
from edgecls.dataset.items import Item
from edgecls.errors import EdgeclsError
from edgecls.evaluate import evaluate
from edgecls.learn.learn_model import learn_model
from edgecls.model.classifier import Classifier

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

MOST_TESTED = 600
"""Known pictures per draw to measure with."""
GROUPS = {
    "blood-cells": r"(BloodImage_\d+)",
    "face-mask": r"^(.*)/\d{5}_(.*?)(?:_copy(?:_\d+)?)?\.\w+$",
    "street": r"^(.*)/\d{5}_((?:crop_?|person_and_bike_|person_)\d+(?=[a-z])|(?:image|extra)?\d*?(?=\d{0,2}\.jpg))",
}
"""What belongs together in the sets that are measured for docs/benchmarks.md."""


def main() -> int:
    """Measure each set and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("names", nargs="*")
    parser.add_argument("--count", type=int, default=20, help="pictures of each class to learn from")
    parser.add_argument("--draws", type=int, default=3)
    parser.add_argument("--size", type=int, default=224)
    parser.add_argument("--foreign", type=int, default=200, help="pictures of each other set")
    parser.add_argument("--model", default="")
    given = parser.parse_args()
    sets = sorted(folder for folder in given.data.iterdir() if folder.is_dir())
    known = [folder for folder in sets if folder.name in (given.names or [s.name for s in sets])]
    print(f"| known | kept | {' | '.join(folder.name for folder in sets)} | mean |")
    print("|" + "---|" * (len(sets) + 3))
    for folder in known:
        found = [measured(folder, sets, given, draw) for draw in range(1 if given.model else given.draws)]
        kept = statistics.mean(one for one, _ in found)
        shares = {s.name: statistics.mean(foreign[s.name] for _, foreign in found) for s in sets if s != folder}
        cells = [f"{shares[s.name]:.1%}" if s != folder else "-" for s in sets]
        print(f"| {folder.name} | {kept:.1%} | {' | '.join(cells)} | {statistics.mean(shares.values()):.1%} |", flush=True)
    return 0


def measured(folder: Path, sets: Sequence[Path], given: argparse.Namespace, draw: int) -> tuple[float, Mapping[str, float]]:
    """Return the share of held-out pictures of a set that get a label, and the share of unknown ones of each other set."""
    rng = np.random.default_rng(draw)
    with tempfile.TemporaryDirectory() as place:
        model, data = given.model, str(folder)
        if not model:
            data, model = str(Path(place) / "data.csv"), str(Path(place) / "m.onnx")
            divide(folder, given.count, Path(data), rng)
            config = DataConfig(data, group=GROUPS.get(folder.name, ""))
            learn_model(config, model, size=given.size, seed=draw, say=lambda _line: None)
        classifier = Classifier.load(model, device="cpu")
        kept = evaluate(classifier, scan(data)).coverage
    foreign = {other.name: share_unknown(classifier, other, given.foreign, rng) for other in sets if other != folder}
    return kept, foreign


def divide(folder: Path, count: int, manifest: Path, rng: np.random.Generator) -> None:
    """Write a manifest with groups of about `count` pictures of each class to learn from, and others to test with."""
    dataset = DataConfig(str(folder), group=GROUPS.get(folder.name, "")).scan()
    taken = dict.fromkeys(range(len(dataset.labels)), 0)
    groups: dict[str, list[Item]] = {}
    for item in dataset.items:
        groups.setdefault(item.group, []).append(item)
    names, rest, learned = sorted(groups), [], []
    for i in rng.permutation(len(names)).tolist():
        items = groups[names[i]]
        wanted = all(taken[item.class_id] < count for item in items)
        (learned if wanted else rest).extend(items[:count] if wanted else items)
        for item in items if wanted else ():
            taken[item.class_id] += 1
    tested = [rest[i] for i in rng.permutation(len(rest))[:MOST_TESTED].tolist()]
    with manifest.open("w", newline="", encoding="utf-8") as file:
        rows = csv.writer(file)
        rows.writerow(("file", "class", "split"))
        for part, items in (("", learned), ("test", tested)):
            rows.writerows((os.fspath(item.file.resolve()), dataset.labels[item.class_id], part) for item in items if item.file)


def share_unknown(classifier: Classifier, folder: Path, most: int, rng: np.random.Generator) -> float:
    """Return the share of at most `most` random pictures below a folder that are unknown."""
    files = list(pictures_under(folder))
    chosen = [files[i] for i in rng.permutation(len(files))[:most].tolist()]
    found = decode([Item(str(file), 0, "", file=file) for file in chosen], classifier.card.input)
    return float(classifier.card.unknown(answers(classifier.answers, found)).mean())


if __name__ == "__main__":
    try:
        sys.exit(main())
    except EdgeclsError as error:
        sys.exit(f"error: {error}")
