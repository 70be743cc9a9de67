"""Pictures and videos that the tests draw themselves, so that what they show is known."""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from edgecls.frame import Picture

SHAPES = ("disc", "ring", "square", "stripes")


def shape(name: str, rng: np.random.Generator, side: int = 40) -> Picture:
    """One colour picture of a shape, anywhere and of any size: (side, side, 3) uint8 blue-green-red."""
    picture = np.full((side, side, 3), rng.integers(10, 90), np.uint8)
    ink = tuple(int(v) for v in rng.integers(150, 255, 3))
    center = tuple(int(v) for v in side // 2 + rng.integers(-4, 5, 2))
    radius = int(rng.integers(9, 14))
    if name == "disc":
        cv2.circle(picture, center, radius, ink, -1, cv2.LINE_AA)
    elif name == "ring":
        cv2.circle(picture, center, radius, ink, 3, cv2.LINE_AA)
    elif name == "square":
        cv2.rectangle(picture, (center[0] - radius, center[1] - radius), (center[0] + radius, center[1] + radius), ink, -1)
    elif name == "stripes":
        for x in range(int(rng.integers(0, 6)), side, 8):
            cv2.line(picture, (x, 0), (x, side), ink, 3)
    else:
        raise ValueError(name)
    noise = rng.normal(0, 6, picture.shape)
    return np.clip(picture + noise, 0, 255).astype(np.uint8)


def write_class_folders(folder: Path, *, pictures: int, names: Sequence[str] = SHAPES, seed: int = 0) -> Path:
    """Write `pictures` of each shape to folder/<shape>/000.png ..."""
    rng = np.random.default_rng(seed)
    for name in names:
        (folder / name).mkdir(parents=True)
        for i in range(pictures):
            cv2.imwrite(str(folder / name / f"{i:03}.png"), shape(name, rng))
    return folder


def gray_levels(levels: Sequence[int], size_hw: tuple[int, int] = (48, 64)) -> list[Picture]:
    """Plain pictures, one for each gray level, (H, W, 3) uint8."""
    return [np.full((*size_hw, 3), level, np.uint8) for level in levels]


def write_video(path: Path, pictures: Sequence[Picture], fps: float = 25.0) -> Path:
    """Write pictures to a video file: lossless FFV1 for .avi and .mkv, MPEG-4 for .mp4."""
    code = "mp4v" if path.suffix == ".mp4" else "FFV1"
    height, width = pictures[0].shape[:2]
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*code), fps, (width, height))
    assert writer.isOpened(), f"this OpenCV cannot write {code}"
    for picture in pictures:
        writer.write(picture)
    writer.release()
    return path


def plant(path: Path, *, level: int = 0, size_hw: tuple[int, int] = (4, 4)) -> Path:
    """Write a plain gray picture, or an empty file where the ending is none of a picture; folders are made."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix.lower() in (".png", ".jpg", ".ppm"):
        path.write_bytes(cv2.imencode(path.suffix, np.full((*size_hw, 3), level, np.uint8))[1].tobytes())
    else:
        path.touch()
    return path


def write_gtsrb(folder: Path, *, classes: int = 2, tracks: int = 3, frames: int = 4) -> Path:
    """Write the official layout of GTSRB: folder/00000/00000_00000.ppm ... and GT-00000.csv with `;` beside them.

    Each picture is 20x20, black with a white region of interest at 5,5 to 15,15.
    """
    for c in range(classes):
        rows = ["Filename;Width;Height;Roi.X1;Roi.Y1;Roi.X2;Roi.Y2;ClassId"]
        for t in range(tracks):
            for f in range(frames):
                picture = np.zeros((20, 20, 3), np.uint8)
                picture[5:15, 5:15] = 255
                picture[0, 0] = (c, t, f)  # no two are equal
                path = folder / f"{c:05}" / f"{t:05}_{f:05}.ppm"
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(cv2.imencode(".ppm", picture)[1].tobytes())
                rows.append(f"{path.name};20;20;5;5;15;15;{c}")
        (folder / f"{c:05}" / f"GT-{c:05}.csv").write_text("\n".join(rows) + "\n")
    return folder


def several(names: Sequence[str], rng: np.random.Generator, side: int = 48) -> Picture:
    """One colour picture with each of these shapes in a quarter of its own: (side, side, 3) uint8 blue-green-red."""
    half = side // 2
    picture = np.clip(rng.integers(10, 90) + rng.normal(0, 4, (side, side, 3)), 0, 255).astype(np.uint8)
    for name, quarter in zip(names, rng.permutation(4), strict=False):
        top, left = half * (quarter // 2), half * (quarter % 2)
        picture[top : top + half, left : left + half] = cv2.resize(shape(name, rng), (half, half), interpolation=cv2.INTER_AREA)
    return picture


def write_label_table(folder: Path, *, pictures: int, names: Sequence[str] = SHAPES, seed: int = 0) -> Path:
    """Write pictures that show each shape or not, independently, and labels.csv with a column of 0 and 1 for each shape."""
    rng = np.random.default_rng(seed)
    folder.mkdir(parents=True)
    rows = [",".join(("filename", *names))]
    for i in range(pictures):
        marks = (rng.uniform(size=len(names)) < np.linspace(0.5, 0.2, len(names))).astype(int)
        cv2.imwrite(str(folder / f"{i:04}.png"), several([name for name, mark in zip(names, marks, strict=True) if mark], rng))
        rows.append(",".join((f"{i:04}.png", *map(str, marks))))
    (folder / "labels.csv").write_text("\n".join(rows) + "\n")
    return folder
