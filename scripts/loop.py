"""The whole loop from the camera back to the camera, in one command: python scripts/loop.py [--seed 0] [--hours 30].

A camera watches a barrier that is open, half open or closed, one frame a minute. After a day the barrier is replaced by another
one, and the camera sees by infrared. Everything is drawn, so the truth is known. What a person and the owner of a model do:

1. learn a model from 20 pictures of each state of the old barrier
2. run it, with drift detection and a store for pictures worth a label; after the change, drift is reported
3. label what was collected, groups of alike pictures with one stroke; the truth is the person
4. learn a new model from the store, and compare both on pictures of the new barrier that nobody has learned from
5. run the old one again with the new one as its shadow, and put the new one in place between two frames

It prints what each step gave, and exits with 1 if drift took more than two hours, the accuracy is not back within a point, the
comparison is against the new model, or a frame was lost.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np

from edgecls import Run, compare_models, swap_model
from edgecls.labelling import Labelling
from edgecls.learn.learn_model import learn_model
from edgecls.run.config import read_config
from edgecls.video import ffmpeg

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from edgecls.event import Event
    from edgecls.frame import Picture, Result

HEIGHT, WIDTH = 144, 192
ZONE = (40, 16, 112, 112)
"""Left, top, width and height, in pixels."""
STATES = {"closed": 0.0, "half": 45.0, "open": 90.0}
"""The angle of the arm in degrees."""
SIZE = 96
LEARNED, TESTED = 20, 100
"""Pictures of each state to learn from at first, and to test with."""
CHANGE_H, LEARN_H = 25.0, 24
SHADOWED, AFTER = 120, 360
"""Frames that the shadow sees, and frames after the swap."""
FRAME_S = 0.05
LATEST_H, LARGEST_LOSS = 2.0, 0.01
FAMILIAR = 0.05
"""A state lasts a minute more with this probability of ending."""


@dataclass(slots=True)
class World:
    """What the camera sees, and when it was which state."""

    rng: np.random.Generator
    change: int
    """The first frame with the new barrier."""

    def states(self, frames: int) -> list[str]:
        """Draw the state of each frame."""
        names, found, now = list(STATES), [], "closed"
        for _ in range(frames):
            if self.rng.random() < FAMILIAR:
                now = str(self.rng.choice([name for name in names if name != now]))
            found.append(now)
        return found

    def picture(self, state: str, *, is_new: bool) -> Picture:
        """Draw a frame, (H, W, 3) blue-green-red, of the old or of the new barrier."""
        rng, (left, top, _, high) = self.rng, ZONE
        ground, post, arm = (
            ((150, 160, 150), (60, 60, 60), (40, 40, 220)) if not is_new else ((60,) * 3, (200,) * 3, (235,) * 3)
        )
        seen = np.full((HEIGHT, WIDTH, 3), ground, np.float32)
        seen[: HEIGHT // 3] *= 1.2 if not is_new else 0.5
        foot = (left + 14 + int(rng.integers(-3, 4)), top + high - 18 + int(rng.integers(-3, 4)))
        angle = np.radians(STATES[state] + rng.normal(0, 3))
        end = (round(foot[0] + 84 * np.cos(angle)), round(foot[1] - 84 * np.sin(angle)))
        if is_new:  # a lattice instead of a red bar
            cv2.line(seen, foot, end, arm, 2)
            for step in np.linspace(0.2, 1.0, 6):
                x, y = round(foot[0] + (end[0] - foot[0]) * step), round(foot[1] + (end[1] - foot[1]) * step)
                cv2.line(seen, (x, y), (x, y + 16), arm, 1)
        else:
            cv2.line(seen, foot, end, arm, 7)
            middle = ((foot[0] + end[0]) // 2, (foot[1] + end[1]) // 2)
            cv2.line(seen, middle, end, (240, 240, 240), 7)
        cv2.rectangle(seen, (foot[0] - 5, foot[1]), (foot[0] + 5, HEIGHT), post, -1)
        seen *= rng.uniform(0.85, 1.1)
        return np.clip(seen + rng.normal(0, 6, seen.shape), 0, 255).astype(np.uint8)


@dataclass(frozen=True, slots=True)
class Watched:
    """What a run said of a film: whether the label of each frame is right, how many came, and the events with their frames."""

    right: list[bool]
    frames: int
    events: list[tuple[int, Event]]


def main() -> int:
    """Run the loop, and print what each step gave."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument(
        "--hours", type=float, default=30.0, help=f"of the first film; the barrier is replaced after {CHANGE_H:g}"
    )
    parser.add_argument("--keep", type=Path, help="a new folder for what is made; default: none is kept")
    given = parser.parse_args()
    if given.keep is not None:
        given.keep.mkdir(parents=True)
        return loop(given.keep, seed=given.seed, hours=given.hours)
    with tempfile.TemporaryDirectory() as folder:
        return loop(Path(folder), seed=given.seed, hours=given.hours)


