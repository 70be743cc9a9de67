"""What a network is told about a batch: class ids, or how much of each class is in each picture.

label smoothing   a little of every class is in every picture, so that no logit need grow without end (Szegedy et al. 2016)
mixup             each picture is laid over another one, and so are their classes (Zhang et al. 2018)
strangers         some pictures are made to belong to no class, and every class is as likely, see `edgecls.train.strangers`
teachers          models that are better, mostly because they are larger, say what they see (Hinton et al. 2015)
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from edgecls.classifier import Classifier
from edgecls.errors import ConfigError
from edgecls.train import strangers

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from edgecls.card import InputSpec
    from edgecls.train.config import TrainConfig


@dataclass(frozen=True, slots=True, eq=False)
class Targets:
    """Makes the targets of batches of `classes` classes; see the module for what its numbers do.

    With `soft` targets the network learns (N, classes) shares in place of (N,) class ids.
    """

    classes: int
    smoothing: float = 0.0
    mixup: float = 0.0
    strangers: float = 0.0
    stranger_kinds: tuple[str, ...] = ()
    teachers: tuple[Classifier, ...] = ()
    teacher_weight: float = 0.0

    @property
    def soft(self) -> bool:
        """Whether the targets are shares of classes."""
        return bool(self.smoothing or self.mixup or self.strangers or self.teachers)

    def __call__(
        self, batch: NDArray[np.uint8], class_ids: NDArray[np.int64], chance: np.random.Generator
    ) -> tuple[NDArray[np.uint8], NDArray[np.int64] | NDArray[np.float32]]:
        """Return what is shown and what is told. `batch`: (N, H, W, C), already augmented; `class_ids`: (N,)."""
        if not self.soft:
            return batch, class_ids
        shares = self.of(class_ids) * np.float32(1 - self.smoothing) + np.float32(self.smoothing / self.classes)
        if self.mixup:
            batch, shares = _mixed(batch, shares, self.mixup, chance)
        if self.teachers:
            seen = np.mean([teacher.probabilities(batch) for teacher in self.teachers], axis=0)
            shares = np.float32(1 - self.teacher_weight) * shares + np.float32(self.teacher_weight) * seen
        if self.strangers:
            chosen = np.flatnonzero(chance.uniform(size=len(batch)) < self.strangers)
            batch, shares = batch.copy(), shares.copy()
            if len(chosen):
                batch[chosen] = strangers.make(batch[chosen], self.stranger_kinds, chance)
                shares[chosen] = 1 / self.classes
        return batch, shares.astype(np.float32)

    def of(self, class_ids: NDArray[np.int64]) -> NDArray[np.float32]:
        """(N, classes): all of each picture is in its class."""
        shares: NDArray[np.float32] = np.eye(self.classes, dtype=np.float32)[class_ids]
        return shares

    def of_held_out(self, class_ids: NDArray[np.int64]) -> NDArray[np.int64] | NDArray[np.float32]:
        """The same form of targets for pictures that measure, which are told as they are."""
        return self.of(class_ids) if self.soft else class_ids


def targets(config: TrainConfig, labels: tuple[str, ...]) -> Targets:
    """Make the targets of a run. Raises ConfigError for a teacher of other labels or pictures, ModelError for none at all."""
    teachers = tuple(_teacher(path, config.input, labels) for path in config.teachers)
    return Targets(
        classes=len(labels),
        smoothing=config.label_smoothing,
        mixup=config.mixup,
        strangers=config.strangers,
        stranger_kinds=config.stranger_kinds,
        teachers=teachers,
        teacher_weight=config.teacher_weight,
    )


def _teacher(path: str, spec: InputSpec, labels: Sequence[str]) -> Classifier:
    teacher = Classifier.load(path, device="cpu")
    if teacher.card.labels != tuple(labels):
        raise ConfigError(
            f"teacher {path}: its labels are not those of the data ({len(teacher.card.labels)} against {len(labels)}, "
            f"the first: {teacher.card.labels[0]!r} and {labels[0]!r}); train it on the same classes"
        )
    if teacher.card.input != spec:
        raise ConfigError(f"teacher {path}: it takes pictures as {teacher.card.input}, this run {spec}; they must be the same")
    return teacher


def _mixed(
    batch: NDArray[np.uint8], shares: NDArray[np.float32], alpha: float, chance: np.random.Generator
) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
    """Lay each picture over another one of the batch, at a strength drawn from Beta(alpha, alpha)."""
    other = chance.permutation(len(batch))
    strength = chance.beta(alpha, alpha, len(batch)).astype(np.float32)
    of_pixels, of_shares = strength[:, None, None, None], strength[:, None]
    mixed = of_pixels * batch + (1 - of_pixels) * batch[other]
    return np.round(mixed).astype(np.uint8), of_shares * shares + (1 - of_shares) * shares[other]
