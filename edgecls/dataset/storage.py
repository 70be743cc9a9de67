"""Store decoded pictures in memory, or in a file if they exceed the memory budget.

Pictures are stored at the size of the model, so each is decoded once and every epoch reads finished pixels. For a 640x480 JPEG
that becomes 32x32, decoding takes 3 ms and reading 2 microseconds, usually from the page cache. The file is read and written
instead of mapped: mapped pages count as memory of the process, and a full or broken disk would kill it with a signal instead of
raising an error. The file has no name, so nothing is left behind however the process ends; a resumed run decodes again.
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
"""The default budget of decoded pictures, as a share of the machine's memory."""
MEMORY_BYTES_UNKNOWN = 8_000_000_000
"""Assumed if the system does not report its memory."""
_LIMITS = ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes")


def machine_memory_bytes() -> int:
    """Return the memory of this machine, or of the container that the process runs in, in bytes."""
    known = hasattr(os, "sysconf")
    found = [os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") if known else MEMORY_BYTES_UNKNOWN]
    for path in _LIMITS:
        with contextlib.suppress(OSError, ValueError):  # no such limit, or "max", which means none
            found.append(int(Path(path).read_text(encoding="ascii")))
    return min(found)


@dataclass(frozen=True, slots=True)
class MemoryBudget:
    """How much memory decoded pictures may take, and where they go beyond that.

    Attributes:
        memory_bytes: The limit in bytes.
        folder: The folder of the file; "" is the system's folder for temporary files (TMPDIR).
    """

    memory_bytes: int = field(default_factory=lambda: int(SHARE * machine_memory_bytes()))
    folder: str = ""

    def less(self, used_bytes: int) -> MemoryBudget:
        """Return what is left of the budget after `used_bytes`."""
        return MemoryBudget(max(0, self.memory_bytes - used_bytes), self.folder)

    def make(self, count: int, shape: tuple[int, int, int]) -> Memory | File:
        """Allocate storage for `count` pictures of `shape` (height, width, channels). Raises DataError if the disk is full."""
        needed = count * int(np.prod(shape))
        if needed <= self.memory_bytes:
            return Memory(np.empty((count, *shape), np.uint8))
        folder = self.folder or tempfile.gettempdir()
        problem = (f"{count} pictures of {shape[1]}x{shape[0]} take {_gb(needed)} GB decoded, more than the "
                f"{_gb(self.memory_bytes)} GB of memory that they may take, and {folder}")  # fmt: skip
        try:
            free = shutil.disk_usage(folder).free
            if free >= needed:
                return File(Slots(tempfile.TemporaryFile(buffering=0, dir=folder), int(np.prod(shape))), count, shape, problem)
        except OSError as error:
            raise DataError(f"{problem} cannot be written to ({error.strerror})") from error
        raise DataError(
            f"{problem} has {_gb(free)} GB free; take a smaller `input` or fewer pictures, or a folder with more room"
        )


class Memory:
    """Pictures in one array."""

    def __init__(self, batch: NDArray[np.uint8]) -> None:
        """Store pictures in this array."""
        self._batch = batch

    def put(self, index: int, picture: Picture) -> None:
        """Store a picture."""
        self._batch[index] = picture

    def only(self, good: Sequence[int]) -> NDArray[np.uint8]:
        """Return the pictures at the ascending indices `good`; the others may be overwritten."""
        for new, old in enumerate(good):
            if new != old:
                self._batch[new] = self._batch[old]
        return self._batch[: len(good)]


class Slots:
    """An open unbuffered file divided into slots of equal size. Thread-safe; closed when garbage-collected."""

    def __init__(self, file: Any, slot_bytes: int) -> None:
        """Take ownership of the file."""
        self._file = file
        self._slot_bytes = slot_bytes
        self._lock = threading.Lock()

    def write(self, slot: int, content: bytes) -> int:
        """Write a slot and return the number of bytes written. Raises OSError."""
        with self._lock:
            self._file.seek(slot * self._slot_bytes)
            return int(self._file.write(content))

    def read_into(self, slot: int, content: memoryview) -> int:
        """Read a slot and return the number of bytes read. Raises OSError."""
        with self._lock:
            self._file.seek(slot * self._slot_bytes)
            return int(self._file.readinto(content))

    def __del__(self) -> None:
        """Close the file."""
        self._file.close()


class File:
    """Pictures in a file, while they are written. Thread-safe."""

    def __init__(self, slots: Slots, count: int, shape: tuple[int, int, int], problem: str) -> None:
        """Store pictures in slots; `problem` begins error messages: the space that is needed, and the folder."""
        self._slots = slots
        self._count = count
        self._shape = shape
        self._problem = problem

    def put(self, index: int, picture: Picture) -> None:
        """Store a picture. Raises DataError if the disk is full."""
        content = np.ascontiguousarray(picture).tobytes()
        try:
            written = self._slots.write(index, content)
        except OSError as error:
            raise DataError(
                f"{self._problem} cannot be written to ({error.strerror}); make room, or take a smaller `input`"
            ) from error
        if written != len(content):
            raise DataError(f"{self._problem} is full; make room, or take a smaller `input`")

    def only(self, good: Sequence[int]) -> OnDisk:
        """Return the pictures at the indices `good`."""
        return OnDisk(self._slots, self._shape, np.asarray(good, np.int64))


class OnDisk:
    """Pictures in a file, indexed like an array (N, height, width, channels) uint8: by an index, a slice or indices."""

    def __init__(self, slots: Slots, shape: tuple[int, int, int], places: NDArray[np.int64]) -> None:
        """Picture i is in slot `places[i]`."""
        self._slots = slots
        self._places = places
        self.shape = (len(places), *shape)

    def __len__(self) -> int:
        """Return the number of pictures."""
        return len(self._places)

    def __getitem__(self, index: int | slice | Sequence[int] | NDArray[np.int64]) -> NDArray[np.uint8]:
        """Return one picture (height, width, channels) or several (n, height, width, channels). Raises DataError."""
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
