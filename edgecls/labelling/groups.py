"""Which pictures belong together, and which label they probably have. Plain functions of positions.

A position is a vector of unit length (`edgecls.labelling.positions`). As long as nothing is labelled, the densest neighbourhood
is shown: pictures that are nearest to each other. Once there are labels, a head learned from them (`edgecls.learn.head`)
proposes one for every other picture: those of which it is sure are confirmed together. Pictures far from all labelled ones are
shown early, because they may be of a class that nobody has named yet.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from edgecls.learn.head import FEW_PICTURES, MEANS, Views
from edgecls.model.confidence import likeliest_temperature, tempered

if TYPE_CHECKING:
    from numpy.typing import NDArray

STRENGTH = 1e-3
"""The weight decay of the head that proposes labels."""
SURE = 0.9
"""A proposal with this probability is shown to be confirmed."""
FEWEST = 4
"""Smaller groups are not worth a stroke of their own while there are larger ones."""
NEIGHBOURS = 8
"""How many neighbours say how dense a place is."""
STRANGE_SHARE = 0.02
"""Labelled pictures of this share are farther from all others than what counts as unfamiliar."""
LEAST_DOUBT = 0.05
"""Added to each doubt, so that pictures of which all is known are still spread."""
TIGHT = 0.5
"""A neighbour belongs to a group if it is farther away than the nearest ones by at most this share of what is usual."""


class Proposals(NamedTuple):
    """What a head says of unlabelled pictures: the most likely class of each, (N,), and its probability, (N,)."""

    class_ids: NDArray[np.int64]
    scores: NDArray[np.float32]


def propose(
    labelled: NDArray[np.float32], class_ids: NDArray[np.int64], unlabelled: NDArray[np.float32], classes: int
) -> Proposals:
    """Learn from labelled pictures, and say what the others probably are.

    Args:
        labelled: Positions, (M, dimensions), some of every class.
        class_ids: Their classes, (M,).
        unlabelled: Positions, (N, dimensions).
        classes: The number of classes, 2 or more.
    """
    views = Views(labelled[:, None, :], class_ids, classes)
    few = int(np.bincount(class_ids, minlength=classes).min()) < FEW_PICTURES
    head = views.fit(np.arange(len(labelled)), MEANS if few else STRENGTH)
    own = head.probabilities(labelled)
    temperature = max(1.0, likeliest_temperature(own, class_ids))
    probabilities = tempered(head.probabilities(unlabelled), temperature)
    return Proposals(probabilities.argmax(axis=1).astype(np.int64), probabilities.max(axis=1))


def densest(positions: NDArray[np.float32], most: int) -> NDArray[np.int64]:
    """Return the indices of pictures that are nearest to each other, the most typical first, (K,) with K up to `most`.

    Args:
        positions: (N, dimensions), N of 1 or more.
        most: The largest group.
    """
    likeness = positions @ positions.T
    nearest = np.sort(likeness, axis=1)[:, ::-1][:, 1 : NEIGHBOURS + 1]
    middle = int(nearest.mean(axis=1).argmax()) if nearest.shape[1] else 0
    return neighbours(likeness, middle, most)


def neighbours(likeness: NDArray[np.float32], middle: int, most: int) -> NDArray[np.int64]:
    """Return the pictures that belong to one in their middle, the nearest first.

    Args:
        likeness: (N, N), the inner products of all positions.
        middle: The index of the one.
        most: The largest group.
    """
    order = np.argsort(-likeness[middle], kind="stable")
    near = likeness[middle][order]
    usual = float(np.median(likeness[middle]))
    core = float(near[1 : NEIGHBOURS + 1].mean()) if len(near) > 1 else 1.0
    inside = near >= core - TIGHT * max(0.0, core - usual)
    inside[:1] = True
    found: NDArray[np.int64] = order[inside][:most]
    return found


def unfamiliar(labelled: NDArray[np.float32], unlabelled: NDArray[np.float32]) -> NDArray[np.int64]:
    """Return the indices of unlabelled pictures that are farther from all labelled ones than those are from each other.

    Args:
        labelled: Positions, (M, dimensions), M of 2 or more.
        unlabelled: Positions, (N, dimensions).
    """
    among = labelled @ labelled.T
    np.fill_diagonal(among, -1)
    usual = float(np.quantile(among.max(axis=1), STRANGE_SHARE))
    found: NDArray[np.int64] = np.flatnonzero((unlabelled @ labelled.T).max(axis=1) < usual)
    return found


def spread(positions: NDArray[np.float32], doubt: NDArray[np.float32], most: int) -> NDArray[np.int64]:
    """Choose pictures that are doubtful and unlike each other: each is the most doubtful one for its distance from the others.

    It is farthest-first traversal (Gonzalez 1985) with the distances weighted by the doubt.

    Args:
        positions: (N, dimensions).
        doubt: How little is known of each, (N,), 0..1.
        most: How many to choose.
    """
    chosen: list[int] = []
    distance = np.full(len(positions), 1.0, np.float32)
    for _ in range(min(most, len(positions))):
        worth = distance * (doubt + LEAST_DOUBT)
        worth[chosen] = -1
        chosen.append(int(worth.argmax()))
        distance = np.minimum(distance, 1 - positions @ positions[chosen[-1]])
    return np.array(chosen, np.int64)
