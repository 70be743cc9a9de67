"""Is what a run collects worth more than pictures at random: python scripts/collecting.py [--data FOLDER --clips FOLDER].

A camera watches a place for two hours. Frames of real clips are its view: by day, at dusk, at night and under lamps, half an
hour each. Objects with known contents, pictures of DATA, come into a zone and stay for 20 to 90 seconds each. Some classes are
seen often, others rarely (the second half as often as the first, the third a third ...), and between them the zone is empty.
Each draw has another order, another timetable and other objects.

The sink of `edgecls run` keeps about 50 pictures of it. Beside it, as many are drawn at random, and as many by colour: of the
moments of the middle 80 %, four times as many at random, and of these the ones farthest from each other by histograms of hue,
saturation and value (8 x 8 x 8, Bhattacharyya distance), as Frigate chooses examples. `edgecls learn` learns from each with the
true labels. It is measured with other objects of each class, in all kinds of light: the mean of the recalls of the classes.

Without --data and --clips everything is drawn.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

from edgecls import image
from edgecls.collect import SelectionSettings
from edgecls.dataset import DataConfig, split
from edgecls.frame import Box, Detection, Frame, Prediction, Result, Timing
from edgecls.learn.learn_model import learn_model
from edgecls.model.classifier import Classifier
from edgecls.sink import CollectSettings, CollectSink
from edgecls.source import open_source
from edgecls.store import Origin, Store

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from numpy.typing import NDArray

    from edgecls.frame import Picture

HEIGHT, WIDTH = 360, 640
ZONE = Box(220, 80, 420, 280)
SECONDS = 7200
EMPTY = "empty"
KINDS = ("day", "dusk", "night", "lamps")
CLIPS = {"day": "two-lanes-day", "dusk": "dusk-street", "night": "night-street", "lamps": "store-aisle"}
TINTS = {"day": (1.0, 1.0, 1.0), "dusk": (0.45, 0.5, 0.62), "night": (0.3, 0.25, 0.22), "lamps": (0.62, 0.85, 1.0)}
"""What the light leaves of blue, green and red."""
NOISE = {"day": 2.0, "dusk": 5.0, "night": 9.0, "lamps": 3.0}
FRAMES = 60
"""Of each clip; the last third is for the test."""
NOTHING_SAID = Prediction("", 0.0, -1, ())
STREET = r"^(.*)/\d{5}_((?:crop_?|person_and_bike_|person_)\d+(?=[a-z])|(?:image|extra)?\d*?(?=\d{0,2}\.jpg))"
TRACK = r"^(.*_?\d{5})_\d{5}\.\w+$"
SITES: dict[str, tuple[tuple[str, str], ...]] = {
    "scenes": (("scenes", ""),),
    "chars": (("plate-chars", ""),),
    "signs": (("GTSRB/Final_Training/Images", TRACK),),
    "road": (("street", STREET), ("traffic-lights", "")),
    "clinic": (("blood-cells", r"(BloodImage_\d+)"), ("face-mask", r"^(.*)/\d{5}_(.*?)(?:_copy(?:_\d+)?)?\.\w+$")),
}
"""What comes into the zone: folders of DATA, and how their pictures are grouped. The first two were used to choose settings."""


@dataclass(frozen=True, slots=True)
class Things:
    """Pictures of objects by class and group: those that the camera sees, and those of the test."""

    seen: dict[str, list[list[Callable[[], Picture]]]]
    tests: dict[str, list[list[Callable[[], Picture]]]]


@dataclass(frozen=True, slots=True)
class Spell:
    """What the zone shows from one second to another: views of one object, or nothing."""

    first_s: int
    last_s: int
    name: str
    views: Sequence[Callable[[], Picture]] = ()


@dataclass(slots=True)
class World:
    """Two hours before a camera."""

    views: dict[str, list[Picture]]
    spells: list[Spell]
    seed: int
    seconds: int = SECONDS
    _at: dict[int, Spell] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Find the spell of each second."""
        self._at = {s: spell for spell in self.spells for s in range(spell.first_s, spell.last_s)}

    def kind(self, second: int) -> str:
        """Return the light of a second."""
        return KINDS[second * len(KINDS) // self.seconds]

    def name(self, second: int) -> str:
        """Return the class of a second."""
        return self._at[second].name

    def frame(self, second: int) -> Picture:
        """Return what the camera sees in a second."""
        rng = np.random.default_rng((self.seed, second))
        spell, kind = self._at[second], self.kind(second)
        views = self.views[kind]
        frame = views[second % (2 * len(views) // 3)]
        if not spell.views:
            return frame
        return shown(
            frame, spell.views[(second - spell.first_s) * len(spell.views) // (spell.last_s - spell.first_s)](), kind, rng
        )


def shown(frame: Picture, thing: Picture, kind: str, rng: np.random.Generator) -> Picture:
    """Return a frame with an object in its zone, a little moved, in this light."""
    high, wide = ZONE.bottom - ZONE.top, ZONE.right - ZONE.left
    side = round(rng.uniform(0.7, 1.0) * min(high, wide))
    thing = cv2.resize(thing, (side, side), interpolation=cv2.INTER_LINEAR)
    lit = thing * np.array(TINTS[kind]) * rng.uniform(0.8, 1.2) + rng.normal(0, NOISE[kind], thing.shape)
    left, top = ZONE.left + int(rng.integers(0, wide - side + 1)), ZONE.top + int(rng.integers(0, high - side + 1))
    drawn = frame.copy()
    drawn[top : top + side, left : left + side] = np.clip(lit, 0, 255)
    return drawn


def world_of(things: Things, views: dict[str, list[Picture]], seed: int, seconds: int = SECONDS) -> World:
    """Draw a timetable: an object, a pause, another object. The k-th class of a random order comes 1 / k times as often."""
    rng = np.random.default_rng(seed)
    names = [str(name) for name in rng.permutation(sorted(things.seen))]
    weights = 1 / np.arange(1, len(names) + 1)
    left = {name: [groups[i] for i in rng.permutation(len(groups))] for name, groups in things.seen.items()}
    spells: list[Spell] = []
    now = 0
    while now < seconds:
        name = names[int(rng.choice(len(names), p=weights / weights.sum()))]
        group = left[name].pop(0)
        left[name].append(group)
        for what, stays, of in ((name, rng.uniform(20, 90), group), (EMPTY, rng.exponential(20), ())):
            end = min(seconds, now + max(1, round(stays)))
            if end > now:
                spells.append(Spell(now, end, what, of))
            now = end
    return World(views, spells, seed, seconds)


def collected(world: World, keep: int, folder: Path) -> list[int]:
    """Return the seconds whose pictures the sink keeps, into a store at `folder`."""
    hours = world.seconds / 3600
    per_day = keep / ((3 * 0.8 * np.ceil(hours) + 0.2 * hours) / 24)  # an hour takes three times its even share
    choice = SelectionSettings(per_day=max(1, round(per_day)))
    with CollectSink(CollectSettings(str(folder), margin=0, choice=choice), seed=world.seed) as sink:
        for second in range(world.seconds):
            frame = Frame(
                "camera", second, time_s=float(second), captured_at=0.0, size_hw=(HEIGHT, WIDTH),
                bgr=lambda s=second: world.frame(s), plane=lambda s=second: image.gray(world.frame(s)),
            )  # fmt: skip
            sink.write(Result(frame, (Detection(ZONE, NOTHING_SAID, "zone"),), Timing(0.0, 0.0, 0.0)))
            while sink.backlog.waiting:  # two hours pass in minutes here, so that it would drop what comes too fast
                time.sleep(0.001)
        if sink.backlog.dropped:
            raise RuntimeError(f"{sink.backlog.dropped} pictures came too fast")
    with Store(folder) as store:
        return [round(entry.origin.time_s or 0.0) for entry in store.entries()]


def at_random(world: World, keep: int) -> list[int]:
    """Return seconds drawn at random."""
    return sorted(np.random.default_rng((world.seed, 1)).choice(world.seconds, keep, replace=False).tolist())


def by_color(world: World, keep: int) -> list[int]:
    """Return seconds whose colours are farthest from each other, of four times as many moments at random."""
    rng = np.random.default_rng((world.seed, 2))
    moments = sorted((world.seconds // 10 + rng.choice(world.seconds * 8 // 10, 4 * keep, replace=False)).tolist())
    found = [histogram(zone_of(world, second)) for second in moments]
    chosen = [int(rng.integers(len(moments)))]
    distance = np.full(len(moments), np.inf)
    while len(chosen) < keep:
        last = found[chosen[-1]]
        distance = np.minimum(distance, [cv2.compareHist(last, one, cv2.HISTCMP_BHATTACHARYYA) for one in found])
        distance[chosen] = -1
        chosen.append(int(distance.argmax()))
    return sorted(moments[i] for i in chosen)


def histogram(picture: Picture) -> NDArray[np.float32]:
    """Return the histogram of hue, saturation and value."""
    found = cv2.calcHist([cv2.cvtColor(picture, cv2.COLOR_BGR2HSV)], [0, 1, 2], None, [8] * 3, [0, 180, 0, 256, 0, 256])
    return np.asarray(cv2.normalize(found, found), np.float32)


def zone_of(world: World, second: int) -> Picture:
    """Return the picture of the zone in a second."""
    return image.crop(world.frame(second), ZONE)


def labelled(world: World, seconds: Sequence[int], folder: Path) -> Path:
    """Make a store of the zone in these seconds, with true labels."""
    with Store(folder) as store:
        numbers = defaultdict(list)
        for second in seconds:
            numbers[world.name(second)].append(
                store.add(zone_of(world, second), Origin(camera="camera", region="zone", time_s=float(second)))
            )
        for name, some in numbers.items():
            store.label(some, name)
    return folder


def test_pictures(things: Things, views: dict[str, list[Picture]], each: int) -> Iterator[tuple[str, Picture]]:
    """Yield pictures of the zone with objects that the camera did not see, and of the empty zone: equally many of a class."""
    rng = np.random.default_rng(99)
    for i in range(each):
        kind = KINDS[i % len(KINDS)]
        frames = views[kind][2 * len(views[kind]) // 3 :]
        yield EMPTY, image.crop(frames[int(rng.integers(len(frames)))], ZONE)
        for name, groups in things.tests.items():
            group = groups[int(rng.integers(len(groups)))]
            thing = group[int(rng.integers(len(group)))]()
            yield name, image.crop(shown(frames[int(rng.integers(len(frames)))], thing, kind, rng), ZONE)


def recall(store: Path, tests: Sequence[tuple[str, Picture]]) -> float:
    """Learn from a store, and return the mean recall of the classes on other pictures."""
    learned = learn_model(store, store / "model.onnx", reject=0.0, say=lambda _line: None)
    model = Classifier.load(learned.out, device="cpu", threads=1)
    spec = model.card.input
    right: dict[str, list[bool]] = defaultdict(list)
    for first in range(0, len(tests), 32):
        part = tests[first : first + 32]
        found = model.probabilities(np.stack([image.fit(picture, spec) for _, picture in part])).argmax(axis=1)
        for (name, _), class_id in zip(part, found.tolist(), strict=True):
            right[name].append(model.card.labels[class_id] == name)
    return float(np.mean([np.mean(one) for one in right.values()]))


def read_things(data: Path, site: str, most: int) -> Things:
    """Read the pictures of a site; every fourth group of a class is for the test."""
    seen, tests = {}, {}
    for folder, group in SITES[site]:
        dataset = DataConfig(str(data / folder), group=group).scan()
        sides = split(dataset, fraction=0.25, seed=1)
        for target, items in ((seen, sides.train), (tests, sides.val)):
            for item in items:
                reader = lambda path=item.file: image.load(path)  # noqa: E731 - read when it is shown
                target.setdefault(dataset.labels[item.class_id], {}).setdefault(item.group, []).append(reader)
    names = sorted(seen, key=lambda name: -sum(map(len, seen[name].values())))[:most]
    return Things(*({name: list(side[name].values()) for name in names} for side in (seen, tests)))


def drawn_things(classes: int = 5) -> Things:
    """Draw objects: polygons with three to more corners, each in its own colours."""

    def draw(corners: int, seed: int) -> Picture:
        rng = np.random.default_rng((corners, seed))
        picture = np.full((96, 96, 3), rng.integers(30, 120, 3), np.uint8)
        angles = rng.uniform(0, 7) + np.arange(corners) * 2 * np.pi / corners
        points = 48 + rng.uniform(28, 44) * np.stack([np.cos(angles), np.sin(angles)], axis=1)
        cv2.fillPoly(picture, [np.rint(points).astype(np.int32)], rng.integers(140, 256, 3).tolist())
        return picture

    sides = []
    for first in (0, 1000):
        side = {}
        for n in range(classes):
            side[f"corners {n + 3}"] = [[lambda n=n, seed=first + seed: draw(n + 3, seed)] for seed in range(60)]
        sides.append(side)
    return Things(*sides)


def read_views(clips: Path) -> dict[str, list[Picture]]:
    """Read frames of a clip for each kind of light."""
    views = {}
    for kind, name in CLIPS.items():
        with open_source(clips / f"{name}.mp4") as source:
            frames = [cv2.resize(frame.bgr(), (WIDTH, HEIGHT)) for i, frame in enumerate(source) if i % 5 == 0]
        views[kind] = frames[:FRAMES]
    return views


def drawn_views() -> dict[str, list[Picture]]:
    """Draw a wall in each kind of light."""
    rng = np.random.default_rng(5)
    wall = cv2.resize(rng.integers(60, 200, (12, 20, 3), np.uint8), (WIDTH, HEIGHT))
    lit = {kind: wall * np.array(TINTS[kind]) for kind in KINDS}
    return {
        kind: [np.clip(one + rng.normal(0, NOISE[kind], one.shape), 0, 255).astype(np.uint8) for _ in range(9)]
        for kind, one in lit.items()
    }


WAYS = {"random": at_random, "colours": by_color}


def main() -> None:
    """Print a line of JSON for each site."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, help="the folder with the data sets of SITES")
    parser.add_argument("--clips", type=Path, help="the folder with the clips of CLIPS")
    parser.add_argument("--sites", default=",".join(SITES))
    parser.add_argument("--keep", type=int, default=50)
    parser.add_argument("--draws", type=int, default=5)
    parser.add_argument("--most-classes", type=int, default=10)
    parser.add_argument("--tests", type=int, default=40, help="test pictures of each class")
    given = parser.parse_args()
    views = drawn_views() if given.clips is None else read_views(given.clips)
    for site in ["drawn"] if given.data is None else given.sites.split(","):
        things = drawn_things() if given.data is None else read_things(given.data, site, given.most_classes)
        print(json.dumps(measured(site, things, views, given)), flush=True)


def measured(site: str, things: Things, views: dict[str, list[Picture]], given: argparse.Namespace) -> dict[str, Any]:
    """Return the figures of a site."""
    tests = list(test_pictures(things, views, given.tests))
    found: dict[str, list[float]] = defaultdict(list)
    covered: Counter[str] = Counter()
    kept = []
    for seed in range(given.draws):
        world = world_of(things, views, seed)
        with tempfile.TemporaryDirectory() as folder:
            seconds = collected(world, given.keep, Path(folder, "collect"))
            kept.append(len(seconds))
            chosen = {"collect": seconds} | {way: choose(world, len(seconds)) for way, choose in WAYS.items()}
            for way, some in chosen.items():
                shown_names = {spell.name for spell in world.spells}
                covered[f"{way} classes"] += {world.name(s) for s in some} == shown_names
                covered[f"{way} lights"] += {world.kind(s) for s in some} == set(KINDS)
                found[way].append(100 * recall(labelled(world, some, Path(folder, f"as {way}")), tests))
    better = {way: [one - other for one, other in zip(found["collect"], found[way], strict=True)] for way in WAYS}
    return {
        "site": site, "classes": len(things.seen) + 1, "tests": len(tests), "kept": kept,
        **{way: round(float(np.mean(values)), 1) for way, values in found.items()},
        **{f"over {way}": f"{np.mean(gain):+.1f} ({', '.join(f'{one:+.1f}' for one in gain)})" for way, gain in better.items()},
        "all covered": {way: f"{count} of {given.draws}" for way, count in covered.items()},
    }  # fmt: skip


if __name__ == "__main__":
    main()
