"""Make the training pictures of the recipe street that no data set has: other views, drawn objects, moving objects of videos.

The photographs show vehicles from behind and persons at eye level, whole and sharp. A fixed camera looks from above, its motion
boxes are tight, wide, cut or hold two objects, and at night they are dark and coarse. So there are also

    varied     each photograph in another perspective, coarse, dark, blurred, compressed
    drawn      persons, vehicles and shadows, see `scripts/drawn_objects.py`
    video      motion boxes of DATA/video/NAME.* whose kind is known, see CLIPS; each left out if it is not there
    strangers  things of no class: drawn ones, and photographs of STRANGERS
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, cast

import cv2
import numpy as np

from edgecls import Motion, MotionSettings, image, open_source
from edgecls.dataset import pictures_under
from edgecls.input_spec import InputSpec
from scripts.drawn_objects import SIDE, drawn

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    Picture = NDArray[np.uint8]

STRANGER = "stranger"
"""The class of pictures of no class."""
SPEC = InputSpec(SIDE, SIDE)
STRANGERS = ("scenes", "traffic-lights", "blood-cells", "GTSRB", "face-mask")
"""Folders of DATA with photographs of no class."""
MOST_OF_A_FOLDER = 800
DRAWN = {
    "person": 3000, "vehicle": 3500, "shadow": 500, "animal": 600, "bird": 500, "fruit": 600, "parcel": 600, "clump": 400,
}  # fmt: skip
DRAWN_CLASS = {"person": "person", "vehicle": "vehicle", "shadow": "background"}


class Boxes(NamedTuple):
    """Which motion boxes of a clip show a class: limits of width / height, and of the sides as shares of the frame's height."""

    label: str
    aspect: tuple[float, float] = (0.0, 99.0)
    smallest: tuple[float, float] = (0.0, 0.0)
    tallest: float = 9.0


CLIPS = {
    "vtest": (Boxes("person", (0.0, 1.2), (0.0, 0.05)),),
    "car-detection": (Boxes("vehicle", (0.3, 4), (0.08, 0.08)),),
    "two-lanes-day": (Boxes("vehicle", (0.45, 2.5), (0.045, 0.045)),),
    "queue-junction": (Boxes("vehicle", (0.6, 3), (0.045, 0.045)),),
    "stairs-top": (Boxes("person", (0.3, 1.6), (0.15, 0.21)), Boxes("background", tallest=0.065)),
    "car-parks-close": (Boxes("vehicle", (0.4, 2.5), (0.3, 0.3)),),
    "belt-fruit": (Boxes(STRANGER, (0.2, 5), (0.15, 0.15)),),
}
"""The clips in which everything that moves, and has such a box, is of one kind."""
MOST_OF_A_CLIP = 400


def make(data: Path, photographs: Sequence[tuple[Path, str]], out: Path, *, without: Sequence[str] = (), seed: int = 0) -> None:
    """Write the pictures below `out`/LABEL and, those of no class, below `out`/stranger.

    Args:
        data: The folder with the data.
        photographs: The training pictures, each with its label.
        out: The folder to write to.
        without: Clips to leave out.
        seed: Seeds everything that is drawn at random.
    """
    rng = np.random.default_rng(seed)
    read = [(_read(path), label) for path, label in photographs]
    for i, (picture, label) in enumerate(read):
        _write(out / label / f"varied-{i:05d}.png", varied(picture, rng))
    grounds = [picture for picture, label in read if label == "background"]
    grounds += [_read(path) for path in _some(data / "scenes", rng, 400)]
    for kind, count in DRAWN.items():
        for i in range(count):
            picture = drawn(kind, _ground(grounds, rng), rng)
            _write(out / DRAWN_CLASS.get(kind, STRANGER) / f"drawn-{kind}-{i:05d}.png", as_filmed(picture, rng))
    for name in STRANGERS:
        for i, path in enumerate(_some(data / name, rng, MOST_OF_A_FOLDER)):
            _write(out / STRANGER / f"{name}-{i:05d}.png", _read(path))
    for name, kinds in CLIPS.items():
        path = next((found for found in (data / "video").glob(f"{name}.*") if found.suffix in (".mp4", ".avi")), None)
        if path is not None and name not in without:
            _cut(path, kinds, out, rng)


def varied(picture: Picture, rng: np.random.Generator) -> Picture:
    """Return a photograph (SIDE, SIDE) from another place and by another camera."""
    corners = np.array([(0, 0), (1, 0), (1, 1), (0, 1)], np.float64) - 0.5
    angle = np.radians(rng.normal(0, 7))
    turn = np.array([(np.cos(angle), -np.sin(angle)), (np.sin(angle), np.cos(angle))])
    stretch = np.exp(rng.uniform(-0.2, 0.2, 2)) / rng.uniform(0.95, 1.45)
    source = (corners + rng.uniform(-0.06, 0.06, (4, 2))) @ turn * stretch + rng.uniform(-0.08, 0.08, 2)
    matrix = cv2.getPerspectiveTransform(
        ((source + 0.5) * SIDE).astype(np.float32), ((corners + 0.5) * SIDE).astype(np.float32)
    )
    moved = cv2.warpPerspective(picture, matrix, (SIDE, SIDE), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT)
    return as_filmed(cast("Picture", moved), rng)


