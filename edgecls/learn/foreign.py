"""The novelty of a learned model: which pictures are of no class, by where they lie among the embeddings of the known ones."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from edgecls.errors import ConfigError, DataError
from edgecls.export.known import FEWEST_HELD_OUT
from edgecls.model.novelty import Novelty, fit_novelty

if TYPE_CHECKING:
    from edgecls.learn.pictures import Known


def novelty_of(known: Known, *, reject: float, seed: int) -> Novelty | None:
    """Return the novelty fitted to the pictures, with a limit from cross-validation by group.

    Of several classes there is none if nothing may be rejected, or if the pictures are too few to set a limit. A single class
    needs one, because all that its model can tell is what does not belong to it.

    Args:
        known: The pictures.
        reject: The share of known pictures that may come out as unknown, 0..1.
        seed: Deals the groups out to folds.

    Raises:
        ConfigError: There is a single class, and nothing may be rejected.
        DataError: There is a single class, and its pictures are of a single group.
    """
    single = known.views.classes == 1
    if single and not reject:
        raise ConfigError("`reject=0`: a model of a single class can only tell what is unknown; expected a share above 0")
    if not single and (not reject or len(known.items) < FEWEST_HELD_OUT or len(known.groups) < 2):
        return None
    if len(known.groups) < 2:
        raise DataError("a model of a single class needs pictures of at least 2 groups, found 1; add pictures of another day")
    shares = np.square(known.views.embeddings[:, 0])
    return fit_novelty(shares, known.views.class_ids, known.group_of, np.random.default_rng(seed), kept=1 - reject)
