"""Training pictures in shuffled, augmented batches, with what is told about them.

A batch is a function of (seed, its number since the start of the run) alone, so neither worker threads nor an
interrupted and resumed run change what the network sees.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from edgecls import extras
from edgecls.train.augment import augment, mirrored, mirrored_classes
from edgecls.train.balance import balanced_order
from edgecls.train.config import NO_AUGMENT

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from edgecls.dataset import Pictures
    from edgecls.train.config import TrainConfig
    from edgecls.train.targets import Targets


class Batches:
    """All batches of a run by number: `batches[n]` is batch n % per_epoch of epoch n // per_epoch."""

    def __init__(self, pictures: Pictures, labels: Sequence[str], config: TrainConfig, targets: Targets) -> None:
        """Take the decoded pictures; they are not copied. Raises ConfigError for a mirror of what is no label."""
        self.per_epoch = -(-len(pictures.batch) // config.batch)
        self._pictures = pictures
        self._batch = config.batch
        self._config = config.augment
        self._mirror = mirrored_classes(labels, config.augment.mirror)
        self._targets = targets
        self._seed = config.seed
        self._balanced = config.balance == "sampler"
        self._order: tuple[int, NDArray[np.int64]] = (-1, np.empty(0, np.int64))

    def __getitem__(self, number: int) -> tuple[NDArray[np.uint8], NDArray[np.int64] | NDArray[np.float32]]:
        """Return (pictures (B, height, width, channels) uint8, what `Targets` makes of their class ids)."""
        epoch, within = divmod(number, self.per_epoch)
        chosen = self._order_of(epoch)[within * self._batch : (within + 1) * self._batch]
        batch, class_ids = self._pictures.batch[chosen], self._pictures.class_ids[chosen]
        chance = np.random.default_rng((self._seed, 1, number))
        if self._config.mirror:
            batch, class_ids = mirrored(batch, class_ids, self._mirror, chance)
        if replace(self._config, mirror=()) != NO_AUGMENT:
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


def as_keras(batches: Batches, first_epoch: int) -> Any:
    """An endless keras.utils.PyDataset over `batches`, from the start of `first_epoch`; needs steps_per_epoch."""
    keras = extras.load("keras", extra="train", purpose="Training")
    first = first_epoch * batches.per_epoch

    class _Endless(keras.utils.PyDataset):  # type: ignore[misc, name-defined]  # keras has no types
        @property
        def num_batches(self) -> None:
            return None

        def __getitem__(self, number: int) -> tuple[NDArray[np.uint8], NDArray[np.int64] | NDArray[np.float32]]:
            return batches[first + number]

    return _Endless(workers=1)  # one: Keras restarts a pool of workers at every epoch, from batch 0
