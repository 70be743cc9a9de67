"""Measure models from a few pictures: python -m scripts.few DATA [--sets scenes,face-mask] [--peers] [--fine-tune EPOCHS].

DATA is a folder with the data sets named in SETS. Of each, test pictures are set aside by group before anything else. From the
rest, 5, 20 or more pictures of each class are drawn, several times; `edgecls learn` makes a file of them, and that file is
measured on the test pictures. With --peers and --fine-tune, other ways to train on the very same pictures are measured beside
it (scripts/few_peers.py): as Frigate trains a head, by class means, and as Ultralytics trains all layers, on the same network.

Prints a line per size: top-1 as mean and standard deviation over the draws, how often the interval of cross-validation contains
the accuracy on the test pictures, and the seconds from the pictures to the file. The cache of embeddings is empty at first.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import tempfile
import time
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from edgecls.dataset import DataConfig, Dataset, Item, Pictures, decode, split
from edgecls.dataset.answering import answers
from edgecls.learn.backbone import open_backbone
from edgecls.learn.learn_model import Learned, learn_model
from edgecls.model.classifier import Classifier
from scripts.few_peers import peers

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

TEST_SEED = 1
"""The seed of scripts/zoo.py: the same test pictures as in models/README.md."""


@dataclass(frozen=True, slots=True)
class Set:
    """A data set: the share of its groups to test with, how it is grouped, how many pictures of each class to learn from."""

    test: float
    group: str
    sizes: tuple[int, ...]


STREET = r"^(.*)/\d{5}_((?:crop_?|person_and_bike_|person_)\d+(?=[a-z])|(?:image|extra)?\d*?(?=\d{0,2}\.jpg))"
SETS = {
    "scenes": Set(0.25, "", (5, 20, 50)),
    "face-mask": Set(0.2, r"^(.*)/\d{5}_(.*?)(?:_copy(?:_\d+)?)?\.\w+$", (5, 20, 100)),
    "brain-mri": Set(0.3, "", (5, 20, 40)),
    "blood-cells": Set(0.3, r"(BloodImage_\d+)", (5, 20, 100)),
    "street": Set(0.2, STREET, (5, 20, 100)),
}


def main() -> None:
    """Measure the named sets."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--sets", default=",".join(SETS))
    parser.add_argument("--draws", type=int, default=5)
    parser.add_argument("--size", type=int, default=None, help="input size in pixels")
    parser.add_argument("--most-tests", type=int, default=1000, help="test pictures, drawn at random if there are more")
    parser.add_argument("--peers", action="store_true")
    parser.add_argument("--fine-tune", type=int, default=0, metavar="EPOCHS")
    parser.add_argument("--classes", type=int, default=None, help="only the first ones of each set")
    parser.add_argument("--counts", type=int, nargs="+", default=None, help="pictures of each class, instead of those in SETS")
    given = parser.parse_args()
    for name in given.sets.split(","):
        measure(name, given)


def measure(name: str, given: argparse.Namespace) -> None:
    """Print the lines of a data set."""
    row = SETS[name]
    dataset = DataConfig(str(given.data / name), group=row.group).scan()
    sides = split(dataset, fraction=row.test, seed=TEST_SEED)
    chosen = range(len(dataset.labels))[: given.classes]
    train = [item for item in sides.train if item.class_id in chosen]
    tests = shuffled([item for item in sides.val if item.class_id in chosen], TEST_SEED)[: given.most_tests]
    spec = None
    for size in given.counts or row.sizes:
        found: dict[str, list[float]] = defaultdict(list)
        with tempfile.TemporaryDirectory() as folder:
            os.environ["XDG_CACHE_HOME"] = folder
            open_backbone(size=given.size)  # built once, before the time is taken
            for draw in range(given.draws):
                drawn = draw_pictures(train, size, draw)
                began = time.perf_counter()
                learned = learn(dataset, drawn, Path(folder), row, given)
                found["seconds"].append(time.perf_counter() - began)
                if spec != learned.card.input:
                    spec = learned.card.input
                    pictures = decode(tests, spec)
                run = Classifier.load(learned.out, device="cpu", threads=1).probabilities
                right = answers(run, pictures).probabilities.argmax(axis=1) == pictures.class_ids
                note(found, learned, right, pictures)
                for peer, top1 in peers(drawn, pictures, learned.card, heads=given.peers, epochs=given.fine_tune):
                    found[peer].append(top1)
        show(name, size, found, len(tests), given)


def note(found: dict[str, list[float]], learned: Learned, right: NDArray[np.bool_], pictures: Pictures) -> None:
    """Add the figures of a draw."""
    classes = range(len(learned.card.labels))
    recalls = [right[pictures.class_ids == c].mean() for c in classes if (pictures.class_ids == c).any()]
    found["top1"].append(float(right.mean()))
    found["macro"].append(float(np.mean(recalls)))
    interval = learned.accuracy.overall.interval
    if interval is not None:  # about as many pictures of each class: what it is about is the macro recall
        found["covered"].append(interval.low <= float(np.mean(recalls)) <= interval.high)


def show(name: str, size: int, found: dict[str, list[float]], tests: int, given: argparse.Namespace) -> None:
    """Print a line of JSON."""
    shown: dict[str, Any] = {"set": name, "pictures": size, "draws": given.draws, "tests": tests}
    for key, values in found.items():
        if key == "covered":
            shown[key] = f"{int(sum(values))} of {len(values)}"
        elif key == "seconds":
            shown[key] = round(float(np.median(values)), 1)
        else:
            shown[key] = f"{100 * np.mean(values):.1f} +- {100 * np.std(values, ddof=1) if len(values) > 1 else 0:.1f}"
    print(json.dumps(shown), flush=True)


def draw_pictures(items: Sequence[Item], size: int, seed: int) -> list[Item]:
    """Draw pictures of each class, of as many groups as possible."""
    chosen: list[Item] = []
    for class_id in sorted({item.class_id for item in items}):
        groups: dict[str, list[Item]] = defaultdict(list)
        for item in shuffled([item for item in items if item.class_id == class_id], seed):
            groups[item.group].append(item)
        turns = (group[turn] for turn in range(size) for group in groups.values() if turn < len(group))
        chosen += [item for item, _ in zip(turns, range(size), strict=False)]
    return chosen


def shuffled(items: Sequence[Item], seed: int) -> list[Item]:
    """Return the items in another order."""
    return [items[i] for i in np.random.default_rng(seed).permutation(len(items)).tolist()]


def learn(dataset: Dataset, items: Sequence[Item], folder: Path, row: Set, given: argparse.Namespace) -> Learned:
    """Learn from the items, which a manifest lists."""
    manifest = folder / "drawn.csv"
    with manifest.open("w", newline="", encoding="utf-8") as file:
        rows = csv.writer(file)
        rows.writerow(("file", "class"))
        rows.writerows((item.file.resolve(), dataset.labels[item.class_id]) for item in items if item.file)
    data = {"path": str(manifest), "group": row.group}
    return learn_model(data, folder / "m.onnx", size=given.size, say=lambda _line: None)


if __name__ == "__main__":
    main()
