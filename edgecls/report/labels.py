"""The page about a model that gives several labels a picture: its numbers, a table of the labels, and the worst mistakes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edgecls.report import charts
from edgecls.report.classes import bar
from edgecls.report.markup import Markup, joined, number, percent, table, tag
from edgecls.report.mistakes import MOST_SHOWN, shown_picture

if TYPE_CHECKING:
    from edgecls.input_spec import InputSpec
    from edgecls.label_report import LabelReport

EXPLAINED = (
    "A label is given if its probability reaches its threshold. Recall: the share of the pictures with the label that get it. "
    "Precision: the share of the pictures that get it that have it. F1: the harmonic mean of both. Average precision needs no "
    "threshold. Pictures that are not marked for a label count neither way."
)


def numbers(report: LabelReport, accuracy: float | None) -> list[tuple[str, str, str]]:
    """Return the most important numbers: (name, value, words). `accuracy` is the share of right training pictures, 0..1."""
    worst = next((row for row in report.classes() if row.label == report.worst_class), None)
    trained = (
        f"{int(report.right.sum()):,} of {report.pictures:,}" if accuracy is None else f"in training {percent(accuracy, 2)}"
    )
    return [
        ("Macro F1", percent(report.macro_f1, 2), "every label counts alike"),
        ("Mean AP", percent(report.mean_ap, 2), "mean average precision, without thresholds"),
        ("Worst label", percent(worst and worst.f1), f"F1 of {worst.label} ({worst.pictures:,} pictures)" if worst else ""),
        ("All labels right", percent(report.top1, 2), trained),
        ("Calibration error", number(report.calibration_error, ".4f"), "0: probabilities are true as frequencies"),
    ]


def per_label(report: LabelReport) -> Markup:
    """A row for each label, the one with the smallest F1 first, those without pictures last."""
    rows = sorted(report.classes(), key=lambda row: (row.f1 is None, row.f1 or 0))
    shown = [
        (row.label, f"{row.pictures:,}", f"{row.of:,}", f"{row.threshold:.3f}", bar(row.f1), percent(row.precision),
         percent(row.recall), percent(row.average_precision))
        for row in rows
    ]  # fmt: skip
    header = ("label", "pictures", "of", "threshold", "F1", "precision", "recall", "average precision")
    return table(header, shown, caption=EXPLAINED, class_="sortable")


def confidence(report: LabelReport) -> tuple[Markup, ...]:
    """Return how true the probabilities of all labels are."""
    shares = "A bar is the share of the labels with such a probability that are there."
    words = f"Temperature {report.confidence.temperature:g}. {shares}"
    return tag("p", words, class_="soft"), tag("div", charts.reliability(report), class_="charts two")


def mistakes(report: LabelReport, spec: InputSpec) -> Markup:
    """Return the pictures with the most confident wrong labels, read again one by one, or a sentence if there are none."""
    worst = report.mistakes(MOST_SHOWN)
    wrong = int(report.wrong.sum())
    if not worst:
        return tag("p", f"None: all labels of {report.pictures:,} pictures are right.")
    shown = f"The {len(worst)} most confident of {wrong:,} wrong labels" if wrong > len(worst) else f"Wrong labels: {wrong:,}"
    first = tag("p", f"{shown}, as the model sees the pictures, with their scores; 0.5 is the threshold. A confident mistake "
                "is often a wrong mark in the data.")  # fmt: skip
    return joined(first, tag("div", *(_mistake(report, i, j, spec) for i, j in worst), class_="mistakes"))


def _mistake(report: LabelReport, index: int, label: int, spec: InputSpec) -> Markup:
    item, name, score = report.items[index], report.labels[label], report.scores[index, label]
    there = report.truth[index, label] == 1
    what = "missed" if there else "not there"
    words = (
        tag("b", name, class_=None if there else "taken"),
        tag("span", f"\u00a0{score:.3f}"),
        f" {what}",
        tag("code", item.name),
    )
    return tag("figure", shown_picture(item, spec, f"{name}, {what}"), tag("figcaption", *words))
