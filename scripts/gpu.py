"""Check that a device gives correct results and measure its speed. Exits with 1 if the machine does not have it.

python scripts/gpu.py MODEL.onnx [--pictures DIR] [--device cuda] [--seconds 2]

Compares labels and probabilities with those of the CPU, on pictures of a folder or generated ones. Then measures images per
second at several batch sizes, with and without bound buffers, and the share of copies in a bound call. Prints Markdown. A GPU
needs the float model: `edgecls export RUN --out M.onnx --scheme fp32`. Also exits with 1 if a label differs, or a probability
by more than BOUNDS.
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
from edgecls.dataset import decode, scan
from edgecls.model.card import family
from edgecls.model.device_buffers import Binding
from edgecls.model.providers import LARGEST_BOUND_BATCH, PROVIDERS, open_session

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray
    from onnxruntime import InferenceSession

BATCHES = (1, 8, 64, 256)
BOUNDS = {"fp32": 1e-3, "fp16": 1e-2}
OTHER_BOUND = 5e-2
"""For int8: with another order of summation a value between two steps may be rounded to the other one."""
PICTURES = 1024
TURNS = 5


def drawn(shape: tuple[int, int, int]) -> NDArray[np.uint8]:
    """Return (PICTURES, height, width, channels) uint8 pictures of random ellipses with noise."""
    import cv2

    rng = np.random.default_rng(0)
    height, width, channels = shape
    batch = np.empty((PICTURES, *shape), np.uint8)
    for target in batch:
        picture = np.empty((height, width, 3), np.uint8)
        picture[:] = rng.integers(0, 256, 3)
        for _ in range(4):
            center, axes = rng.integers(0, (width, height)), rng.integers(1, (width, height))
            colour = tuple(map(int, rng.integers(0, 256, 3)))
            cv2.ellipse(picture, tuple(map(int, center)), tuple(map(int, axes)), int(rng.integers(180)), 0, 360, colour, -1)
        noisy = picture + rng.normal(0, 8, picture.shape)
        target[:] = np.clip(noisy, 0, 255).astype(np.uint8)[:, :, :channels]
    return batch


def of_folder(folder: str, classifier: Classifier) -> NDArray[np.uint8]:
    """Return up to PICTURES pictures of a labelled folder, evenly spaced, as input for the model."""
    items = scan(folder).items
    return decode(items[:: max(1, len(items) // PICTURES)], classifier.card.input).batch


def agreement(device: Classifier, cpu: Classifier, pictures: NDArray[np.uint8]) -> tuple[int, float]:
    """Return how many labels differ, and the largest difference of a probability."""
    different, largest = 0, 0.0
    for start in range(0, len(pictures), 64):
        ours, theirs = (c.probabilities(pictures[start : start + 64]) for c in (device, cpu))
        different += int((ours.argmax(axis=1) != theirs.argmax(axis=1)).sum())
        largest = max(largest, float(np.abs(ours - theirs).max()))
    return different, largest


def rate(call: Callable[[], object], images: int, seconds: float) -> float:
    """Return the images per second of a call that classifies `images` images."""
    calls, began = 0, time.perf_counter()
    while (spent := time.perf_counter() - began) < seconds:
        call()
        calls += 1
    return calls * images / spent


def copies(session: InferenceSession, binding: Binding, batch: NDArray[np.uint8], times: int = 200) -> float:
    """Return the share of copies to and from the device in a bound call, from the medians of `times` calls."""
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
    """Return a row of the table for each batch size."""
    binding = Binding(session, memory, largest=LARGEST_BOUND_BATCH) if memory else None
    rows = []
    for size in BATCHES:
        batch = np.random.default_rng(size).integers(0, 256, (size, *cpu.card.input.shape), np.uint8)
        calls: dict[str, Callable[[], object]] = {"plain": lambda b=batch: session.run(None, {"image": b})}
        if binding is not None:
            calls["bound"] = lambda b=batch: binding.run(b)
        calls["cpu"] = lambda b=batch: cpu.probabilities(b)
        for call in calls.values():  # the first call of a size allocates and tunes
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
    """Return the name of the device and its driver from nvidia-smi, if available."""
    if PROVIDERS[device].memory == "cuda":
        try:
            command = ["nvidia-smi", "--query-gpu=name,driver_version", "--format=csv,noheader"]
            return subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()[0]
        except (OSError, subprocess.CalledProcessError, IndexError):
            pass
    return device


def main() -> int:
    """Compare, measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", help="an .onnx file of edgecls")
    parser.add_argument("--pictures", help="labelled pictures, as for `edgecls eval`; default: generated ones")
    parser.add_argument("--device", default="cuda", choices=sorted(PROVIDERS))
    parser.add_argument("--seconds", type=float, default=2.0, help="duration of each measurement")
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
