"""The wrong labels with the highest scores, with the pictures as the model sees them."""

from __future__ import annotations

import base64
from dataclasses import replace
from typing import TYPE_CHECKING

from edgecls import image
from edgecls.errors import DataError
from edgecls.report.markup import Markup, joined, tag

if TYPE_CHECKING:
    from edgecls.dataset import Item
    from edgecls.evaluate import Report
    from edgecls.input_spec import InputSpec

MOST_SHOWN = 48
LARGEST_PX = 96
"""The longest side of a picture in the page; larger inputs are shrunk, so that 48 of them take at most about 2 MB."""


def mistakes(report: Report, spec: InputSpec) -> Markup:
    """Return the pictures of the most confident mistakes, read again one by one, or a sentence if there are none."""
    worst = report.mistakes(MOST_SHOWN)
    wrong = int((~report.right).sum())
    if not worst:
        return tag("p", f"None: all {report.pictures:,} pictures are right.")
    shown = f"The {len(worst)} with the highest scores of {wrong:,}" if wrong > len(worst) else f"Mistakes: {wrong:,}"
    first = tag("p", f"{shown}, the most confident first, as the model sees the pictures, with the scores of the true and the "
                "predicted class. A confident mistake is often a wrong label in the data, or shows which "
                "pictures are missing.")  # fmt: skip
    return joined(first, tag("div", *(mistake(report, i, spec) for i in worst), class_="mistakes"))


def mistake(report: Report, index: int, spec: InputSpec) -> Markup:
    """Return one picture as the model sees it, with the scores of the true and the predicted class."""
    item, row = report.items[index], report.probabilities[index]
    truth, taken_for = (report.labels[i] for i in (int(report.truth[index]), int(row.argmax())))
    unknown = () if report.known[index] else (tag("span", "classified as unknown", class_="unknown"),)
    own, best = (tag("span", f"\u00a0{score:.3f}") for score in (row[report.truth[index]], row.max()))
    words = (tag("b", truth), own, " taken for ", tag("b", taken_for, class_="taken"), best, *unknown, tag("code", item.name))
    return tag("figure", shown_picture(item, spec, f"{truth}, taken for {taken_for}"), tag("figcaption", *words))


def shown_picture(item: Item, spec: InputSpec, alt: str) -> Markup:
    """Return a picture as the model sees it, read again, or why it cannot be read any more."""
    scale = min(1.0, LARGEST_PX / max(spec.height, spec.width))
    small = replace(spec, height=max(1, round(spec.height * scale)), width=max(1, round(spec.width * scale)))
    try:
        seen = image.fit(item.picture(), small)
    except DataError as error:
        return tag("p", f"cannot be read any more: {error}", class_="gone")
    png = image.encode_png(image.from_rgb(seen) if spec.color == "rgb" else seen)
    data = base64.b64encode(png).decode()
    return tag("img", src=f"data:image/png;base64,{data}", alt=alt, width=small.width, height=small.height)
