"""Is a device right, and how fast? To be run on a machine that has it; where it is not, one line and exit code 1.

python scripts/gpu.py MODEL.onnx [--pictures DIR] [--device cuda] [--seconds 2]

Labels and probabilities of the device against the CPU's, on pictures of a folder or drawn ones; then images a second at
several sizes of batch, without and with bound buffers, the two in turns, and the share of a bound call that goes into copies.
Prints Markdown. A GPU takes the float file: `edgecls export RUN --out M.onnx --scheme fp32`. Exit code 1 also if a label
differs, or a probability by more than BOUNDS has for the model's scheme.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from edgecls import Classifier, EdgeclsError
from edgecls.binding import Binding
from edgecls.card import family
from edgecls.dataset import decode, scan
from edgecls.providers import LARGEST_BOUND_BATCH, PROVIDERS, open_session

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray
    from onnxruntime import InferenceSession

BATCHES = (1, 8, 64, 256)
BOUNDS = {"fp32": 1e-3, "fp16": 1e-2}
OTHER_BOUND = 5e-2
"""Of int8: a value that lies between two steps is rounded to either by another order of sums."""
PICTURES = 1024
TURNS = 5


def drawn(shape: tuple[int, int, int]) -> NDArray[np.uint8]:
    """Pictures with edges, areas and noise, (PICTURES, height, width, channels) uint8: random ellipses on random grounds."""
    import cv2

    chance = np.random.default_rng(0)
    height, width, channels = shape
    batch = np.empty((PICTURES, *shape), np.uint8)
    for target in batch:
        picture = np.empty((height, width, 3), np.uint8)
        picture[:] = chance.integers(0, 256, 3)
        for _ in range(4):
            center, axes = chance.integers(0, (width, height)), chance.integers(1, (width, height))
            colour = tuple(map(int, chance.integers(0, 256, 3)))
            cv2.ellipse(picture, tuple(map(int, center)), tuple(map(int, axes)), int(chance.integers(180)), 0, 360, colour, -1)
        noisy = picture + chance.normal(0, 8, picture.shape)
        target[:] = np.clip(noisy, 0, 255).astype(np.uint8)[:, :, :channels]
    return batch


def of_folder(folder: str, classifier: Classifier) -> NDArray[np.uint8]:
    """The pictures of a labelled folder as the model takes them, evenly chosen where there are more than PICTURES."""
    items = scan(folder).items
    return decode(items[:: max(1, len(items) // PICTURES)], classifier.card.input).batch


def agreement(device: Classifier, cpu: Classifier, pictures: NDArray[np.uint8]) -> tuple[int, float]:
    """How many labels differ, and the largest difference of a probability."""
    different, largest = 0, 0.0
    for start in range(0, len(pictures), 64):
        ours, theirs = (c.probabilities(pictures[start : start + 64]) for c in (device, cpu))
        different += int((ours.argmax(axis=1) != theirs.argmax(axis=1)).sum())
        largest = max(largest, float(np.abs(ours - theirs).max()))
    return different, largest


def rate(call: Callable[[], object], images: int, seconds: float) -> float:
    """Images a second of a call that classifies `images`."""
    calls, began = 0, time.perf_counter()
    while (spent := time.perf_counter() - began) < seconds:
        call()
        calls += 1
    return calls * images / spent


def copies(session: InferenceSession, binding: Binding, batch: NDArray[np.uint8], times: int = 200) -> float:
    """The share of a bound call that goes into bringing pictures there and probabilities back, medians of `times` calls."""
    buffers = binding.buffers(batch.shape)
    steps = (
        lambda: buffers.pictures.update_inplace(batch),
        lambda: session.run_with_iobinding(buffers.binding),
        buffers.probabilities.numpy,
    )
    spans: list[tuple[float, float, float]] = []
    for _ in range(times):
        marks = [time.perf_counter()]
        for step in steps:
            step()
            marks.append(time.perf_counter())
        spans.append((marks[1] - marks[0], marks[2] - marks[1], marks[3] - marks[2]))
    there, run, back = (statistics.median(column) for column in zip(*spans, strict=True))
    return (there + back) / (there + run + back)


def measure(session: InferenceSession, cpu: Classifier, memory: str, seconds: float) -> list[str]:
    """A row for each size of batch."""
    binding = Binding(session, memory, largest=LARGEST_BOUND_BATCH) if memory else None
    rows = []
    for size in BATCHES:
        batch = np.random.default_rng(size).integers(0, 256, (size, *cpu.card.input.shape), np.uint8)
        calls: dict[str, Callable[[], object]] = {"plain": lambda b=batch: session.run(None, {"image": b})}
        if binding is not None:
            calls["bound"] = lambda b=batch: binding.run(b)
        calls["cpu"] = lambda b=batch: cpu.probabilities(b)
        for call in calls.values():  # the first call of a size allocates and chooses
            call()
        rates = {name: [] for name in calls}
        for _ in range(TURNS):
            for name, call in calls.items():
                rates[name].append(rate(call, size, seconds / TURNS))
        shown = {name: f"{statistics.median(values):,.0f}" for name, values in rates.items()}
        share = f"{copies(session, binding, batch):.0%}" if binding is not None else "-"
        rows.append(f"| {size} | {shown['plain']} | {shown.get('bound', '-')} | {share} | {shown['cpu']} |")
    return rows


def name_of(device: str) -> str:
    """The device's own name and its driver, where nvidia-smi tells."""
    if PROVIDERS[device].memory == "cuda":
        try:
            command = ["nvidia-smi", "--query-gpu=name,driver_version", "--format=csv,noheader"]
            return subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()[0]
        except (OSError, subprocess.CalledProcessError, IndexError):
            pass
    return device


def main() -> int:
    """Compare, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", help="an .onnx file of edgecls")
    parser.add_argument("--pictures", help="labelled pictures, as `edgecls eval` takes them; left out: drawn ones")
    parser.add_argument("--device", default="cuda", choices=sorted(PROVIDERS))
    parser.add_argument("--seconds", type=float, default=2.0, help="for each number of the table")
    given = parser.parse_args()
    try:
        cpu = Classifier.load(given.model, device="cpu")
        content = Path(given.model).read_bytes()
        began = time.perf_counter()
        opened = open_session(content, given.model, given.device)
        start_s = time.perf_counter() - began
        device = Classifier(content, cpu.card, opened)
        pictures = of_folder(given.pictures, cpu) if given.pictures else drawn(cpu.card.input.shape)
    except EdgeclsError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    different, largest = agreement(device, cpu, pictures)
    bound = BOUNDS.get(family(cpu.card.scheme), OTHER_BOUND)
    print(f"{given.model} ({cpu.card.scheme}) on {name_of(given.device)}, {given.device}; starts in {start_s:.1f} s\n")
    print(f"{len(pictures)} {'real' if given.pictures else 'drawn'} pictures: {different} labels differ from the CPU's, "
          f"the largest difference of a probability is {largest:.2g} (at most {bound:g})\n")  # fmt: skip
    print("| batch | images/s | with bound buffers | of that in copies | images/s on the CPU |\n|---|---|---|---|---|")
    print("\n".join(measure(opened.session, cpu, PROVIDERS[given.device].memory, given.seconds)))
    return 1 if different or largest > bound else 0


if __name__ == "__main__":
    sys.exit(main())
