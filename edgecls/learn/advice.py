"""What follows from the accuracy and the learning curve: is it enough, which class needs more, what cannot be told apart.

Nothing is said that the pictures cannot support. A class is only called worse than the whole if its interval lies below that of
the whole, and two classes are only called alike if their interval excludes that they can be told apart well.
"""

from __future__ import annotations

from itertools import combinations
from typing import TYPE_CHECKING

import numpy as np

from edgecls.export.known import FEWEST_HELD_OUT
from edgecls.learn.accuracy import SHARED_TRAINING
from edgecls.learn.folds import NEVER
from edgecls.metrics import effective_pictures, wilson
from edgecls.text.words import counted

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from edgecls.learn.accuracy import Accuracy
    from edgecls.learn.cross_validation import Scored
    from edgecls.learn.curve import Curve

WIDE = 0.1
"""An interval that is wider than this to either side says little."""
ALIKE = 0.75
"""Two classes cannot be told apart if at most this share of their pictures can be right, and half of them may be by chance."""
MOST_NAMED = 5


def advice(found: Accuracy, ahead: Curve, scored: Scored, group_of: NDArray[np.int64]) -> tuple[str, ...]:
    """Return sentences about a model.

    Args:
        found: Its accuracy.
        ahead: Its learning curve.
        scored: The scores of cross-validation.
        group_of: The group of each picture, (N,).
    """
    labels = [share.label for share in found.classes]
    if len(labels) == 1:
        return _single(found)
    return (*_unknown(found), *_alike(scored, group_of, labels), *_enough(found, ahead), *_worst(found))


def _single(found: Accuracy) -> tuple[str, ...]:
    """Say what a model of a single class tells, and that few pictures set a rough limit."""
    label, pictures = found.classes[0].label, found.overall.pictures
    says = f"{label} is the only class: whatever is unlike its {counted(pictures, 'picture')} is unknown."
    if pictures >= FEWEST_HELD_OUT:
        return (says,)
    return (f"{says} So few set a rough limit: others of it may be unknown too, or foreign ones not. Give {FEWEST_HELD_OUT} or "
            "more, from several days.",)  # fmt: skip


def _unknown(found: Accuracy) -> list[str]:
    """Name the classes whose accuracy is unknown, because all their pictures are needed to learn them."""
    names = [share.label for share in found.classes if not share.scored]
    if not names:
        return []
    named = ", ".join(names[:MOST_NAMED]) + (f" and {len(names) - MOST_NAMED} more" if len(names) > MOST_NAMED else "")
    return [f"Unknown accuracy, because there is a single picture or group of it: {named}. Pictures of another day would tell."]


def _alike(scored: Scored, group_of: NDArray[np.int64], labels: list[str]) -> list[str]:
    """Name pairs of classes that cannot be told apart."""
    found = []
    held = scored.fold_of != NEVER
    for one, other in combinations(range(len(labels)), 2):
        pair = held & ((scored.truth == one) | (scored.truth == other))
        if len(np.unique(scored.truth[pair])) < 2:
            continue
        prefers_one = scored.logits[pair, one] > scored.logits[pair, other]
        right = prefers_one == (scored.truth[pair] == one)
        share = wilson(float(right.mean()), effective_pictures(right, group_of[pair].tolist()) / SHARED_TRAINING)
        if share.low <= 0.5 and share.high < ALIKE:
            found.append(
                f"{labels[one]} and {labels[other]} cannot be told apart: of their {counted(len(right), 'picture')} "
                f"{int(right.sum())} are on the right side, about half would be by chance. Are the labels right?"
            )
    return found


def _enough(found: Accuracy, ahead: Curve) -> list[str]:
    """Say how sure the accuracy is, and what more pictures are worth."""
    overall = found.overall
    if overall.interval is None:
        return ["The accuracy is unknown: no picture can be held out, because each class is a single picture or group."]
    if overall.interval.half > WIDE:
        start = f"{counted(overall.scored, 'picture')} cannot say more exactly how good the model is"
        return [f"{start}. More pictures will, above all from other days and places."]
    if not ahead.forecasts:
        return []
    twice = ahead.forecasts[0]
    low, high = (100 * value for value in twice.interval)
    return [
        f"With {twice.pictures} pictures a class instead of {twice.pictures // 2}, expect about {100 * twice.accuracy:.1f} % "
        f"({low:.1f} to {high:.1f} %), as the learning curve continues."
    ]


def _worst(found: Accuracy) -> list[str]:
    """Name the classes that are certainly worse than the whole, the worst first."""
    if found.overall.interval is None:
        return []
    known = [share for share in found.classes if share.interval is not None and share.value is not None]
    worse = [share for share in known if share.interval.high < found.overall.interval.low]  # type: ignore[union-attr]
    if not worse:
        return []
    worse.sort(key=lambda share: share.value or 0.0)
    named = ", ".join(f"{share.label} {share}" for share in worse[:MOST_NAMED])
    return [f"Pictures of these classes are worth most: {named}."]