def loop(folder: Path, *, seed: int, hours: float) -> int:
    """Run the loop in a folder. Returns the exit code."""
    os.environ["XDG_STATE_HOME"] = str(folder / "state")
    world = World(np.random.default_rng(seed), round(CHANGE_H * 60))
    model, new, store = folder / "barrier.onnx", folder / "barrier-new.onnx", folder / "store"
    write_classes(world, folder / "first", LEARNED, is_new=False)
    write_classes(world, folder / "tests", TESTED, is_new=True)
    first = learn_model(folder / "first", model, size=SIZE, say=lambda _line: None)
    print(f"learned      {first.accuracy.overall} from {len(STATES)} x {LEARNED} pictures")

    truth = world.states(round(hours * 60))
    write_film(folder / "film.mkv", [world.picture(state, is_new=i >= world.change) for i, state in enumerate(truth)])
    seen = watch(Run(configured(folder, "film.mkv", model, sink=f"collect:{store}?per_day=300")), truth)
    before, after = share(seen.right[: world.change]), share(seen.right[world.change :])
    begun = [(i, event) for i, event in seen.events if event.kind == "drift" and event.end is None]
    late_h = (begun[0][0] - world.change) / 60 if begun else float("inf")
    print(f"accuracy     {before:.1%} before the change, {after:.1%} after it")
    print(f"drift        {len(begun)} reported, after {late_h:.1f} h, cause {begun[0][1].label if begun else '-'}")

    strokes, labelled = label(store, truth)
    print(f"labelled     {labelled} collected pictures with {strokes} strokes")
    second = learn_model(store, new, size=SIZE, say=lambda _line: None)
    print(f"learned      {second.accuracy.overall} from the store")
    compared = compare_models(model, new, folder / "tests", device="cpu", say=lambda _line: None)
    print(f"compared     {compared.verdict}")

    states = world.states(SHADOWED + AFTER)
    write_film(folder / "next.mkv", [world.picture(state, is_new=True) for state in states])
    config = configured(folder, "next.mkv", model, shadow=new)
    again = watch(swapping(Run(config), str(model), new, config), states)
    swapped = next((i for i, event in again.events if event.kind == "model" and event.label == "swapped"), len(states))
    back = share(again.right[swapped + 1 :])
    agreed = [event.score for _, event in again.events if event.kind == "model" and event.label == "compared"]
    shown = f", the shadow agreed in {agreed[0]:.1%}" if agreed else ""
    then = share(again.right[:swapped])
    print(f"swapped      at frame {swapped} of {again.frames}{shown}; accuracy {then:.1%} before, {back:.1%} after")
    lost = len(truth) - seen.frames + len(states) - again.frames
    print(f"frames lost  {lost}")
    is_good = 0 <= late_h <= LATEST_H and back >= before - LARGEST_LOSS and not compared.failures() and not lost
    print("the loop is closed" if is_good else "the loop is NOT closed")
    return 0 if is_good else 1


