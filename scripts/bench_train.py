"""Benchmark of the input pipeline: training with edgecls against `model.fit` on arrays in memory.

python scripts/bench_train.py [--runs 5] [--pictures 4000] [--data DATA] [--arch edge classic] [--size 32] [--color gray]

Pictures per second in one epoch, as medians of alternating runs on warm networks. Appended to scripts/bench.jsonl:

    arrays      `model.fit` on arrays in memory: the upper limit
    plain       edgecls without augmentation
    augmented   edgecls with its default augmentation
    disk        edgecls without augmentation, with the pictures in a file, as if they did not fit in memory

KERAS_BACKEND selects the backend of Keras, as for `edgecls train`.
"""

from __future__ import annotations

import argparse
import json
import platform
import statistics
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from edgecls.dataset import DataConfig, Item, MemoryBudget, Pictures, decode
from edgecls.input_spec import InputSpec
from edgecls.train import backend, balance
from edgecls.train.batches import Batches, HeldOut, served
from edgecls.train.config import NO_AUGMENT, TrainConfig
from edgecls.train.divergence import guard
from edgecls.train.model import build
from edgecls.train.targets import targets

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

ROOT = Path(__file__).parent.parent
CLASSES = 43
BATCH = 32
WAYS = ("arrays", "plain", "augmented", "disk")


def main() -> int:
    """Measure in turns, print medians and ratios, and append them to the log."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--pictures", type=int, default=4000)
    parser.add_argument("--data", default="", help="labelled pictures; default: noise")
    parser.add_argument("--arch", nargs="+", default=("edge", "classic"))
    parser.add_argument("--size", type=int, default=32)
    parser.add_argument("--color", default="gray")
    arguments = parser.parse_args()
    keras = backend.load(0)
    spec = InputSpec(arguments.size, arguments.size, arguments.color)
    items = given(arguments.data, arguments.pictures) if arguments.data else drawn(arguments.pictures, arguments.size)
    pictures, on_disk = decode(items, spec), decode(items, spec, budget=MemoryBudget(0))
    line: dict[str, Any] = {
        "at": time.strftime("%Y-%m-%d"),
        "machine": f"{platform.machine()}, {platform.python_version()}",
        "runs": arguments.runs,
        "backend": backend.version(keras),
        "input": f"{spec.width}x{spec.height} {spec.color}",
    }
    for arch in arguments.arch:
        medians = per_second(keras, TrainConfig(DataConfig("drawn"), arch=arch, input=spec), pictures, on_disk, arguments.runs)
        print(f"{arch:8} " + ", ".join(f"{way} {value:,.0f} a second" for way, value in medians.items()))
        print(
            f"{arch:8} " + ", ".join(f"{way} {medians[way] / medians['arrays']:.2f} of arrays" for way in WAYS[1:]), flush=True
        )
        line |= {f"train_{arch}_{way}_per_s": round(value) for way, value in medians.items()}
    with (ROOT / "scripts" / "bench.jsonl").open("a", encoding="utf-8") as lines:
        lines.write(json.dumps(line) + "\n")
    return 0


def drawn(count: int, size: int) -> list[Item]:
    """Return noise with labels: the speed of training does not depend on the pictures."""
    rng = np.random.default_rng(0)
    return [Item(f"{i}", i % CLASSES, "", pixels=rng.integers(0, 256, (size, size), np.uint8)) for i in range(count)]


def given(data: str, count: int) -> Sequence[Item]:
    """Return up to `count` pictures of a data set, evenly spaced."""
    items = DataConfig(data).scan().items
    return items[:: max(1, len(items) // count)][:count]


def per_second(keras: Any, config: TrainConfig, pictures: Pictures, on_disk: Pictures, runs: int) -> dict[str, float]:
    """Return the median pictures per second of each way."""
    classes = int(pictures.class_ids.max()) + 1
    ways: dict[str, Callable[[Any, Any], None]] = {
        "arrays": lambda model, clock: arrays(model, pictures, clock),
        "plain": lambda model, clock: ours(keras, model, pictures, replace(config, augment=NO_AUGMENT), clock),
        "augmented": lambda model, clock: ours(keras, model, pictures, config, clock),
        "disk": lambda model, clock: ours(keras, model, on_disk, replace(config, augment=NO_AUGMENT), clock),
    }
    models = {way: compiled(keras, config, classes) for way in ways}
    spans: dict[str, list[float]] = {way: [] for way in ways}
    for _ in range(runs + 1):  # the first run traces the network
        for way, train in ways.items():
            clock = clock_of(keras)
            train(models[way], clock)
            spans[way].append(clock.span_s)
    return {way: len(pictures.items) / statistics.median(values[1:]) for way, values in spans.items()}


def arrays(model: Any, pictures: Pictures, clock: Any) -> None:
    """Train with Keras on arrays in memory."""
    model.fit(pictures.batch, pictures.class_ids, batch_size=BATCH, epochs=2, verbose=0, callbacks=[clock])


def ours(keras: Any, model: Any, pictures: Pictures, config: TrainConfig, clock: Any) -> None:
    """Train as edgecls does."""
    labels = tuple(str(i) for i in range(int(pictures.class_ids.max()) + 1))
    told = targets(config, labels)
    batches = Batches(pictures, labels, config, told)
    few = HeldOut(Pictures(pictures.batch[:BATCH], pictures.class_ids[:BATCH], (), ()), labels, told)
    watchers = [guard(keras, Path("bench"), batches.per_epoch), clock]
    with served(batches, few, 0) as (shown, _):
        model.fit(shown, steps_per_epoch=batches.per_epoch, epochs=2, shuffle=False, verbose=0, callbacks=watchers)


def compiled(keras: Any, config: TrainConfig, classes: int) -> Any:
    """Return a network with the metrics of a training run."""
    model = build(config, classes)
    model.compile(
        keras.optimizers.Adam(), keras.losses.SparseCategoricalCrossentropy(), metrics=["accuracy", *balance.recalls(classes)]
    )
    return model


def clock_of(keras: Any) -> Any:
    """Return a callback that measures the last epoch as `span_s`, so that the start-up is not included."""

    class _Clock(keras.callbacks.Callback):  # type: ignore[misc]  # keras has no types
        span_s = 0.0

        def on_epoch_begin(self, _epoch: int, _logs: Any) -> None:
            self.began = time.perf_counter()

        def on_epoch_end(self, _epoch: int, _logs: Any) -> None:
            self.span_s = time.perf_counter() - self.began

    return _Clock()


if __name__ == "__main__":
    sys.exit(main())
