"""`edgecls export`: convert a trained model to one .onnx file."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from edgecls.cli.messages import data, say, table, with_options
from edgecls.errors import GateError
from edgecls.text.strict_json import dumps

if TYPE_CHECKING:
    from edgecls.model.ladder import Ladder


def export(
    run: Annotated[str, typer.Argument(metavar="RUN_OR_KERAS", help="The folder of a training run, or its best.keras.")],
    out: Annotated[str, typer.Option(help="The .onnx file to write.")],
    scheme: Annotated[str, typer.Option(help="auto: the fastest that passes; or fp32, fp16, int8 or a variant of int8.")] = "auto",
    target: Annotated[str, typer.Option(help="Target processor: x86 (any), x86-vnni or arm.")] = "x86",
    calibration: Annotated[str, typer.Option(metavar="DATA", help="Where the training pictures are now, if they have moved.")] = "",
    test: Annotated[str, typer.Option(metavar="DATA", help="Labelled pictures to measure for the card. Default: the held-out ones.")] = "",
    max_drop: Annotated[float, typer.Option(min=0, metavar="POINTS", help="Maximum loss of top-1 and of macro recall against Keras, in percentage points; with several labels a picture, of macro F1 and of mean AP.")] = 0.5,
    max_bytes: Annotated[int | None, typer.Option(min=1, metavar="N", help="Maximum size of the file in bytes.")] = None,
    max_us: Annotated[float | None, typer.Option(min=0, metavar="US", help="Maximum time per picture on this machine in microseconds, on one thread.")] = None,
    reject: Annotated[float, typer.Option(min=0, max=99, metavar="PERCENT", help="Share of known pictures that may be classified as unknown, so that foreign ones are; 0: never unknown.")] = 2.0,
    novelty: Annotated[Literal["on", "off"], typer.Option(help="Whether the model also measures how far a picture lies from the known ones.")] = "on",
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object instead of a table.")] = False,
) -> None:  # fmt: skip
    """Export a trained model to one file and verify that it gives the same results."""
    from edgecls.export.build import export_model

    try:
        report = export_model(
            run, out, scheme=scheme, target=target, calibration=calibration, test=test, max_drop=max_drop, max_bytes=max_bytes,
            max_us=max_us, reject=reject / 100, novelty=novelty == "on", say=say,
        )  # fmt: skip
    except GateError as error:
        data(dumps({"out": None, "ladder": error.ladder.as_record()}) if as_json else _text(error.ladder))
        raise
    if as_json:
        record = {"out": str(report.out), "measured_on": report.card.measured_on, "parity": dataclasses.asdict(report.parity)}
        data(dumps({**record, "forms": _forms(report.ladder), "ladder": report.ladder.as_record()}))
        return
    data(_text(report.ladder))
    why = ", the fastest that passes (of equally fast ones the smallest, then the closest to fp32)" if scheme == "auto" else ""
    say(f"{report.out}: written as {report.card.scheme}{why}; accuracy on {report.card.measured_on}; largest difference to Keras "
        f"{report.parity.largest_difference:.2g}, same label on {report.parity.agreement:.2%} of the held-out pictures; calibration "
        f"error {report.card.metrics['calibration_error']:.4f} at temperature {report.card.confidence.temperature:g}")  # fmt: skip


def _forms(ladder: Ladder) -> list[dict[str, object]]:
    """Summarize the rungs, with the accuracy on the test pictures where it was measured."""
    return [
        {
            "name": rung.name,
            "top1": rung.top1 if rung.test_top1 is None else rung.test_top1,
            "macro_recall": rung.macro_recall if rung.test_macro_recall is None else rung.test_macro_recall,
            "bytes": rung.bytes,
            "us": rung.us,
        }
        for rung in ladder.rungs
    ]


def _text(ladder: Ladder) -> str:
    """Format the ladder: a table of its rungs, and why others failed or were left out."""
    from edgecls.model.ladder import REFERENCE

    def share(value: float | None) -> str:
        return "-" if value is None else f"{value:.2%}"

    several = ladder.rungs[0].macro_f1 is not None
    columns = ("macro F1", "mean AP", "all right") if several else ("top1", "macro recall", "worst")
    header = ["form", *columns, "as fp32", "cal. error", "bytes", "us", "p99", "us of 16", "p99"]
    rows = [
        [r.name, *map(share, (r.macro_f1, r.mean_ap, r.top1) if several else (r.top1, r.macro_recall, r.worst_recall)),
         share(r.agreement), f"{r.calibration_error:.4f}", f"{r.bytes:,}",
         *(f"{us:,.0f}" for us in (r.us, r.p99_us, r.us_16, r.p99_us_16))]
        for r in ladder.rungs
    ]  # fmt: skip
    if ladder.tested_on:
        header += ["test F1", "test AP"] if several else ["test top1", "test macro"]
        tested = [(r.test_macro_f1, r.test_mean_ap) if several else (r.test_top1, r.test_macro_recall) for r in ladder.rungs]
        rows = [[*row, *map(share, shares)] for row, shares in zip(rows, tested, strict=True)]
    lines = [f"{r.name}: {r.refused}" for r in ladder.rungs if r.refused not in ("", REFERENCE)]
    lines += [f"{name}: left out, {with_options(why)}" for name, why in ladder.left_out]
    if not ladder.timed_here:
        lines.append(
            f"times were measured on {ladder.processor}, not on {ladder.target}, so the smallest was chosen, not the fastest"
        )
    return "\n".join([table(header, rows), *lines])
