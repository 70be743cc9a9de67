"""`edgecls compare`: may a new model replace the one in use?"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from edgecls.cli.messages import data, say, table
from edgecls.limits import MOST_THREADS
from edgecls.text.strict_json import dumps

if TYPE_CHECKING:
    from collections.abc import Sequence

    from edgecls.compare.comparison import Comparison, Side


def compare(
    old: Annotated[str, typer.Argument(metavar="OLD", help="The .onnx file in use.")],
    new: Annotated[str, typer.Argument(metavar="NEW", help="The .onnx file that may replace it.")],
    pictures: Annotated[str, typer.Argument(metavar="DATA", help="Class folders, a store, a CSV manifest or an npz file, which neither model was trained on.")],
    max_drop: Annotated[float, typer.Option(min=0, metavar="POINTS", help="Maximum loss of top-1 and of macro recall, in percentage points; beyond it the exit code is 1.")] = 0.5,
    classes: Annotated[list[str] | None, typer.Option("--class", metavar="LABEL", help="The recall of this class may not fall by more than --max-drop either. Repeat it for several.")] = None,
    split: Annotated[str | None, typer.Option(help="train, val or test, for data with such parts. Default: test if it exists, else all.")] = None,
    unknown: Annotated[str | None, typer.Option("--unknown", metavar="FOLDER", help="A folder with pictures of none of the classes; compares the shares classified as unknown.")] = None,
    report: Annotated[str | None, typer.Option("--report", metavar="FILE.html", help="Write a page with the tables and the pictures that only OLD gets right.")] = None,
    roi: Annotated[bool, typer.Option("--roi", help="Crop to the regions of interest in the manifest.")] = False,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda, tensorrt, openvino, coreml or directml.")] = "auto",
    threads: Annotated[int | None, typer.Option(min=1, max=MOST_THREADS, metavar="N", help="CPU threads per inference. Default: 1 for small inputs, else all cores.")] = None,
    strict: Annotated[bool, typer.Option("--strict", help="Stop at the first broken picture.")] = False,
    held_out: Annotated[list[str] | None, typer.Option("--held-out", metavar="RECORD.json", help="What edgecls learn --record has written of OLD or NEW: for pictures that it was learned from, the answers of cross-validation count. Repeat it for both.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object instead of tables.")] = False,
) -> None:  # fmt: skip
    """Compare two models on the same pictures: accuracy, classes that got worse, unknown, time, size. Exit code 1: NEW is worse."""
    from edgecls.compare.compare_models import compare_models
    from edgecls.report import check_place, write_comparison

    place = None if report is None else check_place(report)
    found = compare_models(
        old, new, pictures, split=split, unknown=unknown, roi=roi, strict=strict, device=device, threads=threads,
        held_out=held_out or (), say=say,
    )  # fmt: skip
    failures = found.failures(max_drop, classes or ())
    data(dumps(_record(found, failures)) if as_json else _text(found))
    if place is not None:
        write_comparison(found, failures, place)
        say(f"{place}: written")
    for line in failures:
        say(f"error: {line}")
    if failures:
        raise typer.Exit(1)


def _record(found: Comparison, failures: Sequence[str]) -> dict[str, object]:
    low, high = found.interval
    return {
        "passes": not failures,
        "failures": list(failures),
        "verdict": found.verdict,
        "pictures": found.old.report.pictures,
        "fixed": found.fixed,
        "broken": found.broken,
        "p": float(f"{found.p:.4g}"),
        "top1_change": round(found.new.report.top1 - found.old.report.top1, 5),
        "top1_change_95": [round(low, 5), round(high, 5)],
        "old": _side(found.old),
        "new": _side(found.new),
        "notes": list(found.notes),
        "classes": [
            {"label": c.label, "pictures": c.pictures, "old": round(c.old, 5), "new": round(c.new, 5), "fixed": c.fixed,
             "broken": c.broken, "p": float(f"{c.p:.4g}"), "worse": c.is_worse}
            for c in found.classes
        ],
    }  # fmt: skip


def _side(side: Side) -> dict[str, object]:
    return {
        "model": side.name,
        **side.report.as_metrics(),
        **({} if side.foreign_unknown is None else {"foreign_unknown": round(side.foreign_unknown, 5)}),
        "bytes": side.classifier.bytes,
        "ms": round(side.ms, 4),
        "device": side.classifier.device,
    }


def _text(found: Comparison) -> str:
    from edgecls.compare.comparison import CLASS_COLUMNS

    numbers = table(("", found.old.name, found.new.name, "change"), found.rows())
    by_class = table(CLASS_COLUMNS, [change.cells() for change in found.classes])
    return "\n\n".join((numbers, by_class, found.verdict))
