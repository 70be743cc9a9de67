"""Confusions: the confusion matrix, the most confused pairs, and a table with a row per class."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from edgecls.metrics import FEW_PICTURES
from edgecls.report.certainty import interval_of, range_of
from edgecls.report.markup import Markup, joined, percent, table, tag
from edgecls.report.svg import rect, shortened, svg, text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from edgecls.evaluate import Report

MOST_DRAWN = 60
"""With more classes the cells of a matrix would be too small to read."""
MOST_PAIRS = 12
MOST_PAIRS_WITHOUT_MATRIX = 60
LONGEST_LABEL = 26
MATRIX_PX, LARGEST_CELL_PX = 900, 84
CORNER = "true \u2193 taken for \u2192"
LETTER_PX = 6.4
"""The mean width of a letter at the size of the labels."""


class Pair(NamedTuple):
    """A confused pair of classes.

    Attributes:
        truth: The true class.
        taken_for: The predicted class.
        pictures: The number of such pictures.
        share: Their share of the pictures of the true class, 0..1.
    """

    truth: str
    taken_for: str
    pictures: int
    share: float


def pairs(confusion: NDArray[np.int64], labels: Sequence[str]) -> list[Pair]:
    """Return all confused pairs of classes, the most frequent first."""
    totals = confusion.sum(axis=1)
    wrong = [(t, p) for t, p in np.argwhere(confusion > 0).tolist() if t != p]
    found = [Pair(labels[t], labels[p], int(confusion[t, p]), float(confusion[t, p] / totals[t])) for t, p in wrong]
    return sorted(found, key=lambda pair: (-pair.pictures, -pair.share))


def confusions(report: Report) -> Markup:
    """Return the most confused pairs, and the matrix if there are few enough classes."""
    found = pairs(report.confusion, report.labels)
    drawn = len(report.labels) <= MOST_DRAWN
    most = MOST_PAIRS if drawn else MOST_PAIRS_WITHOUT_MATRIX
    parts = [tag("div", matrix(report.confusion, report.labels), class_="wide")] if drawn else []
    if not found:
        return tag("div", *parts, tag("p", "No class was taken for another one."), class_="beside")
    rows = [(p.truth, p.taken_for, f"{p.pictures:,}", percent(p.share)) for p in found[:most]]
    caption = f"What is confused most{f', {most} of {len(found):,} pairs' if len(found) > most else ''}"
    header = ("true class", "taken for", "pictures", "of the class")
    return tag("div", *parts, table(header, rows, caption=caption, class_="second-left"), class_="beside")


def matrix(confusion: NDArray[np.int64], labels: Sequence[str]) -> Markup:
    """Draw the confusion matrix: row = true class, column = predicted class, shade = share of the row."""
    count = len(labels)
    cell = min(LARGEST_CELL_PX, MATRIX_PX / count)
    shown = [shortened(label, LONGEST_LABEL) for label in labels]
    letters = max(map(len, shown))
    flat = letters * LETTER_PX < cell  # the names of the columns fit side by side
    left, top = max(letters, len(CORNER)) * LETTER_PX + 14, 30.0 if flat else letters * LETTER_PX + 14
    size = min(12.0, cell * 0.8)
    right = f"{np.trace(confusion):,} of {confusion.sum():,}"
    parts = [text(left - 7, top - 8, CORNER, anchor="end", class_="tick")]
    for i, label in enumerate(shown):
        middle = (i + 0.5) * cell
        parts.append(_label(left - 7, top + middle + size * 0.35, label, labels[i], size, anchor="end", turn=0))
        place = (left + middle, top - 8) if flat else (left + middle + size * 0.35, top - 7)
        parts.append(_label(*place, label, labels[i], size, anchor="middle" if flat else "start", turn=0 if flat else -90))
    parts += [_frame(left, top, cell, count)]
    totals = confusion.sum(axis=1)
    for truth, predicted in np.argwhere(confusion > 0).tolist():
        words = f"{labels[truth]} taken for {labels[predicted]}" if truth != predicted else f"{labels[truth]} is right"
        words += f": {confusion[truth, predicted]:,} of {totals[truth]:,}"
        place = (left + predicted * cell, top + truth * cell)
        parts.append(_cell(place, cell, int(confusion[truth, predicted]), int(totals[truth]), (truth == predicted, words)))
    return svg(
        left + cell * count + 2, top + cell * count + 2, *parts, title="Confusion matrix", class_="chart matrix",
        desc=f"{right} pictures are on the diagonal. The tables below have the same numbers.",
    )  # fmt: skip


def _label(x: float, y: float, shown: str, whole: str, size: float, *, anchor: str, turn: int) -> Markup:
    where = f"rotate({turn} {x:.1f} {y:.1f})" if turn else None
    named = [tag("title", whole)] if shown != whole else []
    return tag("text", shown, *named, x=x, y=y, text_anchor=anchor, transform=where, font_size=size)


def _frame(left: float, top: float, cell: float, count: int) -> Markup:
    """Draw the lines between the cells, and a diagonal that is visible for classes without pictures too."""
    empty = (rect(left + i * cell, top + i * cell, cell, cell, class_="empty") for i in range(count))
    side = cell * count
    steps = [i * cell for i in range(count + 1)]
    lines = [f"M{left:.1f} {top + step:.1f}h{side:.1f}M{left + step:.1f} {top:.1f}v{side:.1f}" for step in steps]
    return joined(*empty, tag("path", d="".join(lines), class_="box"))


def _cell(place: tuple[float, float], cell: float, count: int, total: int, right_and_said: tuple[bool, str]) -> Markup:
    right, said = right_and_said
    share = count / total
    shade = 0.15 + 0.75 * share if right else 0.2 + 0.8 * share**0.5
    size = min(15.0, cell * 0.5, 1.5 * cell / len(str(count)))
    over = "on" if shade > 0.6 else None
    number = tag("text", str(count), x=place[0] + cell / 2, y=place[1] + cell / 2 + size * 0.35, text_anchor="middle",
                 font_size=size, class_=over)  # fmt: skip
    return tag(
        "g", tag("title", said), rect(*place, cell, cell, class_="right" if right else "wrong", fill_opacity=shade), number
    )


def per_class(report: Report, *, worth: float = 1.0) -> Markup:
    """A row for each class, the one with the smallest recall first, those without pictures last. If the pictures are few, each
    recall has its interval; for `worth` see `interval_of`.
    """
    few = report.pictures < FEW_PICTURES
    ranges = {name: range_of(interval_of(report, i, worth=worth)) for i, name in enumerate(report.labels) if few}
    confused = {pair.truth: pair for pair in reversed(pairs(report.confusion, report.labels))}
    rows = sorted(report.classes(), key=lambda row: (row[2] is None, row[2] or 0))
    shown = [
        (
            label,
            f"{count:,}",
            bar(recall),
            *([ranges[label]] if few else ()),
            percent(precision),
            _taken_for(confused.get(label)),
        )
        for label, count, recall, precision in rows
    ]
    header = ("class", "pictures", "recall", *(["95 % interval"] if few else ()), "precision", "most often taken for")
    caption = "Recall: the share of the class that is found. Precision: the share of the label's answers that is right."
    return table(header, shown, caption=caption, class_="sortable last-left")


def bar(share: float | None) -> Markup:
    """Return a share (0..1) in percent with a bar of its length; a dash for None."""
    if share is None:
        return joined(percent(None))
    gauge = tag("span", tag("span", style=f"width:{100 * share:.1f}%"), class_="gauge", aria_hidden="true")
    return joined(percent(share), gauge)


def _taken_for(pair: Pair | None) -> str:
    return "" if pair is None else f"{pair.taken_for} ({pair.pictures:,})"
