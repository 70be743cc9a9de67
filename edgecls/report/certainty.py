"""How sure the accuracy in a report is: 95 % intervals, which are shown where the pictures are few."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from edgecls.metrics import FEW_PICTURES, effective_pictures, wilson

if TYPE_CHECKING:
    from edgecls.evaluate import Report
    from edgecls.metrics import Interval


def interval_of(report: Report, class_id: int | None = None, *, worth: float = 1.0) -> Interval | None:
    """Return the 95 % interval of the accuracy, or of the recall of a class; None without pictures.

    Args:
        report: The evaluation. Its pictures of one group, such as the frames of a track, count less than their number.
        class_id: The class; None: all pictures.
        worth: How many independent pictures each is worth, see `edgecls.learn.accuracy.SHARED_TRAINING`.
    """
    chosen = np.arange(len(report.truth)) if class_id is None else np.flatnonzero(report.truth == class_id)
    if not len(chosen):
        return None
    right = report.right[chosen]
    groups = [report.items[i].group or i for i in chosen.tolist()] if report.items else chosen.tolist()
    return wilson(float(right.mean()), worth * effective_pictures(right, groups))


def range_of(interval: Interval | None) -> str:
    """Return an interval as "61.0 to 100.0 %"; "" for None."""
    return "" if interval is None else f"{100 * interval.low:.1f} to {100 * interval.high:.1f} %"


def certainty(report: Report, *, worth: float = 1.0) -> str:
    """Return in words how sure the accuracy is, if the pictures are few; "" otherwise."""
    if report.pictures >= FEW_PICTURES:
        return ""
    return f"95 % interval: {range_of(interval_of(report, worth=worth))}"
