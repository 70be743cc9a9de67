"""Training pictures in shuffled, augmented batches.

A batch is a function of (seed, its number since the start of the run) alone, so neither the threads that make it nor an
interrupted and resumed run change what the network sees.
"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from edgecls import extras
from edgecls.train import backend
from edgecls.train.ahead import Ahead, depth_for
from edgecls.train.augment import augment
from edgecls.train.balance import balanced_order
from edgecls.train.config import NO_AUGMENT

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from edgecls.dataset import Pictures
    from edgecls.train.ahead import Numbered
    from edgecls.train.config import Augment

Numbers: TypeAlias = "tuple[NDArray[np.uint8], NDArray[np.int64]]"
"""Pictures (B, height, width, channels) uint8, class ids (B,)."""
MOST_VALIDATED = 256
"""Of held-out pictures: so many at a time, where they are small."""


class Batches:
    """All batches of a run by number: `batches[n]` is batch n % per_epoch of epoch n // per_epoch."""

    def __init__(self, pictures: Pictures, *, batch: int, config: Augment, seed: int, balanced: bool = False) -> None:
        """Take the decoded pictures; they are not copied. `balanced` epochs show every class as often as any other."""
        self.per_epoch = -(-len(pictures.batch) // batch)
        self.batch_bytes = batch * pictures.batch[0].nbytes
        self._pictures = pictures
        self._batch = batch
        self._config = config
        self._seed = seed
        self._balanced = balanced
        self._order: tuple[int, NDArray[np.int64]] = (-1, np.empty(0, np.int64))

    def __getitem__(self, number: int) -> Numbers:
        """Make a batch; any thread may."""
        epoch, within = divmod(number, self.per_epoch)
        chosen = self._order_of(epoch)[within * self._batch : (within + 1) * self._batch]
        batch = self._pictures.batch[chosen]
        if self._config != NO_AUGMENT:
            chance = np.random.default_rng((self._seed, 1, number))
            batch = np.stack([augment(picture, self._config, chance) for picture in batch])
        return batch, self._pictures.class_ids[chosen]

    def _order_of(self, epoch: int) -> NDArray[np.int64]:
        order = self._order
        if order[0] != epoch:
            chance = np.random.default_rng((self._seed, 0, epoch))
            class_ids = self._pictures.class_ids
            picks = balanced_order(class_ids, chance) if self._balanced else chance.permutation(len(class_ids))
            order = self._order = (epoch, picks)
        return order[1]


class HeldOut:
    """The held-out pictures, in their order, by the number of a batch."""

    def __init__(self, pictures: Pictures) -> None:
        """Take the decoded pictures; they are not copied."""
        self._pictures = pictures
        self._batch = pictures.at_a_time(MOST_VALIDATED)

    def __len__(self) -> int:
        """How many batches there are."""
        return len(range(0, len(self._pictures.batch), self._batch))

    def __getitem__(self, number: int) -> Numbers:
        """Read a batch; any thread may."""
        part = slice(number * self._batch, (number + 1) * self._batch)
        return self._pictures.batch[part], self._pictures.class_ids[part]


class _Source:
    """`of[first + number]` by number, which keeps the first error in the making of one."""

    def __init__(self, of: Numbered[Numbers], first: int = 0) -> None:
        self._of, self._first = of, first
        self.error: Exception | None = None

    def __getitem__(self, number: int) -> Numbers:
        try:
            return self._of[self._first + number]
        except Exception as error:
            self.error = self.error or error
            raise


@contextlib.contextmanager
def served(batches: Batches, held_out: Pictures, first_epoch: int) -> Iterator[tuple[Any, Any]]:
    """What Keras takes: `batches`, endless from the start of `first_epoch` (it needs steps_per_epoch), and the held-out
    pictures in their order.

    What goes wrong in the making of a batch is raised again as it is when the block ends, not as what a backend makes of it.
    """
    keras = extras.load("keras", extra="train", purpose="Training")
    shown = HeldOut(held_out)
    sources = _Source(batches, first_epoch * batches.per_epoch), _Source(shown)
    with Ahead(sources[0], depth_for(batches.batch_bytes)) as ahead:
        try:
            yield backend.dataset(keras, ahead, None), backend.dataset(keras, sources[1], len(shown))
        except Exception as error:
            why = next((source.error for source in sources if source.error), None)
            if why is None or why is error:
                raise
            raise why from error
