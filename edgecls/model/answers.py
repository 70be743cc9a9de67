"""What a model answers for a batch of pictures."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from edgecls.model.confidence import combine_views

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    Combine = Callable[[NDArray[np.float32], Sequence[int]], NDArray[np.float32]]


class Answers(NamedTuple):
    """The outputs for N pictures.

    Attributes:
        probabilities: (N, labels) float32.
        novelty: How far each picture lies from the known ones, (N,) float32, see `edgecls.model.novelty`; None if the model
            does not compute it.
    """

    probabilities: NDArray[np.float32]
    novelty: NDArray[np.float32] | None = None


def as_answers(found: Answers | NDArray[np.float32]) -> Answers:
    """Return answers as they are, and probabilities, (N, labels), as answers without a novelty."""
    return found if isinstance(found, Answers) else Answers(found)


def joined(parts: Sequence[Answers]) -> Answers:
    """Return the answers of one model for several batches, as those for one."""
    probabilities = np.concatenate([part.probabilities for part in parts])
    novelties = [part.novelty for part in parts if part.novelty is not None]
    return Answers(probabilities, np.concatenate(novelties) if novelties else None)


def combined(answers: Answers, views: Sequence[int], combine: Combine = combine_views) -> Answers:
    """Combine several views of the same object into one answer: an object is known if one of its views is.

    An object with one view keeps its answer, whatever else is in the batch.

    Args:
        answers: For M views; the first `views[0]` rows are views of the first object, and so on.
        views: The number of views of each of the N objects; they sum to M.
        combine: Combines the probabilities.

    Returns:
        The answers for N objects, with their combined probabilities and the smallest novelty of the views.
    """
    if len(views) == len(answers.probabilities):
        return answers
    novelty, firsts = answers.novelty, np.cumsum([0, *views[:-1]])
    if novelty is not None:
        novelty = np.minimum.reduceat(novelty, firsts)
    is_single = np.asarray(views)[:, None] == 1
    return Answers(np.where(is_single, answers.probabilities[firsts], combine(answers.probabilities, views)), novelty)
