"""Measure how long learning and a learned model take: python scripts/bench_learn.py DATA [--count 20] [--repeats 5].

DATA has class folders. `edgecls learn` makes a model of all classes but the last, with `count` pictures of each; then the last
class is added and the command is run again, as a process of its own, each time with other pictures of that class. Then, for
each size, a model is learned and classifies one picture at a time on one thread. Printed is the fastest repeat, in seconds on
the clock and in CPU seconds, which other work on the machine inflates less.
"""

from __future__ import annotations

import argparse
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from edgecls.dataset import decode, scan
from edgecls.model.classifier import Classifier

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

ROUNDS = 300
SIZES = (96, 224)


def main() -> None:
    """Measure both and print a line for each."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--count", type=int, default=20)
    parser.add_argument("--repeats", type=int, default=5)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        os.environ["XDG_CACHE_HOME"] = str(Path(place) / "cache")
        folder = Path(place) / "data"
        *classes, last = sorted(path for path in given.data.iterdir() if path.is_dir())
        for one in classes:
            add(one, folder, given.count, 0)
        learn(folder)  # builds the network, and keeps the embeddings of these classes
        spent = []
        for repeat in range(given.repeats):
            add(last, folder, given.count, repeat)
            spent.append(learn(folder))
        wall, cpu = fastest(spent)
        print(f"one more class of {given.count} pictures, {len(classes)} there before: {wall:.1f} s, {cpu:.1f} s of CPU")
        for size in SIZES:
            learn(folder, "--size", str(size))
            wall, cpu = fastest(one_picture(folder))
            print(f"{size}x{size}, one thread: {1e3 * wall:.2f} ms a picture, {1e3 * cpu:.2f} ms of CPU")


def add(source: Path, folder: Path, count: int, repeat: int) -> None:
    """Copy `count` pictures of a class, others at each repeat, instead of those that are there."""
    files = sorted(path for path in source.iterdir() if path.is_file())
    shutil.rmtree(folder / source.name, ignore_errors=True)
    (folder / source.name).mkdir(parents=True)
    for i in range(count):
        shutil.copy(files[(repeat * count + i) % len(files)], folder / source.name)


def learn(folder: Path, *options: str) -> tuple[float, float]:
    """Run the command and return its seconds and its CPU seconds."""
    command = [sys.executable, "-m", "edgecls", "learn", str(folder), "--out", str(out_of(folder)), *options]
    before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    wall, after = time.perf_counter() - began, resource.getrusage(resource.RUSAGE_CHILDREN)
    return wall, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def out_of(folder: Path) -> Path:
    """Return where the model of a folder is written."""
    return folder.parent / "m.onnx"


def one_picture(folder: Path) -> Iterator[tuple[float, float]]:
    """Yield the seconds and the CPU seconds of the graph for one picture, ROUNDS times."""
    classifier = Classifier.load(out_of(folder), device="cpu", threads=1)
    batch = decode(scan(folder).items[:1], classifier.card.input).batch[:]
    for _ in range(ROUNDS):
        began, before = time.perf_counter(), time.thread_time()
        classifier.answers(batch)
        yield time.perf_counter() - began, time.thread_time() - before


def fastest(spent: Iterable[tuple[float, float]]) -> tuple[float, float]:
    """Return the least seconds and the least CPU seconds."""
    walls, cpus = zip(*spent, strict=True)
    return min(walls), min(cpus)


if __name__ == "__main__":
    main()
