"""`edgecls check-config`: whether cameras.toml is as it should be."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from edgecls.cli.talk import data


def check_config(
    config: Annotated[str, typer.Argument(metavar="CAMERAS.toml", help="The file to check.")],
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object instead of text.")] = False,
) -> None:
    """Read a cameras.toml and say what would run, or which line is wrong and what is expected there. Opens no camera."""
    from edgecls.errors import redact
    from edgecls.run.config import read_config

    found = read_config(config)
    cameras = [
        {
            "name": camera.name,
            "source": redact(str(camera.source)),
            "when": camera.when,
            "follows": camera.follows,
            "health": not camera.health.off,
            "zones": [zone.name for zone in camera.zone],
            "lines": [gate.name for gate in camera.line],
        }
        for camera in found.camera
    ]
    sinks = [redact(sink) for sink in found.sinks]
    if as_json:
        data(json.dumps({"model": found.model, "device": found.device, "cameras": cameras, "sinks": sinks}, ensure_ascii=False))
        return
    data(f"{config}: {len(cameras)} camera(s), model {found.model}, device {found.device}")
    for camera in found.camera:
        looks = [f"zone {zone.name}" for zone in camera.zone] + [f"line {gate.name}" for gate in camera.line]
        looks += ["what moves"] if camera.follows else []
        when = "" if camera.when == "always" else ", while something moves"
        when += ", its health is not watched" if camera.health.off else ""
        data(f"  {camera.name}: {redact(str(camera.source))}: {', '.join(looks) or 'the whole frame'}{when}")
    for sink in sinks:
        data(f"  to {sink}")
