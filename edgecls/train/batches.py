"""Training pictures in shuffled, augmented batches, with what is told about them.

A batch is a function of (seed, its number since the start of the run) alone, so neither the threads that make it nor an
interrupted and resumed run change what the network sees.
"""

from __future__ import annotations

import contextlib
from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from edgecls import extras
from edgecls.train import backend
from edgecls.train.ahead import Ahead, depth_for
from edgecls.train.augment import augment, mirrored, mirrored_classes
from edgecls.train.balance import balanced_order
from edgecls.train.config import NO_AUGMENT

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from edgecls.dataset import Pictures
    from edgecls.train.ahead import Numbered
    from edgecls.train.config import TrainConfig
    from edgecls.train.targets import Targets

Numbers: TypeAlias = "tuple[NDArray[np.uint8], NDArray[np.int64] | NDArray[np.float32]]"
"""Pictures (B, height, width, channels) uint8, and what `Targets` tells about them: (B,) class ids or (B, classes) shares."""
MOST_VALIDATED = 256
"""Of held-out pictures: so many at a time, where they are small."""


class Batches:
    """All batches of a run by number: `batches[n]` is batch n % per_epoch of epoch n // per_epoch."""

    def __init__(self, pictures: Pictures, labels: Sequence[str], config: TrainConfig, targets: Targets) -> None:
        """Take the decoded pictures; they are not copied. Raises ConfigError for a mirror of what is no label."""
        self.per_epoch = -(-len(pictures.batch) // config.batch)
        self.batch_bytes = config.batch * pictures.batch[0].nbytes
        self._pictures = pictures
        self._batch = config.batch
        self._config = config.augment
        self._changes = replace(config.augment, mirror=()) != NO_AUGMENT
        self._mirror = mirrored_classes(labels, config.augment.mirror)
        self._targets = targets
        self._seed = config.seed
        self._balanced = config.balance == "sampler"
        self._order: tuple[int, NDArray[np.int64]] = (-1, np.empty(0, np.int64))

    def __getitem__(self, number: int) -> Numbers:
        """Make a batch; any thread may."""
        epoch, within = divmod(number, self.per_epoch)
        chosen = self._order_of(epoch)[within * self._batch : (within + 1) * self._batch]
        batch, class_ids = self._pictures.batch[chosen], self._pictures.class_ids[chosen]
        chance = np.random.default_rng((self._seed, 1, number))
        if self._config.mirror:
            batch, class_ids = mirrored(batch, class_ids, self._mirror, chance)
        if self._changes:
            batch = np.stack([augment(picture, self._config, chance) for picture in batch])
        return self._targets(batch, class_ids, chance)

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

    def __init__(self, pictures: Pictures, targets: Targets) -> None:
        """Take the decoded pictures; they are not copied."""
        self._pictures = pictures
        self._targets = targets
        self._batch = pictures.at_a_time(MOST_VALIDATED)

    def __len__(self) -> int:
        """How many batches there are."""
        return len(range(0, len(self._pictures.batch), self._batch))

    def __getitem__(self, number: int) -> Numbers:
        """Read a batch; any thread may."""
        part = slice(number * self._batch, (number + 1) * self._batch)
        return self._pictures.batch[part], self._targets.of_held_out(self._pictures.class_ids[part])


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
def served(batches: Batches, held_out: HeldOut, first_epoch: int) -> Iterator[tuple[Any, Any]]:
    """What Keras takes: `batches`, endless from the start of `first_epoch` (it needs steps_per_epoch), and the held-out
    pictures in their order.

    What goes wrong in the making of a batch is raised again as it is when the block ends, not as what a backend makes of it.
    """
    keras = extras.load("keras", extra="train", purpose="Training")
    sources = _Source(batches, first_epoch * batches.per_epoch), _Source(held_out)
    with Ahead(sources[0], depth_for(batches.batch_bytes)) as ahead:
        try:
            yield backend.dataset(keras, ahead, None), backend.dataset(keras, sources[1], len(held_out))
        except Exception as error:
            why = next((source.error for source in sources if source.error), None)
            if why is None or why is error:
                raise
            raise why from error
