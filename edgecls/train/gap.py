"""The generalization gap: training accuracy minus validation accuracy, and a sentence on what it means.

The accuracy that Keras shows during training cannot be compared: it is measured with augmentation and dropout, and while the
weights still change. So the kept model is evaluated on unchanged training pictures once, at the end.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from edgecls.dataset.answering import answers
from edgecls.train.config import NO_AUGMENT

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from edgecls.dataset import Pictures
    from edgecls.evaluate import AnyReport
    from edgecls.train.config import TrainConfig

SAMPLE = 4096
"""The most training pictures to evaluate: with these, an accuracy of 95 % has a standard error of 0.3 points."""
SMALL, LARGE = 0.02, 0.05
"""Up to 2 points, the gap matters less than most other things; above 5, it is what to work on first."""
LOW_ACCURACY = 0.9
"""A network below this training accuracy is underfitting."""
STANDARD_ERRORS = 2.0
"""A gap of fewer standard errors may be noise. Frames of one track are alike, so the true standard error may be larger."""


@dataclass(frozen=True, slots=True)
class Gap:
    """The accuracy (0..1) of a model on unchanged training pictures and on held-out ones, and the number of each."""

    training: float
    training_pictures: int
    validation: float
    validation_pictures: int

    @property
    def width(self) -> float:
        """The difference of the two accuracies as they are shown, to a tenth of a point."""
        return round(round(self.training, 3) - round(self.validation, 3), 3)

    @property
    def noise(self) -> float:
        """The largest gap that may be noise: two standard errors of the difference between two proportions."""
        counts = ((self.training, self.training_pictures), (self.validation, self.validation_pictures))
        return STANDARD_ERRORS * math.sqrt(sum(share * (1 - share) / max(1, n) for share, n in counts))

    def sentence(self, config: TrainConfig) -> str:
        """Return a sentence that names the problem, if there is one, and the settings worth trying."""
        numbers = (f"Training accuracy {100 * self.training:.1f} %, validation {100 * self.validation:.1f} %: "
                   f"gap {100 * self.width:.1f} points: ")  # fmt: skip
        if self.width > max(LARGE, self.noise):
            return f"{numbers}overfitting, it has memorized its training pictures; try {_against_overfitting(config)}"
        if self.training < LOW_ACCURACY:
            return f"{numbers}underfitting, it has not learned its own training pictures; try {_against_underfitting(config)}"
        if self.width <= self.noise:
            return f"{numbers}no overfitting that {self.validation_pictures:,} held-out pictures can show"
        if self.width <= SMALL:
            return f"{numbers}little overfitting"
        return f"{numbers}some overfitting; it may help to try {_against_overfitting(config)}"


def measure(
    probabilities: Callable[[NDArray[np.uint8]], NDArray[np.float32]], pictures: Pictures, report: AnyReport, seed: int
) -> tuple[float, int]:
    """Return the accuracy (0..1) on unchanged training pictures and their number: all of them, or a sample of SAMPLE.

    With several labels a picture, a picture is right if all its labels are. `report` is that on the held-out pictures, which
    has the thresholds.
    """
    truth = pictures.truth(range(len(report.labels)), len(report.labels))
    chosen = np.sort(np.random.default_rng(seed).permutation(len(pictures.class_ids))[:SAMPLE])
    found = answers(probabilities, pictures, chosen).probabilities
    sample = replace(report, truth=truth[chosen], probabilities=found, items=())
    return sample.top1, len(chosen)


def _against_overfitting(config: TrainConfig) -> str:
    """Suggest more pictures first, then the remedies that are not in use yet."""
    augment = "`augment`" if config.augment == NO_AUGMENT else "stronger `augment.rotation_deg` and `augment.translation`"
    unused = [name for name, given in (("`label_smoothing`", config.label_smoothing), ("`mixup`", config.mixup)) if not given]
    return f"more pictures, {augment}, {', '.join([*unused, '`dropout`', '`weight_decay`'])}, or `average`"


def _against_underfitting(config: TrainConfig) -> str:
    network = "`arch=edge`" if config.arch == "classic" else "a smaller `dropout`"
    weaker = "" if config.augment == NO_AUGMENT else ", weaker `augment.rotation_deg` and `augment.translation`"
    return f"more `epochs`, {network}, a larger `input`{weaker}, or another `rate`"
