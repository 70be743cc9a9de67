"""`edgecls export`: a trained model to one .onnx file."""

from __future__ import annotations

import dataclasses
import json
from typing import Annotated

import typer

from edgecls.cli.talk import data, say, table


def export(
    run: Annotated[str, typer.Argument(metavar="RUN_OR_KERAS", help="The folder of a training run, or the best.keras in it.")],
    out: Annotated[str, typer.Option(help="The .onnx file to write.")],
    scheme: Annotated[str, typer.Option(help="fp32 or int8.")] = "int8",
    calibration: Annotated[str, typer.Option(metavar="DATA", help="Where the run's pictures lie now; left out: where they were.")] = "",
    test: Annotated[str, typer.Option(metavar="DATA", help="Labelled pictures to measure for the card; left out: the held-out ones.")] = "",
    max_drop: Annotated[float, typer.Option(min=0, metavar="POINTS", help="The most points of accuracy that may be lost against Keras.")] = 0.5,
    reject: Annotated[float, typer.Option(min=0, max=99, metavar="PERCENT", help="The share of known pictures that may come out as unknown, so that strange ones do; 0: none does.")] = 2.0,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object instead of a table.")] = False,
) -> None:  # fmt: skip
    """Export a trained model to one file, after checking that it still is that model."""
    from edgecls.export.build import build

    report = build(run, out, scheme=scheme, calibration=calibration, test=test, max_drop=max_drop, reject=reject / 100, say=say)
    if as_json:
        record = {"out": str(report.out), "measured_on": report.card.measured_on}
        data(
            json.dumps(
                {
                    **record,
                    "parity": dataclasses.asdict(report.parity),
                    "forms": [dataclasses.asdict(f) for f in report.forms],
                }
            )
        )
        return
    rows = [(f.name, f"{f.top1:.2%}", f"{f.macro_recall:.2%}", f"{f.bytes:,}", f"{f.us:,.0f}") for f in report.forms]
    data(table(("form", "top1", "macro recall", "bytes", "us"), rows))
    say(f"{report.out}: written; accuracy on {report.card.measured_on}; largest difference to Keras {report.parity.largest_difference:.2g}, "
        f"same label on {report.parity.agreement:.2%} of the held-out pictures; calibration error "
        f"{report.card.metrics['calibration_error']:.4f} at temperature {report.card.confidence.temperature:g}")  # fmt: skip
