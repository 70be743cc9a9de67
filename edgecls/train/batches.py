"""Shuffled, augmented batches of training pictures with their targets.

A batch depends only on the seed and on its number since the start of the run. So the network sees the same batches whichever
thread makes them, and whether or not the run was interrupted and resumed.
"""

from __future__ import annotations

import contextlib
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from edgecls import extras
from edgecls.train import backend
from edgecls.train.augment import augment, mirrored, mirrored_classes
from edgecls.train.balance import balanced_order
from edgecls.train.config import NO_AUGMENT
from edgecls.train.label_loss import rarest
from edgecls.train.prefetch import Prefetcher, depth_for

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from edgecls.dataset import Pictures
    from edgecls.train.config import TrainConfig
    from edgecls.train.prefetch import Numbered
    from edgecls.train.targets import AnyTargets, Numbers

MOST_VALIDATED = 256
"""The largest batch of held-out pictures; large pictures come in smaller batches."""


class Batches:
    """All batches of a run by number: `batches[n]` is batch n % per_epoch of epoch n // per_epoch.

    Attributes:
        per_epoch: The number of batches per epoch.
        sizes: The sizes of the batches in pictures: the last one of an epoch may be smaller.
        batch_bytes: The size of the pictures of a batch.
    """

    def __init__(self, pictures: Pictures, labels: Sequence[str], config: TrainConfig, targets: AnyTargets) -> None:
        """Use the decoded pictures without copying them.

        Raises:
            ConfigError: `config.augment.mirror` names an unknown label.
        """
        count = len(pictures.batch)
        self.per_epoch = -(-count // config.batch)
        self.sizes = {min(config.batch, count), count % config.batch or min(config.batch, count)}
        self.batch_bytes = config.batch * pictures.batch[0].nbytes
        self._pictures = pictures
        self._truth = pictures.truth(range(len(labels)), len(labels))
        self._batch = config.batch
        self._config = config.augment
        self._changes = replace(config.augment, mirror=()) != NO_AUGMENT
        self._mirror = mirrored_classes(labels, config.augment.mirror)
        self._targets = targets
        self._seed = config.seed
        self._balanced = config.balance == "sampler"
        self._order: tuple[int, NDArray[np.int64]] = (-1, np.empty(0, np.int64))

    def __getitem__(self, number: int) -> Numbers:
        """Return batch `number` of the run, from 0. Thread-safe."""
        epoch, within = divmod(number, self.per_epoch)
        chosen = self._order_of(epoch)[within * self._batch : (within + 1) * self._batch]
        batch, truth = self._pictures.batch[chosen], self._truth[chosen]
        rng = np.random.default_rng((self._seed, 1, number))
        if self._config.mirror:
            batch, truth = mirrored(batch, truth, self._mirror, rng)
        if self._changes:
            batch = np.stack([augment(picture, self._config, rng) for picture in batch])
        return self._targets(batch, truth, rng)

    def _order_of(self, epoch: int) -> NDArray[np.int64]:
        order = self._order
        if order[0] != epoch:
            rng = np.random.default_rng((self._seed, 0, epoch))
            class_ids = self._truth if self._truth.ndim == 1 else rarest(self._truth)
            picks = balanced_order(class_ids, rng) if self._balanced else rng.permutation(len(class_ids))
            order = self._order = (epoch, picks)
        return order[1]


class HeldOut:
    """The held-out pictures in their original order, as numbered batches of these `sizes` in pictures."""

    def __init__(self, pictures: Pictures, labels: Sequence[str], targets: AnyTargets) -> None:
        """Use the decoded pictures without copying them."""
        self._pictures = pictures
        self._truth = pictures.truth(range(len(labels)), len(labels))
        self._targets = targets
        self._batch = pictures.at_a_time(MOST_VALIDATED)
        count = len(pictures.batch)
        self.sizes = {min(self._batch, count), count % self._batch or min(self._batch, count)}

    def __len__(self) -> int:
        """Return the number of batches."""
        return len(range(0, len(self._pictures.batch), self._batch))

    def __getitem__(self, number: int) -> Numbers:
        """Return batch `number`, from 0. Thread-safe."""
        part = slice(number * self._batch, (number + 1) * self._batch)
        return self._pictures.batch[part], self._targets.of_held_out(self._truth[part])


class _Source:
    """The batches of another source from number `first` on. Remembers the first error that making one raised."""

    def __init__(self, batches: Numbered[Numbers], first: int = 0) -> None:
        self._batches, self._first = batches, first
        self.error: Exception | None = None

    def __getitem__(self, number: int) -> Numbers:
        try:
            return self._batches[self._first + number]
        except Exception as error:
            self.error = self.error or error
            raise


@contextlib.contextmanager
def served(
    batches: Batches, held_out: HeldOut, first_epoch: int, parts: tuple[Numbered[Numbers], Numbered[Numbers]] | None = None
) -> Iterator[tuple[Any, Any]]:
    """Serve the batches to Keras, prefetched by threads.

    An error raised while a batch is made leaves the block as it is, without the wrapping that a backend adds.

    Args:
        batches: The training batches.
        held_out: The validation batches.
        first_epoch: The epoch to start with, from 0.
        parts: What is served of each of the two; None: whole batches.

    Yields:
        The training dataset, which is endless (pass steps_per_epoch to `fit`), and the validation dataset.
    """
    keras = extras.load("keras", extra="train", purpose="Training")
    of_training, of_held_out = parts or (batches, held_out)
    sources = _Source(of_training, first_epoch * batches.per_epoch), _Source(of_held_out)
    with Prefetcher(sources[0], depth_for(batches.batch_bytes)) as prefetcher:
        try:
            yield backend.dataset(keras, prefetcher, None), backend.dataset(keras, sources[1], len(held_out))
        except Exception as error:
            why = next((source.error for source in sources if source.error), None)
            if why is None or why is error:
                raise
            raise why from error
