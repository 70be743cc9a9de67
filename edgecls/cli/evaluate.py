"""`edgecls eval`: how good a model is on labelled pictures."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated

import typer

from edgecls.cli.talk import data, say, table

if TYPE_CHECKING:
    from edgecls.evaluate import Report


def evaluate(
    model: Annotated[str, typer.Argument(help="The .onnx file.")],
    pictures: Annotated[str, typer.Argument(metavar="DATA", help="Class folders, a CSV manifest or an npz file.")],
    split: Annotated[str | None, typer.Option(help="train, val or test, for data that has such parts; left out: test if there is one, else all.")] = None,
    unknown: Annotated[str | None, typer.Option("--unknown", metavar="FOLDER", help="A folder of pictures of no class of the model: the share that comes out as unknown is measured.")] = None,
    report: Annotated[str | None, typer.Option("--report", metavar="FILE.html", help="Write a page with curves, tables and the worst mistakes as pictures.")] = None,
    roi: Annotated[bool, typer.Option("--roi", help="Cut the regions of interest that a manifest names.")] = False,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda, tensorrt, openvino, coreml or directml.")] = "auto",
    threads: Annotated[int | None, typer.Option(min=1, metavar="N", help="CPU threads of one inference; left out: 1 for small pictures, else all cores.")] = None,
    strict: Annotated[bool, typer.Option("--strict", help="Stop at the first broken picture.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object instead of a table.")] = False,
) -> None:  # fmt: skip
    """Measure a model on labelled pictures: accuracy, recall of each class, calibration, what is unknown, milliseconds."""
    from edgecls.classifier import Classifier
    from edgecls.dataset import scan
    from edgecls.evaluate import evaluate as measure
    from edgecls.evaluate import share_unknown
    from edgecls.report import check_place, of_evaluation, write

    place = None if report is None else check_place(report)
    classifier = Classifier.load(model, device=device, threads=threads)
    dataset = scan(pictures, roi=roi)
    found = measure(classifier, dataset, split=split, strict=strict)
    for line in found.broken:
        say(f"left out: {line}")
    foreign = None if unknown is None else share_unknown(classifier, unknown, strict=strict)
    make = _record if as_json else _text
    made = make(found, classifier.device, foreign)
    data(json.dumps(made, ensure_ascii=False) if as_json else str(made))
    if place is not None:
        write(of_evaluation(model, classifier, dataset, found, foreign_unknown=foreign), place)
        say(f"{place}: written")


def _record(report: Report, device: str, foreign_unknown: float | None) -> dict[str, object]:
    numbers = report.as_metrics()
    return {
        "top1": numbers["top1"],
        "macro_recall": numbers["macro_recall"],
        "worst_recall": numbers["worst_recall"],
        "calibration_error": numbers["calibration_error"],
        "coverage": round(report.coverage, 5),
        "risk": round(report.risk, 5),
        **({} if foreign_unknown is None else {"foreign_unknown": round(foreign_unknown, 5)}),
        "pictures": report.pictures,
        "broken": len(report.broken),
        "ms": round(report.ms, 4),
        "p99_ms": round(report.p99_ms, 4),
        "device": device,
        "classes": [{"label": n, "pictures": c, "recall": r, "precision": p} for n, c, r, p in report.classes()],
        "risk_coverage": report.risk_coverage(),
    }


def _text(report: Report, device: str, foreign_unknown: float | None) -> str:
    def share(value: float | None) -> str:
        return "-" if value is None else f"{value:.2%}"

    rows = [(label, str(count), share(recall), share(precision)) for label, count, recall, precision in report.classes()]
    summary = (
        f"top1 {report.top1:.2%}   macro recall {report.macro_recall:.2%}   calibration error {report.calibration_error:.4f}\n"
        f"{report.coverage:.2%} given a label, of which {report.risk:.2%} are wrong; the rest is unknown\n"
        f"{report.pictures} pictures, {len(report.broken)} broken   {report.ms:.3f} ms a picture on {device} (p99 {report.p99_ms:.3f})"
    )
    if foreign_unknown is not None:
        summary += f"\n{foreign_unknown:.2%} of the pictures of no class are unknown"
    return table(("class", "pictures", "recall", "precision"), rows) + "\n\n" + summary
