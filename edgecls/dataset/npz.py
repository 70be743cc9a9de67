"""Read npz files in MedMNIST's layout: train_images, train_labels, val_..., test_...

Pictures beyond the memory budget (see `edgecls.dataset.storage`) are memory-mapped: from the npz file itself, or, if it is
compressed, from a temporary file that they are unpacked to. The system can drop mapped pages whenever it needs memory.
"""

from __future__ import annotations

import math
import shutil
import struct
import tempfile
import zipfile
from typing import TYPE_CHECKING, Any, BinaryIO, Literal, NamedTuple

import numpy as np

from edgecls.dataset.items import Item
from edgecls.dataset.listing import some
from edgecls.dataset.storage import MemoryBudget
from edgecls.errors import DataError
from edgecls.files import open_file

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

PARTS = ("train", "val", "test")
MOST_CLASSES = 100_000
"""The labels must be smaller than this."""
MOST_NAMED = 5
_LOCAL_HEADER = struct.Struct("<26xHH")  # of a zip member; it ends with the lengths of the name and of the extra field


class _Array(NamedTuple):
    """The .npy header of a member, and the offset of the data in the unpacked member."""

    shape: tuple[int, ...]
    column_wise: bool
    dtype: np.dtype[Any]
    start: int


def read(path: Path) -> tuple[list[str], list[Item]]:
    """Return the class names, which are numbers, and the items. Raises DataError if the file does not have that layout."""
    try:
        with open_file(path) as file, zipfile.ZipFile(file) as archive:
            held = {name.removesuffix(".npy"): archive.getinfo(name) for name in archive.namelist()}
            parts = {
                part: _part(path, archive, held, part) for part in PARTS if {f"{part}_images", f"{part}_labels"} <= set(held)
            }
    except DataError:
        raise
    except Exception as error:  # zipfile, its decompressors and numpy raise a dozen kinds of errors for a damaged file
        raise DataError(f"{path}: not an npz file of plain arrays ({str(error)[:200] or type(error).__name__})") from error
    if not parts:
        found = some([ascii(name)[1:-1] for name in held], MOST_NAMED) or "nothing"
        raise DataError(f"{path}: expected train_images and train_labels as in MedMNIST, found {found}")
    items = [
        Item(f"{part}/{i}", int(class_id), "", part, pixels=picture)
        for part, (pictures, class_ids) in parts.items()
        for i, (picture, class_id) in enumerate(zip(pictures, class_ids, strict=True))
    ]
    if not items:
        raise DataError(f"{path}: {', '.join(f'{part}_images' for part in parts)} contain no pictures")
    return [str(i) for i in range(max(item.class_id for item in items) + 1)], items


def _part(
    path: Path, archive: zipfile.ZipFile, held: dict[str, zipfile.ZipInfo], part: str
) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Return the pictures of a part and their class ids. The headers are checked before any data is read."""
    pictures, labels = (_header(archive, held[f"{part}_{name}"]) for name in ("images", "labels"))
    if pictures.dtype != np.uint8 or not (len(pictures.shape) == 3 or pictures.shape[3:] == (3,)):
        raise DataError(f"{path}: expected {part}_images as uint8 (N, H, W) or (N, H, W, 3), "
                        f"found {pictures.dtype} {pictures.shape}")  # fmt: skip
    if 0 in pictures.shape[1:]:
        raise DataError(f"{path}: expected {part}_images of at least 1x1 pixels, found {pictures.shape}")
    count = pictures.shape[0]
    expected = f"{path}: expected one whole number >= 0 in {part}_labels for each of {count} pictures, found"
    if labels.shape not in ((count,), (count, 1)) or labels.dtype.kind not in "iu":
        several = "; several labels a picture are learned from a CSV manifest" if labels.shape[1:] > (1,) else ""
        raise DataError(f"{expected} {labels.dtype} {labels.shape}{several}")
    with archive.open(held[f"{part}_labels"]) as file:
        class_ids = np.lib.format.read_array(file, allow_pickle=False)
    if class_ids.size and class_ids.min() < 0:
        raise DataError(f"{expected} {labels.dtype} {labels.shape} with {class_ids.min()}")
    if class_ids.size and class_ids.max() >= MOST_CLASSES:
        raise DataError(f"{path}: expected classes numbered from 0 in {part}_labels, found {class_ids.max()}")
    return _pictures(path, archive, held[f"{part}_images"], pictures), class_ids.reshape(-1).astype(np.int64)


def _header(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> _Array:
    """Read the header of a member.

    Raises ValueError if the size of the member does not match its array: numpy would allocate the array, perhaps terabytes,
    before reading the first byte.
    """
    with archive.open(member) as file:
        version = np.lib.format.read_magic(file)
        read_header = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
        array = _Array(*read_header(file), file.tell())
    if array.dtype.hasobject:
        raise ValueError(f"{member.filename} is an array of objects")
    size = array.start + math.prod(array.shape) * array.dtype.itemsize
    if size != member.file_size:
        raise ValueError(f"{member.filename} has {member.file_size} bytes, expected {size} for {array.dtype} {array.shape}")
    return array


def _pictures(path: Path, archive: zipfile.ZipFile, member: zipfile.ZipInfo, array: _Array) -> NDArray[np.uint8]:
    """Return the array of a member, memory-mapped if it exceeds the memory budget."""
    budget = MemoryBudget()
    with archive.open(member) as file:
        if member.file_size <= budget.memory_bytes:
            return np.asarray(np.lib.format.read_array(file, allow_pickle=False))
        if member.compress_type == zipfile.ZIP_STORED:
            with open_file(path) as stored:
                return _mapped(stored, _start(stored, member), array)
        if shutil.disk_usage(tempfile.gettempdir()).free < member.file_size:
            raise DataError(f"{path}: unpacked, {member.filename} takes {member.file_size / 1e9:.3g} GB, more than "
                            f"{tempfile.gettempdir()} has free; make room, or set TMPDIR to a folder with more")  # fmt: skip
        with tempfile.TemporaryFile() as unpacked:
            shutil.copyfileobj(file, unpacked, 1 << 20)
            unpacked.flush()
            return _mapped(unpacked, 0, array)


def _start(file: BinaryIO, member: zipfile.ZipInfo) -> int:
    """Return the offset of the data of an uncompressed member in its zip file."""
    file.seek(member.header_offset)
    name_length, extra_length = _LOCAL_HEADER.unpack(file.read(_LOCAL_HEADER.size))
    return member.header_offset + _LOCAL_HEADER.size + int(name_length) + int(extra_length)


def _mapped(file: Any, start: int, array: _Array) -> NDArray[np.uint8]:
    """Return a memory-mapped array whose .npy begins at offset `start` of a file. The file may be closed afterwards."""
    order: Literal["F", "C"] = "F" if array.column_wise else "C"
    return np.asarray(np.memmap(file, array.dtype, "r", start + array.start, array.shape, order))
