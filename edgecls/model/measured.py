"""What an evaluation says of each class and of the scores: the part of a model card that a page draws."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from edgecls.errors import ModelError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from edgecls.metrics import Bin

MOST_CONFUSIONS = 20
MOST_BINS = 100
DIGITS = 4


@dataclass(frozen=True, slots=True)
class Measured:
    """Counts of an evaluation, by class in the order of the labels.

    Attributes:
        pictures: The pictures that show each class.
        right: How many of them were labelled so.
        given: How many pictures of all were labelled so.
        bins: The reliability diagram of the scores, in bins of equal width from 0 to 1: the pictures in each, the mean of their
            scores and the share that is right, both 0..1 and 0 without pictures. Empty if it was not measured.
        confusions: The most frequent confusions: true class, given class, pictures.
    """

    pictures: tuple[int, ...]
    right: tuple[int, ...]
    given: tuple[int, ...]
    bins: tuple[tuple[int, float, float], ...] = ()
    confusions: tuple[tuple[int, int, int], ...] = ()

    @staticmethod
    def of_counts(
        pictures: NDArray[np.int64], right: NDArray[np.int64], given: NDArray[np.int64], bins: Sequence[Bin]
    ) -> Measured:  # fmt: skip
        """Return what to keep of counts by class, (classes,) each, where there is no confusion of one with another."""
        of_class = [tuple(map(int, column)) for column in (pictures, right, given)]
        return Measured(of_class[0], of_class[1], of_class[2], tuple(map(_rounded, bins)))

    @staticmethod
    def of(confusion: NDArray[np.int64], bins: Sequence[Bin]) -> Measured:
        """Return what to keep of an evaluation.

        Args:
            confusion: (classes, classes) counts with a row per true class.
            bins: The reliability diagram of its scores.
        """
        wrong = confusion.copy()
        np.fill_diagonal(wrong, 0)
        truth, said = np.nonzero(wrong)
        order = np.argsort(-wrong[truth, said], kind="stable")[:MOST_CONFUSIONS]
        pairs = tuple((int(truth[i]), int(said[i]), int(wrong[truth[i], said[i]])) for i in order)
        counts = Measured.of_counts(confusion.sum(axis=1), np.diag(confusion), confusion.sum(axis=0), bins)
        return replace(counts, confusions=pairs)

    @staticmethod
    def from_record(record: Mapping[str, Any], labels: int) -> Measured:
        """Read what `dataclasses.asdict` made of it, for a model with so many labels. Raises ModelError."""
        try:
            of_class = [_counts(record[name], labels) for name in ("pictures", "right", "given")]
            bins = tuple((_count(n), _share(score), _share(right)) for n, score, right in record.get("bins", ())[:MOST_BINS])
            pairs = record.get("confusions", ())[:MOST_CONFUSIONS]
            confusions = tuple((_count(truth), _count(said), _count(n)) for truth, said, n in pairs)
        except (KeyError, TypeError, ValueError) as error:
            raise ModelError(f"its measured classes are damaged ({error}); export the model again") from error
        if any(max(truth, said) >= labels for truth, said, _ in confusions):
            raise ModelError(f"its measured classes are damaged (a class beyond {labels}); export the model again")
        return Measured(of_class[0], of_class[1], of_class[2], bins, confusions)


def _rounded(one: Bin) -> tuple[int, float, float]:
    return (one.pictures, round(one.mean_score, DIGITS), round(one.right, DIGITS)) if one.pictures else (0, 0.0, 0.0)


def _counts(values: Sequence[Any], labels: int) -> tuple[int, ...]:
    if len(values) != labels:
        raise ValueError(f"expected {labels} numbers, found {len(values)}")
    return tuple(map(_count, values))


def _count(value: Any) -> int:
    if type(value) is not int or value < 0:
        raise ValueError(f"expected a whole number from 0 on, found {str(value)[:20]}")
    return value


def _share(value: Any) -> float:
    if type(value) not in (int, float) or not 0 <= value <= 1:
        raise ValueError(f"expected a number from 0 to 1, found {str(value)[:20]}")
    return float(value)
