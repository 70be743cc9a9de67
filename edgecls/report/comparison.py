"""The page about two models on the same pictures: what changed, in which classes, and on which pictures."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edgecls.compare.comparison import CLASS_COLUMNS
from edgecls.report.document import document, write_document
from edgecls.report.markup import Markup, joined, table, tag
from edgecls.report.mistakes import mistake

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from edgecls.compare.comparison import ClassChange, Comparison

MOST_SHOWN = 48


def write_comparison(found: Comparison, failures: Sequence[str], path: str | Path) -> None:
    """Write the page about a comparison atomically.

    Args:
        found: The comparison.
        failures: What the new model loses beyond its limits, see `Comparison.failures`.
        path: The .html file.

    Raises:
        ConfigError: It cannot be written.
    """
    write_document(comparison_html(found, failures), path)


def comparison_html(found: Comparison, failures: Sequence[str]) -> str:
    """Return the page about a comparison as HTML, see `write_comparison`."""
    old, new = found.old.name, found.new.name
    lead = f"Measured on {found.old.report.pictures:,} pictures of {found.where}"
    notices = [tag("p", line, class_="note", role="note") for line in failures]
    verdict = tag("p", f"{found.verdict}.", class_="note plain")
    header = tag("header", tag("h1", f"{new} against {old}"), tag("p", lead, class_="lead"))
    numbers = table(("", old, new, "change"), found.rows(), caption="Both models on the same pictures")
    body = joined(
        header,
        *notices,
        verdict,
        _section("numbers", "Numbers", numbers),
        _section("classes", "Classes", _classes(found.classes)),
        _section("broken", f"Right by {old} alone", _broken(found)),
        *([_section("left-out", "Left out", tag("ul", *(tag("li", line) for line in found.notes)))] if found.notes else ()),
    )
    return document(f"{new} against {old}", body)


def _section(name: str, title: str, content: Markup) -> Markup:
    return tag("section", tag("h2", title), content, id=name)


def _classes(changes: Sequence[ClassChange]) -> Markup:
    """A row for each class, the largest loss first."""
    caption = (
        "p: how likely two equally good models differ at least so much in this class, adjusted for the number of classes. "
        "It takes pictures for independent; with many alike it is too small."
    )
    return table(CLASS_COLUMNS, [change.cells() for change in changes], caption=caption, class_="sortable last-left")


def _broken(found: Comparison) -> Markup:
    """The pictures that only the old model gets right, as the new one sees them."""
    lost = found.broken_pictures()
    if not lost:
        return tag("p", "None.")
    shown = lost[:MOST_SHOWN]
    words = (
        f"The {len(shown)} with the highest scores of {len(lost):,}" if len(lost) > len(shown) else f"Pictures: {len(lost):,}"
    )
    report, spec = found.new.report, found.new.classifier.card.input
    first = tag("p", f"{words}, with the scores that {found.new.name} gives to the true and to the predicted class.")
    return joined(first, tag("div", *(mistake(report, i, spec) for i in shown), class_="mistakes"))
