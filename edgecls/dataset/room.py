"""Where decoded pictures are kept: in memory, or in a file where they would take more of it than they may.

They are kept at the size of the model, so each is decoded once and every epoch reads finished pixels: of a 640x480 JPEG that
becomes 32x32, decoding costs 3 ms of a core at every epoch, reading 2 microseconds, which the system answers from memory
that nobody else needs. The file is read and written, not mapped: mapped pages count as memory of the process, and a full or
broken disk would end it with a signal instead of an error. It has no name, so nothing is left of it, whatever ends the
process, and nothing old is ever taken for new; a run that is resumed decodes again.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from edgecls.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from edgecls.frame import Picture

SHARE = 0.5
"""Of the machine's memory: what decoded pictures may take where nobody says."""
MEMORY_BYTES_UNKNOWN = 8_000_000_000
"""Assumed where the system does not tell how much memory there is."""
_LIMITS = ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes")


def machine_memory_bytes() -> int:
    """The memory of this machine, or of the container that the process is in."""
    known = hasattr(os, "sysconf")
    found = [os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") if known else MEMORY_BYTES_UNKNOWN]
    for path in _LIMITS:
        with contextlib.suppress(OSError, ValueError):  # no such limit, or the word "max"
            found.append(int(Path(path).read_text(encoding="ascii")))
    return min(found)


@dataclass(frozen=True, slots=True)
class Room:
    """`memory_bytes` that decoded pictures may take; beyond that they go to a file in `folder` ("" is the system's place for
    temporary files, which TMPDIR names).
    """

    memory_bytes: int = field(default_factory=lambda: int(SHARE * machine_memory_bytes()))
    folder: str = ""

    def less(self, used_bytes: int) -> Room:
        """What is left of it once so many bytes of memory are taken."""
        return Room(max(0, self.memory_bytes - used_bytes), self.folder)

    def make(self, count: int, shape: tuple[int, int, int]) -> Memory | File:
        """A place for `count` pictures of `shape` (height, width, channels). Raises DataError where the disk is too small."""
        needed = count * int(np.prod(shape))
        if needed <= self.memory_bytes:
            return Memory(np.empty((count, *shape), np.uint8))
        folder = self.folder or tempfile.gettempdir()
        said = (f"{count} pictures of {shape[1]}x{shape[0]} take {_gb(needed)} GB decoded, more than the "
                f"{_gb(self.memory_bytes)} GB of memory that they may take, and {folder}")  # fmt: skip
        try:
            free = shutil.disk_usage(folder).free
            if free >= needed:
                return File(Slots(tempfile.TemporaryFile(buffering=0, dir=folder), int(np.prod(shape))), count, shape, said)
        except OSError as error:
            raise DataError(f"{said} cannot be written to ({error.strerror})") from error
        raise DataError(f"{said} has {_gb(free)} GB free; take a smaller --size or fewer pictures, or a folder with more room")


class Memory:
    """Pictures in one array."""

    def __init__(self, batch: NDArray[np.uint8]) -> None:
        """Take the array that is to be filled."""
        self._batch = batch

    def put(self, index: int, picture: Picture) -> None:
        """Keep a picture."""
        self._batch[index] = picture

    def only(self, good: Sequence[int]) -> NDArray[np.uint8]:
        """The pictures at the indices `good`, which grow; what else there is may be gone after that."""
        for new, old in enumerate(good):
            if new != old:
                self._batch[new] = self._batch[old]
        return self._batch[: len(good)]


class Slots:
    """An open unbuffered file of places of equal size, for any thread; it closes with the last that holds it."""

    def __init__(self, file: Any, slot_bytes: int) -> None:
        """Take the file, and close it in the end."""
        self._file = file
        self._slot_bytes = slot_bytes
        self._one_at_a_time = threading.Lock()

    def write(self, slot: int, content: bytes) -> int:
        """Return how many bytes were taken. Raises OSError."""
        with self._one_at_a_time:
            self._file.seek(slot * self._slot_bytes)
            return int(self._file.write(content))

    def read_into(self, slot: int, content: memoryview) -> int:
        """Return how many bytes there were. Raises OSError."""
        with self._one_at_a_time:
            self._file.seek(slot * self._slot_bytes)
            return int(self._file.readinto(content))

    def __del__(self) -> None:
        """Close the file."""
        self._file.close()


class File:
    """Pictures in a file, while they are written; any thread may."""

    def __init__(self, slots: Slots, count: int, shape: tuple[int, int, int], said: str) -> None:
        """`said` begins an error: what takes how much, and where."""
        self._slots = slots
        self._count = count
        self._shape = shape
        self._said = said

    def put(self, index: int, picture: Picture) -> None:
        """Keep a picture. Raises DataError where the disk is full."""
        content = np.ascontiguousarray(picture).tobytes()
        try:
            written = self._slots.write(index, content)
        except OSError as error:
            raise DataError(
                f"{self._said} cannot be written to ({error.strerror}); make room, or take a smaller --size"
            ) from error
        if written != len(content):
            raise DataError(f"{self._said} is full; make room, or take a smaller --size")

    def only(self, good: Sequence[int]) -> OnDisk:
        """The pictures at the indices `good`."""
        return OnDisk(self._slots, self._shape, np.asarray(good, np.int64))


class OnDisk:
    """Pictures in a file, taken from as from an array (N, height, width, channels) uint8: by number, slice or numbers."""

    def __init__(self, slots: Slots, shape: tuple[int, int, int], places: NDArray[np.int64]) -> None:
        """Picture i is in slot `places[i]`."""
        self._slots = slots
        self._places = places
        self.shape = (len(places), *shape)

    def __len__(self) -> int:
        """How many there are."""
        return len(self._places)

    def __getitem__(self, index: int | slice | Sequence[int] | NDArray[np.int64]) -> NDArray[np.uint8]:
        """One picture (height, width, channels), or several (n, height, width, channels). Raises DataError."""
        places = np.asarray(self._places[index])
        found = np.empty((places.size, *self.shape[1:]), np.uint8)
        for picture, place in zip(found, places.reshape(-1).tolist(), strict=True):
            self._read(place, picture)
        return found if places.ndim else found[0]

    def _read(self, place: int, picture: NDArray[np.uint8]) -> None:
        try:
            read = self._slots.read_into(place, picture.data.cast("B"))
        except OSError as error:
            raise DataError(f"the file of decoded pictures cannot be read ({error.strerror}); check the disk") from error
        if read != picture.nbytes:
            raise DataError(f"the file of decoded pictures ends early ({read} of {picture.nbytes} bytes); check the disk")


def _gb(size_bytes: float) -> str:
    return f"{size_bytes / 1e9:.3g}"
