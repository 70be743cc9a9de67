"""Decode items to what a model eats, in memory or on disk."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from edgecls import image
from edgecls.dataset.room import Room
from edgecls.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from edgecls.card import InputSpec
    from edgecls.dataset.items import Item
    from edgecls.frame import Batch

AT_ONCE_BYTES = 2_000_000
_AT_A_TIME = 4096  # so many are asked of the threads at once: asking for millions would take more memory than the pictures


@dataclass(frozen=True, slots=True, eq=False)
class Pictures:
    """Decoded pictures, ready for a model.

    `batch`: (N, height, width, channels) uint8 as `image.fit` makes it, an array or pictures on disk that are taken from as
    from one; `class_ids`: (N,) int64; `items`: the N items that could be read; `broken`: one line for each that could not.
    """

    batch: Batch
    class_ids: NDArray[np.int64]
    items: tuple[Item, ...]
    broken: tuple[str, ...]

    @property
    def memory_bytes(self) -> int:
        """The memory that the pixels take."""
        return self.batch.nbytes if isinstance(self.batch, np.ndarray) else 0

    def at_a_time(self, most: int) -> int:
        """How many to give a network at once: fewer than `most` where they are large; it takes a hundred times their bytes."""
        return max(1, min(most, AT_ONCE_BYTES // self.batch[0].nbytes))

    def counts(self, labels: Sequence[str], where: str) -> list[int]:
        """How many there are of each class. Raises DataError for a class of which none could be read."""
        found: list[int] = np.bincount(self.class_ids, minlength=len(labels)).tolist()
        empty = [label for label, count in zip(labels, found, strict=True) if not count]
        if empty:
            raise DataError(f"{where}: of class {empty[0]!r} no training picture could be read; the first broken one: "
                            f"{self.broken[0] if self.broken else 'there is none'}")  # fmt: skip
        return found


def decode(items: Sequence[Item], spec: InputSpec, *, strict: bool = False, room: Room | None = None) -> Pictures:
    """Read and fit every picture. Broken ones are left out and named in the result; `strict` raises for the first.

    What takes more memory than `room` has goes to a file there; without `room` that is half of the machine's memory, and the
    system's place for temporary files. Raises DataError when no picture is good, or when they do not fit on the disk either.
    """
    kept = (room or Room()).make(len(items), spec.shape)

    def read(index: int) -> str | None:
        try:
            picture = image.fit(items[index].picture(), spec)
        except DataError as error:
            if strict:
                raise
            return str(error)
        kept.put(index, picture)
        return None

    good: list[int] = []
    broken: list[str] = []
    with ThreadPoolExecutor(os.cpu_count(), thread_name_prefix="decode") as pool:
        for first in range(0, len(items), _AT_A_TIME):
            part = range(first, min(first + _AT_A_TIME, len(items)))
            problems = list(pool.map(read, part))
            good += [i for i, problem in zip(part, problems, strict=True) if problem is None]
            broken += [problem for problem in problems if problem is not None]
    if not good:
        raise DataError(f"none of {len(items)} pictures could be read; the first: {broken[0] if broken else 'there is none'}")
    readable = tuple(items[i] for i in good) if broken else tuple(items)
    return Pictures(
        batch=kept.only(good),
        class_ids=np.array([item.class_id for item in readable], np.int64),
        items=readable,
        broken=tuple(broken),
    )