def as_filmed(picture: Picture, rng: np.random.Generator) -> Picture:
    """Return a picture as a camera may deliver it: coarse, blurred, bright or dark, noisy, compressed."""
    if rng.uniform() < 0.3:
        wide, high = rng.integers(10, 40, 2).tolist()
        picture = cv2.resize(cv2.resize(picture, (wide, high), interpolation=cv2.INTER_AREA), (SIDE, SIDE))
    if rng.uniform() < 0.3:
        picture = cv2.GaussianBlur(picture, (0, 0), rng.uniform(0.3, 2))
    if rng.uniform() < 0.1:
        length = int(rng.integers(3, 10))
        picture = cv2.blur(picture, (length, 1) if rng.uniform() < 0.7 else (1, length))
    levels = np.linspace(0, 1, 256) ** np.exp(rng.normal(0, 0.25))
    low, gain = rng.uniform(0, 60), rng.uniform(0.45, 1.25) if rng.uniform() < 0.88 else rng.uniform(0.2, 0.45)
    seen = (low + levels * 255 * gain)[picture]
    if rng.uniform() < 0.4:  # less than the contrast, so that there is still something to see
        seen = seen + rng.standard_normal(seen.shape) * rng.uniform(0, min(12.0, 0.4 * float(seen.std())))
    picture = np.clip(seen, 0, 255).astype(np.uint8)
    if rng.uniform() < 0.3:
        _, coded = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(12, 60))])
        picture = cv2.imdecode(coded, cv2.IMREAD_GRAYSCALE)
    return picture


def _ground(grounds: Sequence[Picture], rng: np.random.Generator) -> Picture:
    """Return a background: a part of a photograph, brighter or darker, or a plain surface with a few lines."""
    if rng.uniform() < 0.3:
        plain = np.full((SIDE, SIDE), rng.uniform(20, 240), np.float32) + rng.standard_normal((SIDE, SIDE)) * rng.uniform(0, 12)
        plain = np.clip(plain, 0, 255).astype(np.uint8)
        for _ in range(rng.integers(0, 6)):
            ends = rng.integers(-20, SIDE + 20, 4).tolist()
            cv2.line(plain, tuple(ends[:2]), tuple(ends[2:]), int(rng.integers(0, 256)), int(rng.integers(1, 9)))
        return plain
    picture = grounds[rng.integers(len(grounds))]
    size = int(rng.integers(SIDE // 3, SIDE + 1))
    top, left = rng.integers(0, SIDE - size + 1, 2)
    part = picture[top : top + size, left : left + size].astype(np.float32)
    return np.clip(part * np.exp(rng.normal(0.25, 0.5)) + rng.uniform(-10, 30), 0, 255).astype(np.uint8)


def _cut(path: Path, kinds: Sequence[Boxes], out: Path, rng: np.random.Generator) -> None:
    """Write motion boxes of a clip, each tight or with what is around it."""
    motion = Motion(MotionSettings())
    found: dict[str, list[Picture]] = {kind.label: [] for kind in kinds}
    with open_source(str(path)) as frames:
        for frame in frames:
            high = frame.size_hw[0]
            for region in motion(frame):
                wide, tall = region.box.right - region.box.left, region.box.bottom - region.box.top
                for kind in kinds:
                    in_size = wide / high >= kind.smallest[0] and kind.smallest[1] <= tall / high <= kind.tallest
                    if in_size and kind.aspect[0] <= wide / tall <= kind.aspect[1]:
                        box = region.box if rng.uniform() < 0.5 or region.around is None else region.around
                        found[kind.label].append(image.fit_region(frame, box, SPEC)[..., 0])
    for label, pictures in found.items():
        for i in rng.permutation(len(pictures))[:MOST_OF_A_CLIP].tolist():
            _write(out / label / f"video-{path.stem}-{i:05d}.png", pictures[i])


def _some(folder: Path, rng: np.random.Generator, most: int) -> list[Path]:
    """Return at most `most` pictures below a folder; none if it does not exist."""
    paths = pictures_under(folder) if folder.exists() else []
    return [paths[i] for i in rng.permutation(len(paths))[:most].tolist()]


def _read(path: Path) -> Picture:
    return image.fit(image.load(path), SPEC)[..., 0]


def _write(path: Path, picture: Picture) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    if not cv2.imwrite(str(path), picture):
        raise OSError(f"{path}: cannot be written")
