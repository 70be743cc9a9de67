"""Decode items to the array that a model eats."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from edgecls import image
from edgecls.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from edgecls.card import InputSpec
    from edgecls.dataset.items import Item


@dataclass(frozen=True, slots=True, eq=False)
class Pictures:
    """Decoded pictures, ready for a model.

    `batch`: (N, height, width, channels) uint8 as `image.fit` makes it; `class_ids`: (N,) int64; `items`: the N items
    that could be read; `broken`: one line for each that could not.
    """

    batch: NDArray[np.uint8]
    class_ids: NDArray[np.int64]
    items: tuple[Item, ...]
    broken: tuple[str, ...]


def decode(items: Sequence[Item], spec: InputSpec, *, strict: bool = False) -> Pictures:
    """Read and fit every picture. Broken ones are left out and named in the result; `strict` raises for the first.

    Raises DataError when no picture is good, or when they would not fit in memory.
    """
    needed = len(items) * int(np.prod(spec.shape))
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") if hasattr(os, "sysconf") else 2**63
    if needed > 0.7 * memory:
        raise DataError(f"{len(items)} pictures of {spec.width}x{spec.height} take {needed / 1e9:.0f} GB decoded, "
                        f"this machine has {memory / 1e9:.0f} GB; take a smaller --size or fewer pictures")  # fmt: skip
    batch = np.empty((len(items), *spec.shape), np.uint8)

    def read(index: int) -> str | None:
        try:
            batch[index] = image.fit(items[index].picture(), spec)
        except DataError as error:
            if strict:
                raise
            return str(error)
        return None

    with ThreadPoolExecutor(os.cpu_count(), thread_name_prefix="decode") as pool:
        problems = list(pool.map(read, range(len(items)), chunksize=64))
    good = [i for i, problem in enumerate(problems) if problem is None]
    broken = tuple(problem for problem in problems if problem is not None)
    if not good:
        raise DataError(f"none of {len(items)} pictures could be read; the first: {broken[0] if broken else 'there is none'}")
    kept = tuple(items[i] for i in good)
    return Pictures(
        batch=batch if not broken else batch[good],
        class_ids=np.array([item.class_id for item in kept], np.int64),
        items=kept,
        broken=broken,
    )
