"""npz files in MedMNIST's layout: train_images, train_labels, val_..., test_...

Pictures that take more memory than they may (see `edgecls.dataset.room`) are mapped: from the npz itself, or unpacked to a
temporary file where it is compressed. Mapped pages are the system's to take back, so they crowd nothing out.
"""

from __future__ import annotations

import shutil
import struct
import tempfile
import zipfile
import zlib
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np

from edgecls.dataset.items import Item
from edgecls.dataset.room import Room
from edgecls.errors import DataError

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

PARTS = ("train", "val", "test")
MOST_CLASSES = 100_000
"""A larger number in the labels is no class."""
_LOCAL_HEADER = struct.Struct("<26xHH")  # of a zip member: the lengths of its name and of its extra field end it


def read(path: Path) -> tuple[list[str], list[Item]]:
    """Return the class names, which are numbers, and the items. Raises DataError for anything else than that layout."""
    try:
        with path.open("rb") as file, zipfile.ZipFile(file) as archive:
            held = {name.removesuffix(".npy"): archive.getinfo(name) for name in archive.namelist()}
            parts = {
                part: _part(path, archive, held, part) for part in PARTS if {f"{part}_images", f"{part}_labels"} <= set(held)
            }
    except (OSError, ValueError, TypeError, EOFError, zipfile.BadZipFile, zlib.error, struct.error) as error:
        if isinstance(error, DataError):
            raise
        raise DataError(f"{path}: not an npz file of plain arrays ({error})") from error
    if not parts:
        raise DataError(f"{path}: expected train_images and train_labels as in MedMNIST, found {', '.join(held) or 'nothing'}")
    items = [
        Item(f"{part}/{i}", int(class_id), "", part, pixels=picture)
        for part, (pictures, class_ids) in parts.items()
        for i, (picture, class_id) in enumerate(zip(pictures, class_ids, strict=True))
    ]
    if not items:
        raise DataError(f"{path}: {', '.join(f'{part}_images' for part in parts)} hold no picture")
    return [str(i) for i in range(max(item.class_id for item in items) + 1)], items


def _part(
    path: Path, archive: zipfile.ZipFile, held: dict[str, zipfile.ZipInfo], part: str
) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """The pictures of a part and the class of each."""
    with archive.open(held[f"{part}_labels"]) as file:
        labels = np.lib.format.read_array(file, allow_pickle=False)
    pictures = _pictures(path, archive, held[f"{part}_images"])
    if pictures.dtype != np.uint8 or not (pictures.ndim == 3 or pictures.shape[3:] == (3,)):
        raise DataError(f"{path}: expected {part}_images as uint8 (N, H, W) or (N, H, W, 3), "
                        f"found {pictures.dtype} {pictures.shape}")  # fmt: skip
    if 0 in pictures.shape[1:]:
        raise DataError(f"{path}: expected {part}_images of at least 1x1 pixels, found {pictures.shape}")
    one_each = labels.shape in ((len(pictures),), (len(pictures), 1))
    if not one_each or not np.issubdtype(labels.dtype, np.integer) or (labels < 0).any():
        raise DataError(f"{path}: expected one whole number >= 0 in {part}_labels for each of {len(pictures)} pictures, "
                        f"found {labels.dtype} {labels.shape}{_lowest(labels)}")  # fmt: skip
    if labels.size and labels.max() >= MOST_CLASSES:
        raise DataError(f"{path}: expected classes numbered from 0 in {part}_labels, found {labels.max()}, which is no class")
    return pictures, labels.reshape(-1).astype(np.int64)


def _lowest(labels: NDArray[Any]) -> str:
    return f" with {labels.min()}" if labels.size and np.issubdtype(labels.dtype, np.integer) else ""


def _pictures(path: Path, archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> NDArray[Any]:
    """The array of a member, mapped where it takes more memory than it may."""
    room = Room()
    with archive.open(member) as file:
        if member.file_size <= room.memory_bytes:
            return np.asarray(np.lib.format.read_array(file, allow_pickle=False))
        if member.compress_type == zipfile.ZIP_STORED:
            with path.open("rb") as stored:
                return _mapped(stored, _start(stored, member))
        if shutil.disk_usage(tempfile.gettempdir()).free < member.file_size:
            raise DataError(f"{path}: unpacked, {member.filename} takes {member.file_size / 1e9:.3g} GB, more than "
                            f"{tempfile.gettempdir()} has free; make room, or name a larger folder by TMPDIR")  # fmt: skip
        with tempfile.TemporaryFile() as unpacked:
            shutil.copyfileobj(file, unpacked, 1 << 20)
            unpacked.flush()
            return _mapped(unpacked, 0)


def _start(file: BinaryIO, member: zipfile.ZipInfo) -> int:
    """Where the content of a member that is not compressed begins in its zip file."""
    file.seek(member.header_offset)
    name_length, extra_length = _LOCAL_HEADER.unpack(file.read(_LOCAL_HEADER.size))
    return member.header_offset + _LOCAL_HEADER.size + int(name_length) + int(extra_length)


def _mapped(file: Any, start: int) -> NDArray[Any]:
    """The array whose .npy begins at `start` of an open file, which may be closed then."""
    file.seek(start)
    version = np.lib.format.read_magic(file)
    read_header = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    shape, column_wise, dtype = read_header(file)
    if dtype.hasobject:
        raise ValueError("an array of objects")
    return np.asarray(np.memmap(file, dtype, "r", file.tell(), shape, "F" if column_wise else "C"))
