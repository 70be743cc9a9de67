"""`edgecls doctor`: check what works on this machine."""

from __future__ import annotations

import dataclasses
from typing import Annotated

import typer

from edgecls.cli.messages import data
from edgecls.text.strict_json import dumps


def doctor(
    model: Annotated[str | None, typer.Argument(help="An .onnx file to test as well.")] = None,
    cameras: Annotated[bool, typer.Option("--cameras", help="Take one picture from each camera; its light will turn on.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object instead of text.")] = False,
) -> None:  # fmt: skip
    """Test devices, decoders and cameras, and suggest a fix for each problem. Exits with 1 if there is one."""
    from edgecls.doctor import examine, folded

    findings = examine(model, cameras=cameras)
    good = all(finding.status != "problem" for finding in findings)
    if as_json:
        data(dumps({"ok": good, "checks": [dataclasses.asdict(f) for f in findings]}))
    else:
        shown = folded(findings)
        width = max(len(finding.name) for finding in shown)
        for finding in shown:
            data(f"{finding.status:8}{finding.name:{width}}  {finding.found}")
            if finding.fix:
                data(f"{'':8}{'':{width}}  fix: {finding.fix}")
    if not good:
        raise typer.Exit(1)
