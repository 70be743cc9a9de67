"""`edgecls doctor`: what works on this machine."""

from __future__ import annotations

import dataclasses
import json
from typing import Annotated

import typer

from edgecls.cli.talk import data


def doctor(
    model: Annotated[str | None, typer.Argument(help="An .onnx file to try too.")] = None,
    cameras: Annotated[bool, typer.Option("--cameras", help="Open each camera for one picture; its lamp will light.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object instead of text.")] = False,
) -> None:  # fmt: skip
    """Try devices, decoders and cameras, and name what mends each problem. Exit code 1 if there is one."""
    from edgecls.doctor import examine

    findings = examine(model, cameras=cameras)
    good = all(finding.status != "problem" for finding in findings)
    if as_json:
        data(json.dumps({"ok": good, "checks": [dataclasses.asdict(f) for f in findings]}, ensure_ascii=False))
    else:
        width = max(len(finding.name) for finding in findings)
        for finding in findings:
            data(f"{finding.status:8}{finding.name:{width}}  {finding.found}")
            if finding.fix:
                data(f"{'':8}{'':{width}}  mend it with: {finding.fix}")
    if not good:
        raise typer.Exit(1)
