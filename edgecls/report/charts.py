"""Charts: learning curves, reliability of the scores, and risk against coverage."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from edgecls.report.markup import Markup, joined, number, percent, table, tag
from edgecls.report.svg import Scale, axes, dot, legend, line, path, rect, svg, text

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from edgecls.evaluate import AnyReport, Report
    from edgecls.metrics import Bin

LEARNING = {
    "loss": (("train", "training", "loss"), ("val", "validation", "val_loss")),
    "accuracy": (("train", "training", "accuracy"), ("val", "validation", "val_accuracy")),
    "macro recall": (
        ("train", "training", "macro_recall"),
        ("val", "validation", "val_macro_recall"),
        ("val thin", "worst class", "val_worst_recall"),
    ),
    "mean average precision": (("train", "training", "mean_ap"), ("val", "validation", "val_mean_ap")),
    "macro F1 at 0.5": (("train", "training", "macro_f1"), ("val", "validation", "val_macro_f1")),
}
"""The charts of a training run: (class, words, column of history.csv) of each line. Those without columns are left out."""
OPERATING_POINTS = (1.0, 0.99, 0.98, 0.95, 0.9, 0.8)
"""The shares of answered pictures in the table of risks."""
CURVE_POINTS = 200
FEW = 10
"""With fewer pictures a share is not reliable."""


def learning(history: Sequence[Mapping[str, float]], best_epoch: int) -> Markup:
    """Draw the loss and the metrics over the epochs, for training and validation, with the kept epoch marked."""
    names = [name for name, lines in LEARNING.items() if all(column in history[0] for _, _, column in lines)]
    return tag("div", *(_learning(name, history, best_epoch) for name in names), class_="charts three")


def _learning(name: str, history: Sequence[Mapping[str, float]], best_epoch: int) -> Markup:
    lines = [(class_, words, [row.get(column, math.nan) for row in history]) for class_, words, column in LEARNING[name]]
    finite = [v for _, _, values in lines for v in values if math.isfinite(v)] or [0.0]
    low, high = (0.0, max(finite) * 1.05 or 1.0) if name == "loss" else (min(0.9, math.floor(min(finite) * 10) / 10), 1.0)
    epochs = [row["epoch"] for row in history]
    x, y = Scale(1, max(2, *epochs, 2), 62, 348), Scale(low, high, 212, 34)
    last = "; ".join(f"{words} {_value(name, values[-1])}" for _, words, values in lines)
    return svg(
        360, 256,
        axes(x, y, ("epoch", name), (lambda v: f"{v:.0f}" if v == int(v) else "", lambda v: _value(name, v, 0))),
        line((x(best_epoch), y.start), (x(best_epoch), y.end), "best"),
        text(x(best_epoch), y.end - 4, f"kept: {best_epoch}", class_="tick",
             anchor="end" if x(best_epoch) > 300 else "start" if x(best_epoch) < 90 else "middle"),
        *(path(((x(e), y(v)) for e, v in zip(epochs, values, strict=True)), class_) for class_, _, values in lines),
        legend(62, 14, [(class_, words) for class_, words, _ in lines]),
        title=f"{name} over {len(history)} epochs", desc=f"After the last epoch: {last}. Epoch {best_epoch} was kept.",
    )  # fmt: skip


def _value(name: str, value: float, digits: int = 1) -> str:
    return number(value, ".3g") if name == "loss" else percent(value, digits)


def reliability(report: AnyReport) -> Markup:
    """Draw the share of right labels by score, in 15 bins, and the number of pictures in each bin; of several labels a
    picture, the share of labels that are there by their probability.
    """
    x, y, strip = Scale(0, 1, 70, 498), Scale(0, 1, 300, 24), Scale(0, 1, 400, 346)
    most = max(math.log1p(b.pictures) for b in report.reliability) or 1.0
    parts = [
        axes(x, y, ("", "share of right labels"), (lambda v: f"{v:.1f}", lambda v: percent(v, 0))),
        *(_bin(b, x, y) for b in report.reliability if b.pictures),
        line((x(0), y(0)), (x(1), y(1)), "diagonal"),
        *(_count(b, x, strip, math.log1p(b.pictures) / most) for b in report.reliability if b.pictures),
        line((x.start, strip.start), (x.end, strip.start), "axis"),
        text((x.start + x.end) / 2, 424, "score of the best label", class_="name"),
        text(18, 373, "pictures", class_="name", turn=-90),
        legend(70, 12, [("bar right", "right"), ("bar sure", "too sure"), ("bar shy", "too unsure"), ("diagonal", "true")]),
    ]
    return svg(
        520, 432, *parts, title="Reliability diagram",
        desc=f"Expected calibration error {number(report.calibration_error, '.4f')} over {report.pictures} pictures. "
             "The bars are the share of right labels; on the dashed line it equals the score. Counts are logarithmic.",
    )  # fmt: skip


def _bin(b: Bin, x: Scale, y: Scale) -> Markup:
    words = (
        f"score {b.low:.2f} to {b.high:.2f}: {b.pictures:,} pictures, mean score {b.mean_score:.3f}, {percent(b.right)} right"
    )
    low, high = sorted((b.right, b.mean_score))
    left, width = x(b.low) + 1, x(b.high) - x(b.low) - 2
    few = " few" if b.pictures < FEW else ""
    return joined(
        rect(left, y(b.right), width, y(0) - y(b.right), tag("title", words), class_=f"bar right{few}"),
        rect(left, y(high), width, y(low) - y(high), tag("title", words), class_=f"bar {_side(b)}{few}"),
    )


def _side(b: Bin) -> str:
    return "sure" if b.mean_score > b.right else "shy"


def _count(b: Bin, x: Scale, strip: Scale, height: float) -> Markup:
    left, width = x(b.low) + 1, x(b.high) - x(b.low) - 2
    top = strip(height)
    return joined(
        rect(left, top, width, strip.start - top, class_="bar count"),
        text(
            left + width / 2, top - 3, f"{b.pictures:,}" if b.pictures < 10_000 else f"{b.pictures / 1000:.0f}k", class_="small"
        ),
    )


def risk_coverage(report: Report) -> Markup:
    """Draw the share of wrong answers against the share of answered pictures, with the threshold of the model marked."""
    points = report.risk_coverage(CURVE_POINTS)
    marked = (report.coverage, report.risk) if report.rejects else points[-1]
    highest = max([risk for _, risk in points] + [0 if math.isnan(marked[1]) else marked[1]])
    x, y = Scale(0, 1, 70, 498), Scale(0, highest * 1.12 or 0.01, 364, 24)
    label = f"{percent(marked[0])} answered, {percent(marked[1], 2)} of them wrong"
    parts = [
        axes(
            x,
            y,
            ("share of answered pictures", "share of wrong answers"),
            (lambda v: percent(v, 0), lambda v: percent(v, 0 if highest > 0.05 else 2)),
        ),
        path(((x(c), y(r)) for c, r in points), "val"),
        *_marked(marked, x, y, label),
    ]
    return svg(520, 432, *parts, title="Risk against coverage", desc=f"At the threshold of this model: {label}.")


def _marked(point: tuple[float, float], x: Scale, y: Scale, label: str) -> list[Markup]:
    coverage, risk = point
    if math.isnan(risk):
        return [text((x.start + x.end) / 2, (y.start + y.end) / 2, "no picture is answered at this threshold", class_="tick")]
    at = (x(coverage), y(risk))
    anchor = "end" if coverage > 0.5 else "start"
    words = text(at[0] + (-4 if anchor == "end" else 4), max(14.0, at[1] - 12), label, anchor=anchor, class_="strong")
    return [line((at[0], y.start), at, "best"), dot(*at, 5, "mark", label), words]


def operating_points(report: Report) -> Markup:
    """Return the table of risks at the shares of OPERATING_POINTS."""
    points = report.risk_coverage(CURVE_POINTS)
    found = dict(next((p for p in points if p[0] >= wanted - 1e-9), points[-1]) for wanted in OPERATING_POINTS)
    header = ("answered", *map(percent, found))
    row = ("of these wrong", *(percent(risk, 2) for risk in found.values()))
    return table(header, [row], caption="If only the most familiar pictures are answered")
