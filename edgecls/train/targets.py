"""The targets of a batch: class ids, or soft targets with a share of each class.

label smoothing   spread a little of each target over all classes, so that logits stay bounded (Szegedy et al. 2016)
mixup             blend each picture and its target with another one (Zhang et al. 2018)
outliers          replace some pictures by ones of no class, whose target is uniform: made ones, see `edgecls.train.outliers`,
                  and foreign ones
teachers          learn from the probabilities of better, mostly larger, models (distillation, Hinton et al. 2015)
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

import numpy as np

from edgecls.dataset import decode_below
from edgecls.dataset.several_labels import UNKNOWN
from edgecls.errors import ConfigError
from edgecls.model.classifier import Classifier
from edgecls.train import outliers
from edgecls.train.augment import augment

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from edgecls.frame import Batch
    from edgecls.input_spec import InputSpec
    from edgecls.train.config import Augment, TrainConfig


class Foreign(NamedTuple):
    """Pictures of no class, (N, H, W, C) uint8, and how they are augmented."""

    pictures: Batch
    changes: Augment


@dataclass(frozen=True, slots=True, eq=False)
class Targets:
    """Makes the targets of batches. The settings are explained at the top of this module; `outliers` is a share, 0..1.

    With `soft` targets, the network learns class shares (N, classes) instead of class ids (N,).
    """

    classes: int
    smoothing: float = 0.0
    mixup: float = 0.0
    outliers: float = 0.0
    outlier_kinds: tuple[str, ...] = ()
    foreign: Foreign | None = None
    teachers: tuple[Classifier, ...] = ()
    teacher_weight: float = 0.0

    @property
    def soft(self) -> bool:
        """Whether the targets are class shares."""
        return bool(self.smoothing or self.mixup or self.outliers or self.teachers)

    def __call__(
        self, batch: NDArray[np.uint8], class_ids: NDArray[np.int64], rng: np.random.Generator
    ) -> tuple[NDArray[np.uint8], NDArray[np.int64] | NDArray[np.float32]]:
        """Return the pictures to train on and their targets.

        Args:
            batch: (N, H, W, C) uint8, already augmented.
            class_ids: (N,) int64.
            rng: Draws the mixup partners and the outliers.

        Returns:
            The pictures, (N, H, W, C) uint8, and class ids (N,) or class shares (N, classes) float32.
        """
        if not self.soft:
            return batch, class_ids
        shares = self.one_hot(class_ids) * np.float32(1 - self.smoothing) + np.float32(self.smoothing / self.classes)
        if self.mixup:
            batch, shares = _mixed(batch, shares, self.mixup, rng)
        if self.teachers:
            taught = np.mean([teacher.probabilities(batch) for teacher in self.teachers], axis=0)
            shares = np.float32(1 - self.teacher_weight) * shares + np.float32(self.teacher_weight) * taught
        if self.outliers:
            chosen = np.flatnonzero(rng.uniform(size=len(batch)) < self.outliers)
            batch, shares = batch.copy(), shares.copy()
            if len(chosen):
                batch[chosen] = outliers.make(batch[chosen], self.outlier_kinds, rng)
                _show_foreign(batch, chosen, self.foreign, rng)
                shares[chosen] = 1 / self.classes
        return batch, shares.astype(np.float32)

    def one_hot(self, class_ids: NDArray[np.int64]) -> NDArray[np.float32]:
        """Return the class ids (N,) as class shares (N, classes)."""
        shares: NDArray[np.float32] = np.eye(self.classes, dtype=np.float32)[class_ids]
        return shares

    def of_held_out(self, class_ids: NDArray[np.int64]) -> NDArray[np.int64] | NDArray[np.float32]:
        """Return the true targets of validation pictures, in the same form as the training targets."""
        return self.one_hot(class_ids) if self.soft else class_ids


@dataclass(frozen=True, slots=True, eq=False)
class LabelTargets:
    """Makes the targets of batches with several labels a picture: marks (N, labels), 1 shown, 0 not, below 0 unknown.

    The settings are those of `Targets`. An outlier shows none of the labels. Where a mark is unknown, a teacher says it.
    """

    smoothing: float = 0.0
    mixup: float = 0.0
    outliers: float = 0.0
    outlier_kinds: tuple[str, ...] = ()
    foreign: Foreign | None = None
    teachers: tuple[Classifier, ...] = ()
    teacher_weight: float = 0.0

    def __call__(
        self, batch: NDArray[np.uint8], marks: NDArray[np.int64], rng: np.random.Generator
    ) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
        """Return the pictures to train on, (N, H, W, C) uint8, and their targets, (N, labels) float32, see `Targets`."""
        known = marks >= 0
        shares = np.where(known, marks * (1 - self.smoothing) + self.smoothing / 2, UNKNOWN).astype(np.float32)
        if self.mixup:
            batch, shares = _mixed(batch, shares, self.mixup, rng, unknown=~known)
        if self.teachers:
            taught = np.mean([teacher.probabilities(batch) for teacher in self.teachers], axis=0)
            blended = (1 - self.teacher_weight) * shares + self.teacher_weight * taught
            shares = np.where(shares < 0, taught, blended)
        if self.outliers:
            chosen = np.flatnonzero(rng.uniform(size=len(batch)) < self.outliers)
            batch, shares = batch.copy(), shares.copy()
            if len(chosen):
                batch[chosen] = outliers.make(batch[chosen], self.outlier_kinds, rng)
                _show_foreign(batch, chosen, self.foreign, rng)
                shares[chosen] = 0
        return batch, shares.astype(np.float32)

    def of_held_out(self, marks: NDArray[np.int64]) -> NDArray[np.float32]:
        """Return the true targets of validation pictures."""
        return marks.astype(np.float32)


AnyTargets: TypeAlias = Targets | LabelTargets


def label_targets(config: TrainConfig, labels: tuple[str, ...]) -> LabelTargets:
    """Return what makes the targets of a run with several labels a picture, see `targets`."""
    return LabelTargets(
        smoothing=config.label_smoothing,
        mixup=config.mixup,
        outliers=config.strangers,
        outlier_kinds=config.stranger_kinds,
        foreign=_foreign(config),
        teachers=tuple(_teacher(path, config.input, labels, "sigmoid") for path in config.teachers),
        teacher_weight=config.teacher_weight,
    )


def targets(config: TrainConfig, labels: tuple[str, ...]) -> Targets:
    """Return what makes the targets of a run.

    Raises:
        ConfigError: The labels or the input of a teacher differ from those of the run.
        ModelError: A teacher is not a model.
        DataError: `config.stranger_pictures` has no picture.
    """
    teachers = tuple(_teacher(path, config.input, labels, "softmax") for path in config.teachers)
    return Targets(
        classes=len(labels),
        smoothing=config.label_smoothing,
        mixup=config.mixup,
        outliers=config.strangers,
        outlier_kinds=config.stranger_kinds,
        foreign=_foreign(config),
        teachers=teachers,
        teacher_weight=config.teacher_weight,
    )


def _foreign(config: TrainConfig) -> Foreign | None:
    """Return the pictures of no class that a run is given, if any."""
    folder = config.stranger_pictures
    return Foreign(decode_below(folder, config.input).batch, config.augment) if folder else None


def _show_foreign(
    batch: NDArray[np.uint8], chosen: NDArray[np.int64], foreign: Foreign | None, rng: np.random.Generator
) -> None:
    """Replace half of the `chosen` pictures of a batch by foreign ones, if there are any."""
    if foreign is not None:
        replaced = chosen[rng.uniform(size=len(chosen)) < 0.5]
        for i, n in zip(replaced.tolist(), rng.integers(0, len(foreign.pictures), len(replaced)).tolist(), strict=True):
            batch[i] = augment(foreign.pictures[n], foreign.changes, rng)


def _teacher(path: str, spec: InputSpec, labels: Sequence[str], outputs: str) -> Classifier:
    teacher = Classifier.load(path, device="cpu")
    if teacher.card.outputs != outputs:
        has, needs = ("several labels", "one") if teacher.card.multi_label else ("one label", "several")
        raise ConfigError(
            f"teacher {path}: it gives {has} for a picture, and this run learns {needs}; train it on the same data"
        )
    if teacher.card.labels != tuple(labels):
        raise ConfigError(
            f"teacher {path}: its labels differ from those of the data (expected {len(labels)} labels from {labels[0]!r} on, "
            f"found {len(teacher.card.labels)} from {teacher.card.labels[0]!r} on); train it on the same classes"
        )
    if teacher.card.input != spec:
        raise ConfigError(
            f"teacher {path}: its input differs from this run's (expected {spec}, found {teacher.card.input}); "
            "train it with the same input"
        )
    return teacher


def _mixed(
    batch: NDArray[np.uint8], shares: NDArray[np.float32], alpha: float, rng: np.random.Generator,
    unknown: NDArray[np.bool_] | None = None,
) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:  # fmt: skip
    """Blend each picture with another one of the batch, with a weight drawn from Beta(alpha, alpha).

    A share that is `unknown` in one of the two is unknown.
    """
    other = rng.permutation(len(batch))
    weight = rng.beta(alpha, alpha, len(batch)).astype(np.float32)
    of_pixels, of_shares = weight[:, None, None, None], weight[:, None]
    mixed = of_pixels * batch + (1 - of_pixels) * batch[other]
    blended = of_shares * shares + (1 - of_shares) * shares[other]
    if unknown is not None:
        blended = np.where(unknown | unknown[other], np.float32(UNKNOWN), blended)
    return np.round(mixed).astype(np.uint8), blended


Numbers: TypeAlias = "tuple[NDArray[np.uint8], NDArray[np.int64] | NDArray[np.float32]]"
"""Pictures (N, height, width, channels) uint8 and their targets: class ids (N,) or class shares (N, classes)."""
