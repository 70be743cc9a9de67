"""`edgecls export`: a trained model to one .onnx file."""

from __future__ import annotations

import dataclasses
import json
from typing import TYPE_CHECKING, Annotated

import typer

from edgecls.cli.talk import data, say, table
from edgecls.errors import GateError

if TYPE_CHECKING:
    from edgecls.ladder import Ladder


def export(
    run: Annotated[str, typer.Argument(metavar="RUN_OR_KERAS", help="The folder of a training run, or the best.keras in it.")],
    out: Annotated[str, typer.Option(help="The .onnx file to write.")],
    scheme: Annotated[str, typer.Option(help="auto: the fastest of all that pass; or fp32, fp16, int8 or a variant of it.")] = "auto",
    target: Annotated[str, typer.Option(help="The processors that it is for: x86 (any), x86-vnni or arm.")] = "x86",
    calibration: Annotated[str, typer.Option(metavar="DATA", help="Where the run's pictures lie now; left out: where they were.")] = "",
    test: Annotated[str, typer.Option(metavar="DATA", help="Labelled pictures to measure for the card; left out: the held-out ones.")] = "",
    max_drop: Annotated[float, typer.Option(min=0, metavar="POINTS", help="The most points of top-1 and of macro recall that may be lost against Keras.")] = 0.5,
    max_bytes: Annotated[int | None, typer.Option(min=1, metavar="N", help="The most bytes that the file may have.")] = None,
    max_us: Annotated[float | None, typer.Option(min=0, metavar="US", help="The most microseconds that one picture may take here, on one thread.")] = None,
    reject: Annotated[float, typer.Option(min=0, max=99, metavar="PERCENT", help="The share of known pictures that may come out as unknown, so that strange ones do; 0: none does.")] = 2.0,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object instead of a table.")] = False,
) -> None:  # fmt: skip
    """Export a trained model to one file, after checking that it still is that model."""
    from edgecls.export.build import build

    try:
        report = build(
            run, out, scheme=scheme, target=target, calibration=calibration, test=test, max_drop=max_drop, max_bytes=max_bytes,
            max_us=max_us, reject=reject / 100, say=say,
        )  # fmt: skip
    except GateError as error:
        data(
            json.dumps({"out": None, "ladder": error.ladder.as_record()}, ensure_ascii=False)
            if as_json
            else _text(error.ladder)
        )
        raise
    if as_json:
        record = {"out": str(report.out), "measured_on": report.card.measured_on, "parity": dataclasses.asdict(report.parity)}
        data(json.dumps({**record, "forms": _forms(report.ladder), "ladder": report.ladder.as_record()}, ensure_ascii=False))
        return
    data(_text(report.ladder))
    why = (
        ", the fastest that passes, of those as fast the smallest, of those as small the closest to fp32"
        if scheme == "auto"
        else ""
    )
    say(f"{report.out}: written as {report.card.scheme}{why}; accuracy on {report.card.measured_on}; largest difference to Keras "
        f"{report.parity.largest_difference:.2g}, same label on {report.parity.agreement:.2%} of the held-out pictures; calibration "
        f"error {report.card.metrics['calibration_error']:.4f} at temperature {report.card.confidence.temperature:g}")  # fmt: skip


def _forms(ladder: Ladder) -> list[dict[str, object]]:
    """The rungs in few words, with the accuracy on the pictures that the card names where it was measured."""
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
    """The table of the rungs, what is wrong with those that do not pass, and what was taken and why."""
    from edgecls.ladder import REFERENCE

    def share(value: float | None) -> str:
        return "-" if value is None else f"{value:.2%}"

    header = ["form", "top1", "macro recall", "worst", "as fp32", "cal. error", "bytes", "us", "p99", "us of 16", "p99"]
    rows = [
        [r.name, share(r.top1), share(r.macro_recall), share(r.worst_recall), share(r.agreement), f"{r.calibration_error:.4f}",
         f"{r.bytes:,}", *(f"{us:,.0f}" for us in (r.us, r.p99_us, r.us_16, r.p99_us_16))]
        for r in ladder.rungs
    ]  # fmt: skip
    if ladder.tested_on:
        header += ["test top1", "test macro"]
        rows = [[*row, share(r.test_top1), share(r.test_macro_recall)] for row, r in zip(rows, ladder.rungs, strict=True)]
    lines = [f"{r.name}: {r.refused}" for r in ladder.rungs if r.refused not in ("", REFERENCE)]
    lines += [f"{name}: left out, {why}" for name, why in ladder.left_out]
    if not ladder.timed_here:
        lines.append(
            f"microseconds are those of {ladder.processor}, not of {ladder.target}: the smallest is taken, not the fastest"
        )
    return "\n".join([table(header, rows), *lines])
