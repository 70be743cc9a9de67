"""Score every picture by a head that has not seen its group, choose the strength by these scores, and fit the temperature."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from edgecls.learn.folds import NEVER, folds
from edgecls.learn.head import FEW_PICTURES, MEANS, STRENGTHS, softmax
from edgecls.model import confidence

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from edgecls.learn.head import Views

SMALLEST = 1e-12


@dataclass(frozen=True, slots=True, eq=False)
class Scored:
    """The scores of held-out pictures.

    Attributes:
        strength: The strength of the heads that gave them, see `edgecls.learn.head`.
        temperature: Divides their logits, so that the probabilities are right as frequencies; 1 if nothing could be scored.
        logits: (N, classes) float32; the rows of pictures that are never held out are 0.
        fold_of: The fold that held out each picture, (N,); NEVER for those that always train.
        truth: (N,) int64.
    """

    strength: float
    temperature: float
    logits: NDArray[np.float32]
    fold_of: NDArray[np.int64]
    truth: NDArray[np.int64]

    @property
    def scored(self) -> NDArray[np.int64]:
        """The indices of the pictures that were held out once."""
        return np.flatnonzero(self.fold_of != NEVER)

    @property
    def right(self) -> NDArray[np.bool_]:
        """Whether the best label of each picture is right, (N,); False for those that are never held out."""
        right: NDArray[np.bool_] = (self.logits.argmax(axis=1) == self.truth) & (self.fold_of != NEVER)
        return right

    @property
    def probabilities(self) -> NDArray[np.float32]:
        """The probabilities of the scored pictures at temperature 1, (pictures, classes)."""
        return softmax(self.logits[self.scored])


def cross_validated(views: Views, groups: Sequence[Sequence[int]], *, seed: int) -> Scored:
    """Return the scores for the best strength.

    Class means are the only choice if most classes have fewer than FEW_PICTURES pictures; otherwise the strength with the
    lowest cross-entropy is chosen, in which every class counts alike, at the best temperature for it. Of a single class nothing
    is scored.

    Args:
        views: The embeddings.
        groups: The indices of the pictures in each group.
        seed: Shuffles the groups.
    """
    if views.classes == 1:  # there is nothing to be wrong about
        nothing = np.zeros((len(views.class_ids), 1), np.float32)
        return Scored(MEANS, 1.0, nothing, np.full(len(nothing), NEVER, np.int64), views.class_ids)
    fold_of = folds(views.class_ids, groups, seed=seed)
    few = float(np.median(np.bincount(views.class_ids, minlength=views.classes))) < FEW_PICTURES
    found = [scores(views, fold_of, strength) for strength in ((MEANS,) if few else STRENGTHS)]
    return min(found, key=_cross_entropy)


def scores(views: Views, fold_of: NDArray[np.int64], strength: float, chosen: NDArray[np.bool_] | None = None) -> Scored:
    """Return the scores for one strength.

    Args:
        views: The embeddings.
        fold_of: The fold that holds out each picture, (N,).
        strength: See `edgecls.learn.head`.
        chosen: Which pictures may be trained with, (N,); None: all.
    """
    logits = np.zeros((len(fold_of), views.classes), np.float32)
    for fold in np.unique(fold_of[fold_of != NEVER]).tolist():
        trained = fold_of != fold if chosen is None else chosen & (fold_of != fold)
        held = fold_of == fold
        logits[held] = views.fit(np.flatnonzero(trained), strength).logits(views.embeddings[held, 0])
    found = Scored(strength, 1.0, logits, fold_of, views.class_ids)
    if not len(found.scored):
        return found
    temperature = confidence.likeliest_temperature(found.probabilities, found.truth[found.scored])
    return replace(found, temperature=round(temperature, 4))


def _cross_entropy(found: Scored) -> float:
    """Return the cross-entropy at the fitted temperature, as the mean over the classes."""
    truth = found.truth[found.scored]
    if not len(truth):
        return 0.0
    of_truth = softmax(found.logits[found.scored] / np.float32(found.temperature))[np.arange(len(truth)), truth]
    costs = -np.log(np.maximum(of_truth, SMALLEST))
    return float(np.mean([costs[truth == class_id].mean() for class_id in np.unique(truth)]))
