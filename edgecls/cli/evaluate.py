"""`edgecls eval`: measure a model on labelled pictures."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from edgecls.cli.messages import data, say, table
from edgecls.limits import MOST_THREADS
from edgecls.text.strict_json import dumps

if TYPE_CHECKING:
    from edgecls.evaluate import AnyReport, Report
    from edgecls.label_report import LabelReport


def evaluate(
    model: Annotated[str, typer.Argument(help="The .onnx file.")],
    pictures: Annotated[str, typer.Argument(metavar="DATA", help="Class folders, a store, a CSV manifest or an npz file.")],
    split: Annotated[str | None, typer.Option(help="train, val or test, for data with such parts. Default: test if it exists, else all.")] = None,
    unknown: Annotated[str | None, typer.Option("--unknown", metavar="FOLDER", help="A folder with pictures of none of the classes; measures the share classified as unknown.")] = None,
    report: Annotated[str | None, typer.Option("--report", metavar="FILE.html", help="Write a page with curves, tables and the most confident mistakes.")] = None,
    roi: Annotated[bool, typer.Option("--roi", help="Crop to the regions of interest in the manifest.")] = False,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda, tensorrt, openvino, coreml or directml.")] = "auto",
    threads: Annotated[int | None, typer.Option(min=1, max=MOST_THREADS, metavar="N", help="CPU threads per inference. Default: 1 for small inputs, else all cores.")] = None,
    strict: Annotated[bool, typer.Option("--strict", help="Stop at the first broken picture.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object instead of a table.")] = False,
) -> None:  # fmt: skip
    """Measure a model on labelled pictures: accuracy, recall per class, calibration, share of unknown, time per picture."""
    from edgecls.evaluate import evaluate_model
    from edgecls.report import check_place, of_evaluation, write

    place = None if report is None else check_place(report)
    done = evaluate_model(
        model, pictures, split=split, unknown=unknown, roi=roi, strict=strict, device=device, threads=threads, say=say
    )
    found, classifier, foreign = done.report, done.classifier, done.unknown_share
    make = _record if as_json else _text
    made = make(found, classifier.device, foreign)
    data(dumps(made) if as_json else str(made))
    if place is not None:
        write(of_evaluation(model, classifier, done.dataset, found, foreign_unknown=foreign), place)
        say(f"{place}: written")


def _record(report: AnyReport, device: str, foreign_unknown: float | None) -> dict[str, object]:
    from edgecls.label_report import LabelReport  # with numpy, which would delay the help

    return {
        **(_of_labels(report) if isinstance(report, LabelReport) else _of_classes(report)),
        **({} if foreign_unknown is None else {"foreign_unknown": round(foreign_unknown, 5)}),
        "pictures": report.pictures,
        "broken": len(report.broken),
        "ms": round(report.ms, 4),
        "p99_ms": round(report.p99_ms, 4),
        "device": device,
    }


def _of_classes(report: Report) -> dict[str, object]:
    from edgecls.report import interval_of

    numbers, interval = report.as_metrics(), interval_of(report)
    return {
        "top1": numbers.get("top1"),
        "top1_low": interval and round(interval.low, 5),
        "top1_high": interval and round(interval.high, 5),
        "macro_recall": numbers.get("macro_recall"),
        "worst_recall": numbers.get("worst_recall"),
        "calibration_error": numbers.get("calibration_error"),
        "coverage": round(report.coverage, 5),
        "risk": round(report.risk, 5),
        "classes": [{"label": n, "pictures": c, "recall": r, "precision": p} for n, c, r, p in report.classes()],
        "risk_coverage": report.risk_coverage(),
    }


def _of_labels(report: LabelReport) -> dict[str, object]:
    return {**report.as_metrics(), "labels": [row._asdict() for row in report.classes()]}


def _text(report: AnyReport, device: str, foreign_unknown: float | None) -> str:
    from edgecls.label_report import LabelReport  # with numpy, which would delay the help

    rows, summary = _label_text(report) if isinstance(report, LabelReport) else _class_text(report)
    summary += f"\n{report.pictures} pictures, {len(report.broken)} broken   {report.ms:.3f} ms per picture on {device} (p99 {report.p99_ms:.3f})"
    if foreign_unknown is not None:
        what = "get no label" if isinstance(report, LabelReport) else "are unknown"
        summary += f"\n{foreign_unknown:.2%} of the pictures of other classes {what}"
    return f"{rows}\n\n{summary}"


def _class_text(report: Report) -> tuple[str, str]:
    from edgecls.report import certainty

    sure = certainty(report)
    rows = [(label, str(count), _share(recall), _share(precision)) for label, count, recall, precision in report.classes()]
    summary = (
        f"top1 {report.top1:.2%}{f' ({sure})' if sure else ''}   macro recall {report.macro_recall:.2%}   calibration error {report.calibration_error:.4f}\n"
        f"{report.coverage:.2%} got a label, of which {report.risk:.2%} are wrong; the rest is unknown"
    )
    return table(("class", "pictures", "recall", "precision"), rows), summary


def _label_text(report: LabelReport) -> tuple[str, str]:
    header = ("label", "pictures", "of", "threshold", "precision", "recall", "F1", "AP")
    rows = [
        (row.label, str(row.pictures), str(row.of), f"{row.threshold:.3f}", *map(_share, (row.precision, row.recall, row.f1, row.average_precision)))
        for row in report.classes()
    ]  # fmt: skip
    summary = (
        f"macro F1 {report.macro_f1:.2%}   mean AP {report.mean_ap:.2%}   calibration error {report.calibration_error:.4f}\n"
        f"{report.top1:.2%} of the pictures have all labels right"
    )
    return table(header, rows), summary


def _share(value: float | None) -> str:
    return "-" if value is None else f"{value:.2%}"
