"""A labelled picture, and a dataset of them."""

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
"""The names of the parts of a dataset in folders and manifests."""


class Roi(NamedTuple):
    """A region of interest, measured in a picture of `width` x `height` pixels, of which the file may be a scaled copy."""

    left: float
    top: float
    right: float
    bottom: float
    width: float | None
    height: float | None


@dataclass(frozen=True, slots=True, eq=False)
class Item:
    """A labelled picture that has not been read yet.

    Attributes:
        name: Its path within the dataset.
        class_id: Its class, an index into the labels of the dataset. With several labels: equal for pictures with equal marks.
        group: Pictures of one group stay on one side of a split.
        split: "train", "val" or "test"; "" if the data does not say.
        file: The picture file; None for data from an array.
        pixels: The pixels of data from an array.
        roi: The region of interest to crop, if any.
        marks: With several labels, one for each label of the dataset: 1 if the picture shows it, 0 if not, -1 if that is
            unknown. Empty for a picture of one class.
    """

    name: str
    class_id: int
    group: str
    split: str = ""
    file: Path | None = None
    pixels: Picture | None = None  # (H, W) gray or (H, W, 3) red-green-blue
    roi: Roi | None = None
    marks: tuple[int, ...] = ()

    @property
    def strata(self) -> tuple[int, ...]:
        """What a split keeps in proportion, as indices into `Dataset.strata`: its class, or each label that it has or lacks."""
        return tuple(2 * i + mark for i, mark in enumerate(self.marks) if mark >= 0) if self.marks else (self.class_id,)

    def picture(self, note: image.Note | None = None) -> Picture:
        """Read the picture and crop its region of interest.

        Returns:
            (H, W, 3) blue-green-red or (H, W) gray, uint8.

        Raises:
            DataError: The picture cannot be read, or the region is not inside it.
        """
        if self.pixels is not None:
            return image.from_rgb(self.pixels) if self.pixels.ndim == 3 else self.pixels
        if self.file is None:
            raise DataError(f"{self.name}: an item needs a file or pixels")
        picture = image.load(self.file, note=note)
        return picture if self.roi is None else _cut(picture, self.roi, self.name)

    def content_hash(self) -> str:
        """Return the SHA-256 of the file, or of the pixels of data from an array."""
        if self.pixels is not None:
            return hashlib.sha256(np.ascontiguousarray(self.pixels).tobytes()).hexdigest()
        return hashlib.sha256(image.read_file(self.file) if self.file else b"").hexdigest()


@dataclass(frozen=True)
class Dataset:
    """Labelled pictures as they were found.

    Attributes:
        where: The path of the data.
        labels: The names of the classes.
        items: The pictures.
        group_rule: How pictures are grouped, in words.
        notes: Lines about what was skipped or read in an unexpected way.
    """

    where: str
    labels: tuple[str, ...]
    items: tuple[Item, ...]
    group_rule: str
    notes: tuple[str, ...] = ()

    @cached_property
    def hashes(self) -> tuple[str, ...]:
        """The content hash of every item, in order. Raises DataError with the first unreadable file and their number."""
        found: list[str] = []
        failed: list[DataError] = []
        for item in self.items:
            try:
                found.append(item.content_hash())
            except DataError as error:
                failed.append(error)
        if failed:
            more = f"; {len(failed)} of {len(self.items)} files cannot be read" if len(failed) > 1 else ""
            raise DataError(f"{failed[0]}{more}") from failed[0]
        return tuple(found)

    @property
    def multi_label(self) -> bool:
        """Whether a picture may have several labels, or none."""
        return any(item.marks for item in self.items)

    @property
    def strata(self) -> tuple[str, ...]:
        """The names of the strata of a split: the classes, or for each of several labels the pictures without and with it."""
        if not self.multi_label:
            return self.labels
        return tuple(name for label in self.labels for name in (f"without {label}", label))

    def shown(self, item: Item) -> str:
        """Return what a picture shows: its class, or its labels, with a question mark for those that are unknown."""
        if not item.marks:
            return self.labels[item.class_id]
        named = ((label, mark) for label, mark in zip(self.labels, item.marks, strict=True) if mark)
        return "|".join(label if mark > 0 else f"{label}?" for label, mark in named)

    def of_split(self, *names: str) -> tuple[Item, ...]:
        """Return the items whose split is one of `names`."""
        return tuple(item for item in self.items if item.split in names)


def fingerprint(dataset: Dataset) -> str:
    """Return a short hash of the pictures and their labels, independent of the folder that they are in."""
    lines = sorted(
        f"{digest}\t{dataset.shown(item)}\t{item.split}\t{item.roi}"
        for item, digest in zip(dataset.items, dataset.hashes, strict=True)
    )
    return "sha256:" + hashlib.sha256("\n".join(lines).encode()).hexdigest()[:16]


def made_from(dataset: Dataset, of_model: str) -> bool:
    """Return whether a model with this fingerprint of its data was made from these very pictures, none of them for tests."""
    try:
        return not dataset.of_split("test") and fingerprint(dataset) == of_model
    except DataError:  # a picture cannot be read: whoever decodes it says so
        return False


def _cut(picture: Picture, roi: Roi, name: str) -> Picture:
    height, width = picture.shape[:2]
    if roi.left >= roi.right or roi.top >= roi.bottom:
        raise DataError(f"{name}: its region of interest {tuple(roi)[:4]} has no width or no height")
    scale_x, scale_y = width / (roi.width or width), height / (roi.height or height)
    left, right = round(roi.left * scale_x), max(round(roi.right * scale_x), round(roi.left * scale_x) + 1)
    top, bottom = round(roi.top * scale_y), max(round(roi.bottom * scale_y), round(roi.top * scale_y) + 1)
    box = Box(max(0, left), max(0, top), min(width, right), min(height, bottom))
    if box.left >= box.right or box.top >= box.bottom:
        raise DataError(f"{name}: its region of interest {tuple(roi)[:4]} lies outside the picture of {width}x{height}")
    return image.crop(picture, box)
