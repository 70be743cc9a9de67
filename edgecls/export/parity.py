"""Check that an exported file computes the same as the trained model, by comparing their results on the same pictures."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from edgecls.errors import ExportError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from edgecls.evaluate import AnyReport

LARGEST_FLOAT_DIFFERENCE = 1e-3
"""The largest acceptable difference between float computations of a network; 1e-6 is usual, a wrong layer gives 0.1 or more."""


@dataclass(frozen=True, slots=True)
class Parity:
    """The difference between two models on the same pictures; all values are probabilities or shares of pictures, 0..1."""

    largest_difference: float
    mean_difference: float
    agreement: float  # the share of pictures with the same best label, or with the same labels
    top1_drop: float  # top-1 of the first minus top-1 of the second
    macro_recall_drop: float


def compare(reference: AnyReport, other: AnyReport) -> Parity:
    """Compare two reports on the same pictures in the same order."""
    differences = np.abs(reference.probabilities - other.probabilities)
    drops = (reference.top1 - other.top1, reference.macro_recall - other.macro_recall)
    same = float((reference.decided == other.decided).reshape(reference.pictures, -1).all(axis=1).mean())
    return Parity(float(differences.max()), float(differences.mean()), same, *drops)


def agreement(one: NDArray[np.float32], other: NDArray[np.float32]) -> float:
    """Return the share of pictures with the same best label, given two sets of probabilities, (N, labels) each."""
    return float((one.argmax(axis=1) == other.argmax(axis=1)).mean())


def check_float(parity: Parity, where: str) -> None:
    """Check that a float model computes the same as Keras. Raises ExportError."""
    if parity.largest_difference > LARGEST_FLOAT_DIFFERENCE:
        raise ExportError(
            f"{where}: its probabilities differ from Keras by up to {parity.largest_difference:.2g} on the held-out pictures, "
            f"expected at most {LARGEST_FLOAT_DIFFERENCE:g}; nothing was written. "
            "The conversion is wrong; please report this network"
        )