def write_classes(world: World, folder: Path, count: int, *, is_new: bool) -> None:
    """Write pictures of the zone into class folders."""
    left, top, wide, high = ZONE
    for state in STATES:
        (folder / state).mkdir(parents=True)
        for i in range(count):
            picture = world.picture(state, is_new=is_new)[top : top + high, left : left + wide]
            cv2.imwrite(str(folder / state / f"{i:03d}.png"), picture)


def write_film(path: Path, pictures: Sequence[Picture]) -> None:
    """Write a film with a frame a minute."""
    av = ffmpeg.load("Writing a film")
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=Fraction(1, 60), options={"crf": "14", "g": "30", "bf": "0"})
        stream.height, stream.width, stream.pix_fmt, stream.time_base = HEIGHT, WIDTH, "yuv420p", Fraction(1, 1000)
        for i, picture in enumerate(pictures):
            frame = av.VideoFrame.from_ndarray(picture, format="bgr24")
            frame.pts, frame.time_base = i * 60_000, Fraction(1, 1000)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))


def configured(folder: Path, film: str, model: Path, *, sink: str = "", shadow: Path | None = None) -> Path:
    """Write a cameras.toml. Returns its path."""
    area = [ZONE[0] / WIDTH, ZONE[1] / HEIGHT, ZONE[2] / WIDTH, ZONE[3] / HEIGHT]
    lines = [f'model = "{model}"', "quiet = true", f"sinks = {[sink] if sink else []}"]
    if shadow is not None:
        lines += [
            "[shadow]",
            f'model = "{shadow}"',
            "share = 1.0",
            f'store = "{folder / "disagreements"}"',
            "trial = { frames = 100 }",
        ]
    lines += ["[[camera]]", 'name = "gate"', f'source = "{folder / film}"', "health = { off = true }"]
    lines += [f"drift = {{ learn_h = {LEARN_H} }}", "[[camera.zone]]", 'name = "barrier"', f"area = {area}"]
    path = folder / f"{Path(film).stem}.toml"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def watch(run: Run | Iterator[tuple[Result, list[Event]]], truth: Sequence[str]) -> Watched:
    """Read a run to its end, and compare its labels with the truth."""
    right, events = [], []
    for i, (result, found) in enumerate(run):
        right.append(result.detections[0].prediction.label == truth[i])
        events += [(i, event) for event in found]
    if isinstance(run, Run):
        run.close()
    return Watched(right, len(right), events)


def swapping(run: Run, model: str, new: Path, config: Path) -> Iterator[tuple[Result, list[Event]]]:
    """Read a run, and put the new model in place after SHADOWED frames. Then frames come slower until it is, because the run
    looks for another model once a second, and this film would be over by then.
    """
    is_awaited = False
    with run:
        for i, (result, events) in enumerate(run):
            is_awaited &= not any(event.kind == "model" and event.label == "swapped" for event in events)
            yield result, events
            if i + 1 == SHADOWED:
                swap_model(model, new, config=read_config(config))
                is_awaited = True
            if is_awaited:
                time.sleep(FRAME_S)


def label(store: Path, truth: Sequence[str]) -> tuple[int, int]:
    """Give each group its most frequent state, without the pictures of others. Returns the strokes and the pictures."""
    strokes = labelled = 0
    with Labelling(store, author="the truth", say=lambda _line: None) as labelling:
        while (group := labelling.next()) is not None:
            states = [truth[min(round((entry.origin.time_s or 0.0) / 60), len(truth) - 1)] for entry in group.entries]
            most, _ = Counter(states).most_common(1)[0]
            labelled += sum(state == most for state in states)
            others = [entry.id for entry, state in zip(group.entries, states, strict=True) if state != most]
            labelling.label(group, most, without=others)
            strokes += 1
    return strokes, labelled


def share(right: Sequence[bool]) -> float:
    """Return the share of right labels."""
    return sum(right) / max(1, len(right))


if __name__ == "__main__":
    sys.exit(main())
