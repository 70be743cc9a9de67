"""Is the exported file the model that was trained? Both classify the same pictures, the file through the runtime's own path."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from edgecls.errors import ExportError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from edgecls.evaluate import Report

LARGEST_FLOAT_DIFFERENCE = 1e-3
"""Between float computations of one network; 1e-6 is usual, a wrong layer or pixel rule gives 0.1 and more."""


@dataclass(frozen=True, slots=True)
class Parity:
    """How far two models are apart on the same pictures: probabilities (0..1), shares of pictures (0..1)."""

    largest_difference: float
    mean_difference: float
    agreement: float  # the share of pictures with the same best label
    top1_drop: float  # how much smaller the second's share of right labels is
    macro_recall_drop: float


def compare(reference: Report, other: Report) -> Parity:
    """Compare two measures of the same pictures in the same order."""
    apart = np.abs(reference.probabilities - other.probabilities)
    drops = (reference.top1 - other.top1, reference.macro_recall - other.macro_recall)
    same = agreement(reference.probabilities, other.probabilities)
    return Parity(float(apart.max()), float(apart.mean()), same, *drops)


def agreement(one: NDArray[np.float32], other: NDArray[np.float32]) -> float:
    """The share of the same pictures that two models give the same label, by their (N, labels) probabilities."""
    return float((one.argmax(axis=1) == other.argmax(axis=1)).mean())


def check_float(parity: Parity, where: str) -> None:
    """Refuse a float file that computes something else than Keras. Raises ExportError."""
    if parity.largest_difference > LARGEST_FLOAT_DIFFERENCE:
        raise ExportError(
            f"{where}: its probabilities differ from Keras by up to {parity.largest_difference:.2g} on the held-out pictures, "
            f"expected at most {LARGEST_FLOAT_DIFFERENCE:g}; nothing was written. Report this network: it was converted wrongly"
        )
