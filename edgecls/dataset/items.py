"""One labelled picture, and all of them."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from edgecls import image
from edgecls.errors import DataError
from edgecls.frame import Box, Picture

if TYPE_CHECKING:
    from pathlib import Path

SPLIT_NAMES = {
    "train": "train",
    "training": "train",
    "val": "val",
    "valid": "val",
    "validation": "val",
    "test": "test",
    "testing": "test",
}
"""What folders and manifests call the parts of a dataset."""


class Roi(NamedTuple):
    """A rectangle in a picture of `width` x `height` pixels; the file at hand may be a scaled copy of it."""

    left: float
    top: float
    right: float
    bottom: float
    width: float | None
    height: float | None


@dataclass(frozen=True, slots=True, eq=False)
class Item:
    """One labelled picture that has not been read yet.

    `name` is its path within the dataset; `group` what it must not be parted from; `split` is "train", "val", "test"
    or "" where the data does not say. The pixels are in `file`, or in `pixels` for data that came as an array.
    """

    name: str
    class_id: int
    group: str
    split: str = ""
    file: Path | None = None
    pixels: Picture | None = None  # (H, W) gray or (H, W, 3) red-green-blue
    roi: Roi | None = None

    def picture(self) -> Picture:
        """Read the picture and cut out its region of interest: (H, W, 3) blue-green-red or (H, W) gray, uint8."""
        if self.pixels is not None:
            return image.from_rgb(self.pixels) if self.pixels.ndim == 3 else self.pixels
        if self.file is None:
            raise DataError(f"{self.name}: an item needs a file or pixels")
        picture = image.load(self.file)
        return picture if self.roi is None else _cut(picture, self.roi, self.name)

    def content_hash(self) -> str:
        """The sha256 of the undecoded content."""
        if self.pixels is not None:
            return hashlib.sha256(np.ascontiguousarray(self.pixels).tobytes()).hexdigest()
        try:
            return hashlib.sha256(self.file.read_bytes() if self.file else b"").hexdigest()
        except OSError as error:
            raise DataError(f"{self.file}: cannot be read ({error.strerror})") from error


@dataclass(frozen=True)
class Dataset:
    """Labelled pictures as they were found. `group_rule` says in words what keeps pictures together."""

    where: str
    labels: tuple[str, ...]
    items: tuple[Item, ...]
    group_rule: str

    @cached_property
    def hashes(self) -> tuple[str, ...]:
        """The content hash of every item, in order."""
        return tuple(item.content_hash() for item in self.items)

    def of_split(self, *names: str) -> tuple[Item, ...]:
        """The items whose split is one of `names`."""
        return tuple(item for item in self.items if item.split in names)


def fingerprint(dataset: Dataset) -> str:
    """A short name for exactly these pictures with exactly these labels, whatever folder they lie in."""
    lines = sorted(
        f"{digest}\t{dataset.labels[item.class_id]}\t{item.split}\t{item.roi}"
        for item, digest in zip(dataset.items, dataset.hashes, strict=True)
    )
    return "sha256:" + hashlib.sha256("\n".join(lines).encode()).hexdigest()[:16]


def _cut(picture: Picture, roi: Roi, name: str) -> Picture:
    height, width = picture.shape[:2]
    scale_x, scale_y = width / (roi.width or width), height / (roi.height or height)
    left, right = round(roi.left * scale_x), max(round(roi.right * scale_x), round(roi.left * scale_x) + 1)
    top, bottom = round(roi.top * scale_y), max(round(roi.bottom * scale_y), round(roi.top * scale_y) + 1)
    box = Box(max(0, left), max(0, top), min(width, right), min(height, bottom))
    if box.left >= box.right or box.top >= box.bottom:
        raise DataError(f"{name}: its region of interest {tuple(roi)[:4]} lies outside the picture of {width}x{height}")
    return image.crop(picture, box)
