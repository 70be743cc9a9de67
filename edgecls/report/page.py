"""One HTML file that shows how good a model is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from edgecls import metrics
from edgecls.label_report import LabelReport
from edgecls.report import charts, labels, ladder
from edgecls.report.certainty import certainty
from edgecls.report.classes import confusions, per_class
from edgecls.report.document import document, write_document
from edgecls.report.markup import Markup, joined, number, percent, prose, tag
from edgecls.report.mistakes import mistakes

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    from edgecls.evaluate import AnyReport, Report
    from edgecls.input_spec import InputSpec

MOST_BROKEN = 200
"""The most broken pictures that are named; the others are only counted."""
MOST_NAMED_CLASSES = 12


@dataclass(frozen=True, slots=True, eq=False)
class Training:
    """The course of a training run.

    Attributes:
        history: A row per epoch, see `edgecls.train.heads.Head.history`.
        best_epoch: The epoch whose weights are kept.
        accuracy: Top-1 of the kept model on training pictures without augmentation, 0..1; of several labels a picture, the
            share of pictures all of whose labels are right.
        pictures: The number of these pictures.
        gap: A sentence about the difference between training and validation accuracy.
    """

    history: Sequence[Mapping[str, float]]
    best_epoch: int
    accuracy: float
    pictures: int
    gap: str


@dataclass(frozen=True, slots=True, eq=False)
class Page:
    """The content of a report.

    Attributes:
        title: The heading, such as the name of the model.
        lead: The line under the heading: what was measured on which pictures.
        report: The evaluation.
        spec: The input of the model.
        notices: Important sentences, shown at the top.
        facts: (name, value) pairs about model and data.
        settings: (name, value) pairs of the settings of the run.
        training: The course of the training run, if there was one.
        foreign_unknown: The share of pictures of no class that are classified as unknown, 0..1; None: not measured.
        device: The device that the times were measured on.
        worth: How many independent pictures each one of the report is worth, for intervals.
        ladder: The ladder of the export, see `edgecls.report.ladder`.
    """

    title: str
    lead: str
    report: AnyReport
    spec: InputSpec
    notices: Sequence[str] = ()
    facts: Sequence[tuple[str, str]] = ()
    settings: Sequence[tuple[str, str]] = ()
    training: Training | None = None
    foreign_unknown: float | None = None
    device: str = ""
    worth: float = 1.0
    ladder: Mapping[str, Any] | None = None


def write(page: Page, path: str | Path) -> None:
    """Write the page atomically. Raises ConfigError if it cannot be written."""
    write_document(to_html(page), path)


def to_html(page: Page) -> str:
    """Return the page as HTML."""
    report, training = page.report, page.training
    link, rungs = ladder.link_and_section(page.ladder)
    own = _of_labels(report, page.spec) if isinstance(report, LabelReport) else _of_classes(report, page)
    sections = [("learning", "Learning", _learning(training) if training else ()), *own]
    after = [("broken", "Left out", _broken(report.broken)), ("about", "Model and data", _about(page))]
    links = joined(*_links(sections), link, *_links(after))
    first = tag("header", tag("h1", page.title), tag("p", page.lead, class_="lead"), tag("nav", links, aria_label="Sections"))
    notices = (tag("p", line, class_="note", role="note") for line in (*_notices(report), *page.notices))
    accuracy = None if training is None else training.accuracy
    numbers = labels.numbers(report, accuracy) if isinstance(report, LabelReport) else _numbers(report, page)
    body = joined(first, *notices, _boxes(page, numbers), *_sections(sections), rungs, *_sections(after))
    return document(page.title, body)


def _of_classes(report: Report, page: Page) -> list[tuple[str, str, Sequence[Markup]]]:
    return [
        ("classes", "Classes", (confusions(report), tag("h3", "Each class"), per_class(report, worth=page.worth))),
        ("confidence", "Confidence", _confidence(report, page)),
        ("mistakes", "Worst mistakes", (mistakes(report, page.spec),)),
    ]


def _of_labels(report: LabelReport, spec: InputSpec) -> list[tuple[str, str, Sequence[Markup]]]:
    return [
        ("classes", "Labels", (labels.per_label(report),)),
        ("confidence", "Confidence", labels.confidence(report)),
        ("mistakes", "Worst mistakes", (labels.mistakes(report, spec),)),
    ]


def _links(sections: Iterable[tuple[str, str, Sequence[str]]]) -> list[Markup]:
    return [tag("a", title, href=f"#{name}") for name, title, content in sections if content]


def _sections(sections: Iterable[tuple[str, str, Sequence[str]]]) -> list[Markup]:
    return [tag("section", tag("h2", title), *content, id=name) for name, title, content in sections if content]


def _notices(report: AnyReport) -> list[str]:
    found = []
    lost = int(np.isnan(report.probabilities).any(axis=1).sum())
    if lost:
        found.append(f"{lost:,} of {report.pictures:,} pictures have no score (NaN): the model has diverged, and no number "
                     "here is meaningful. Train it again with a smaller learning rate.")  # fmt: skip
    missing = [row[0] for row in report.classes() if not row[1]]
    if missing:
        more = f" and {len(missing) - MOST_NAMED_CLASSES} more" if len(missing) > MOST_NAMED_CLASSES else ""
        found.append(
            f"Classes without a picture here, about which nothing is known: {', '.join(missing[:MOST_NAMED_CLASSES])}{more}."
        )
    return found


def _numbers(report: Report, page: Page) -> list[tuple[str, str, str]]:
    training = page.training
    recalls = metrics.recalls(report.confusion)
    worst_count = int(report.confusion.sum(axis=1)[int(np.nanargmin(recalls))])
    trained = f"on its training pictures {percent(training.accuracy, 2)}" if training else ""
    given = "the threshold is fitted at the export" if training else "all are given a label"
    given = f"{percent(report.risk, 2)} of them wrong; the rest is unknown" if report.rejects else given
    right = trained or f"{int(report.right.sum()):,} of {report.pictures:,} right"
    return [
        ("Top-1", percent(report.top1, 2), "; ".join(filter(None, (right, certainty(report, worth=page.worth))))),
        ("Macro recall", percent(report.macro_recall, 2), "every class counts alike"),
        ("Worst class", percent(report.worst_recall), f"{report.worst_class} ({worst_count:,} pictures)"),
        ("Calibration error", number(report.calibration_error, ".4f"), "0: scores are true as frequencies"),
        ("Given a label", percent(report.coverage), given),
    ]


def _boxes(page: Page, numbers: Sequence[tuple[str, str, str]]) -> Markup:
    """Return the boxes with the most important numbers, and how many pictures and how much time they took."""
    report = page.report
    rows = [
        *numbers,
        (
            "Pictures",
            f"{report.pictures:,}",
            f"{len(report.broken):,} more could not be read" if report.broken else "all could be read",
        ),
        (
            "Milliseconds",
            number(report.ms, ".3f"),
            f"one picture{f' on {page.device}' if page.device else ''}, p99 {report.p99_ms:.3f}",
        ),
    ]
    if page.foreign_unknown is not None:
        rows.insert(5, ("Of no class", percent(page.foreign_unknown), "of the pictures of no class are unknown"))
    return tag("dl", *(_number(*row) for row in rows), class_="numbers eight" if len(rows) == 8 else "numbers")


def _number(name: str, value: str, words: str) -> Markup:
    return tag("div", tag("dt", name), tag("dd", value, class_="big"), tag("dd", words, class_="small"))


def _learning(training: Training) -> tuple[Markup, ...]:
    measured = (
        "During training the pictures are augmented and dropout is active, so the training curve may lie below the validation "
        f"curve. The sentence above is about the kept model on {training.pictures:,} training pictures without augmentation."
    )
    return (
        tag("p", prose(training.gap), class_="note plain"),
        charts.learning(training.history, training.best_epoch),
        tag("p", measured, class_="soft"),
    )


def _confidence(report: Report, page: Page) -> tuple[Markup, ...]:
    held = report.confidence
    if held.reject_below:
        words = (f"Temperature {held.temperature:g}. A picture is unknown if its familiarity, which is how far its best label "
                 f"stands out at temperature {held.reject_temperature:g}, is below {held.reject_below:g}.")  # fmt: skip
    elif page.training:
        words = "These are the network's own scores. The temperature and the threshold for unknown are fitted at the export."
    else:
        words = f"Temperature {held.temperature:g}. No picture is unknown to this model by its scores."
    if report.novelty_limit is not None:
        words += f" A picture whose novelty is above {report.novelty_limit.limit:g} is unknown, whatever its scores."
    pair = tag("div", charts.reliability(report), charts.risk_coverage(report), class_="charts two")
    fewer = f"A bar is the share of right labels of the pictures with such a score; it is faint for fewer than {charts.FEW}."
    return tag("p", words, class_="soft"), pair, tag("p", fewer, class_="soft"), charts.operating_points(report)


def _broken(lines: Sequence[str]) -> tuple[Markup, ...]:
    if not lines:
        return ()
    shown = [tag("li", line) for line in lines[:MOST_BROKEN]]
    more = (tag("p", f"and {len(lines) - MOST_BROKEN:,} more"),) if len(lines) > MOST_BROKEN else ()
    return (
        tag("p", f"{len(lines):,} could not be read and are not in any number here:"),
        tag("ul", *shown, class_="broken"),
        *more,
    )


def _about(page: Page) -> tuple[Markup, ...]:
    facts = [joined(tag("dt", name), tag("dd", value)) for name, value in page.facts if value]
    settings = [tag("li", tag("code", f"{name} = {value}")) for name, value in page.settings]
    more = (tag("h3", "Settings"), tag("ul", *settings, class_="settings")) if settings else ()
    return tag("dl", *facts, class_="facts"), *more
