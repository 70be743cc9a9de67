"""Decode pictures to the input of a model, in memory or on disk."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from edgecls import image
from edgecls.dataset.items import Item
from edgecls.dataset.listing import pictures_under
from edgecls.dataset.storage import MemoryBudget
from edgecls.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from edgecls.frame import Batch
    from edgecls.input_spec import InputSpec

AT_ONCE_BYTES = 2_000_000
_AT_A_TIME = 4096  # submitted to the threads at once; millions of tasks would take more memory than the pictures


@dataclass(frozen=True, slots=True, eq=False)
class Pictures:
    """Decoded pictures, ready for a model.

    Attributes:
        batch: (N, height, width, channels) uint8, each as `image.fit` returns it: an array, or pictures on disk that are
            indexed like one.
        class_ids: (N,) int64.
        items: The N items that could be read.
        broken: One line for each picture that could not be read.
        notes: Lines about pictures that were read in an unexpected way.
    """

    batch: Batch
    class_ids: NDArray[np.int64]
    items: tuple[Item, ...]
    broken: tuple[str, ...]
    notes: tuple[str, ...] = ()

    @property
    def memory_bytes(self) -> int:
        """The memory that the pixels take in bytes; 0 if they are on disk."""
        return self.batch.nbytes if isinstance(self.batch, np.ndarray) else 0

    def truth(self, class_ids: Sequence[int], labels: int) -> NDArray[np.int64]:
        """Return what the pictures show, for a model with this number of labels.

        Args:
            class_ids: The model's label for each label of the dataset.
            labels: The number of labels of the model.

        Returns:
            (N,) class ids; with several labels a picture, (N, labels) marks: 1 shown, 0 not shown, -1 unknown.
        """
        if not any(item.marks for item in self.items):
            return np.asarray(class_ids, np.int64)[self.class_ids]
        marks = np.full((len(self.items), labels), -1, np.int64)
        marks[:, list(class_ids)] = [item.marks for item in self.items]
        return marks

    def at_a_time(self, most: int) -> int:
        """Return a batch size, at most `most`, smaller for large pictures: a network needs a hundred times their bytes."""
        return max(1, min(most, AT_ONCE_BYTES // self.batch[0].nbytes))

    def counts(self, labels: Sequence[str], where: str) -> list[int]:
        """Return the number of pictures of each class. Raises DataError if a class has none that could be read."""
        found: list[int] = np.bincount(self.class_ids, minlength=len(labels)).tolist()
        empty = [label for label, count in zip(labels, found, strict=True) if not count]
        if empty:
            raise DataError(f"{where}: of class {empty[0]!r} no training picture could be read; the first broken one: "
                            f"{self.broken[0] if self.broken else 'there is none'}")  # fmt: skip
        return found


def decode(items: Sequence[Item], spec: InputSpec, *, strict: bool = False, budget: MemoryBudget | None = None) -> Pictures:
    """Read every picture and fit it to the input of a model, in parallel.

    Args:
        items: The pictures.
        spec: The input of the model.
        strict: Raise for the first broken picture instead of listing it in the result.
        budget: How much memory the pictures may take, and where the rest goes. None takes half of the machine's memory and
            the system's folder for temporary files.

    Raises:
        DataError: No picture can be read, or they do not fit on the disk.
    """
    kept = (budget or MemoryBudget()).make(len(items), spec.shape)

    noted: list[tuple[str, int]] = []

    def note(name: str, bits: int) -> None:
        noted.append((name, bits))

    def read(index: int) -> str | None:
        try:
            picture = image.fit(items[index].picture(note), spec)
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
        notes=(image.few_bits(sorted(noted)),) if noted else (),
    )


def decode_below(folder: str | Path, spec: InputSpec, *, strict: bool = False) -> Pictures:
    """Read every picture below a folder, at any depth, as pictures of no class. All class ids are 0. Raises DataError."""
    items = [Item(str(file), 0, "", file=file) for file in pictures_under(Path(folder))]
    if not items:
        raise DataError(f"{folder}: expected a folder of pictures of no class, found none")
    return decode(items, spec, strict=strict)
