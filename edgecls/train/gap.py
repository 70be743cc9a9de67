"""The gap between what a network has learned and what it has learned by heart, in a sentence.

The accuracy that Keras shows while it trains is no measure of it: those pictures were changed at random, units were left out,
and the weights were still moving. So the kept model is asked about unchanged training pictures once, at the end.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from edgecls.evaluate import answers
from edgecls.train.config import NO_AUGMENT

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from edgecls.dataset import Pictures
    from edgecls.train.config import TrainConfig

SAMPLE = 4096
"""So many training pictures are asked about: an accuracy of 95 % is then known to 0.3 points."""
SMALL, LARGE = 0.02, 0.05
"""Up to 2 points the gap costs less than most other things; above 5 it is what to work on first."""
LOW_ACCURACY = 0.9
"""Under it on its own training pictures a network has not learned them."""
CHANCE = 2.0
"""A gap of fewer standard errors than this may be chance. Frames of one track are alike, so in truth it may be a larger one."""


@dataclass(frozen=True, slots=True)
class Gap:
    """Accuracy (0..1) of one model on so many unchanged training pictures and on so many held-out ones."""

    training: float
    training_pictures: int
    validation: float
    validation_pictures: int

    @property
    def width(self) -> float:
        """The difference of the two as they are shown, to a tenth of a point."""
        return round(round(self.training, 3) - round(self.validation, 3), 3)

    @property
    def chance(self) -> float:
        """The gap that may come about by chance: two standard errors of a difference of shares."""
        counts = ((self.training, self.training_pictures), (self.validation, self.validation_pictures))
        return CHANCE * math.sqrt(sum(share * (1 - share) / max(1, n) for share, n in counts))

    def sentence(self, config: TrainConfig) -> str:
        """What it is called, and which settings are worth trying."""
        numbers = (f"Training accuracy {100 * self.training:.1f} %, validation {100 * self.validation:.1f} %: "
                   f"gap {100 * self.width:.1f} points: ")  # fmt: skip
        if self.width > max(LARGE, self.chance):
            return f"{numbers}overfitting, it knows its training pictures by heart; try {_against_overfitting(config)}"
        if self.training < LOW_ACCURACY:
            return f"{numbers}underfitting, it has not learned its own training pictures; try {_against_underfitting(config)}"
        if self.width <= self.chance:
            return f"{numbers}no overfitting that {self.validation_pictures:,} held-out pictures could show"
        if self.width <= SMALL:
            return f"{numbers}little overfitting"
        return f"{numbers}some overfitting; it may help to try {_against_overfitting(config)}"


def measure(
    probabilities: Callable[[NDArray[np.uint8]], NDArray[np.float32]], pictures: Pictures, seed: int
) -> tuple[float, int]:
    """The accuracy of a model on unchanged training pictures, and on how many: all of them, or SAMPLE that `seed` chose."""
    chosen = np.sort(np.random.default_rng(seed).permutation(len(pictures.class_ids))[:SAMPLE])
    right = answers(probabilities, pictures, chosen).argmax(axis=1) == pictures.class_ids[chosen]
    return float(right.mean()), len(chosen)


def _against_overfitting(config: TrainConfig) -> str:
    """More of the same kind of pictures comes first; then what is not used yet."""
    changed = "--augment" if config.augment == NO_AUGMENT else "stronger --augment-rotation and --augment-translation"
    unused = [name for name, given in (("--label-smoothing", config.label_smoothing), ("--mixup", config.mixup)) if not given]
    return f"more pictures, {changed}, {', '.join([*unused, '--dropout', '--weight-decay'])}, or --average"


def _against_underfitting(config: TrainConfig) -> str:
    network = "--arch edge" if config.arch == "classic" else "a smaller --dropout"
    weaker = "" if config.augment == NO_AUGMENT else ", weaker --augment-rotation and --augment-translation"
    return f"more --epochs, {network}, a larger --size{weaker}, or another --rate"
