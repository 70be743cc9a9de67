"""`edgecls check-config`: whether cameras.toml is as it should be, and the schema that says so to editors."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from edgecls.cli.talk import data, say

if TYPE_CHECKING:
    from edgecls.run.config import Config

JPEG_QUALITY = 90


def check_config(
    config: Annotated[str | None, typer.Argument(metavar="CAMERAS.toml", help="The file to check.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object instead of text.")] = False,
    pictures: Annotated[str | None, typer.Option("--pictures", metavar="FOLDER", help="Take a picture from each camera and draw its zones and lines on it: FOLDER/CAMERA.jpg.")] = None,
    schema: Annotated[bool, typer.Option("--schema", help="Print the JSON Schema of such files, for editors, and check nothing.")] = False,
) -> None:  # fmt: skip
    """Read a cameras.toml and say what would run, or which line is wrong and what is expected there. Opens cameras for --pictures
    alone.
    """
    if schema:
        _print_schema()
        return
    if config is None:
        raise typer.BadParameter("expected a CAMERAS.toml to check, or --schema")
    from edgecls.run.config import read_config

    found = read_config(config)
    _look_at_files(found)
    _print(found, config, as_json=as_json)
    if pictures is not None and not _draw(found, Path(pictures)):
        raise typer.Exit(1)


def _print(found: Config, config: str, *, as_json: bool) -> None:
    from edgecls.errors import redact
    from edgecls.run.sink import as_text

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
    sinks = [redact(as_text(out)) for out in found.outputs]
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


def _draw(found: Config, folder: Path) -> bool:
    """Write a picture of each camera with what is watched for there. Returns whether there is one of each."""
    from dataclasses import replace

    from edgecls import image
    from edgecls.errors import SinkError, SourceError
    from edgecls.files import whole_file
    from edgecls.run.sketch import sketch
    from edgecls.run.source import open_named

    if not folder.is_dir():
        raise SinkError(f"{folder}: there is no folder for the pictures; make it first")
    missing = 0
    for camera in found.camera:
        reading = replace(camera.reading, give_up_after_s=0.0, needed_hw=None)
        path = folder / f"{camera.name}.jpg"
        try:
            with open_named({camera.name: (camera.source, reading)}, say=say, on_state=lambda _: None) as frames:
                frame = frames.read()
            if frame is None:
                raise SourceError(f"camera {camera.name}: it gives no picture")
        except SourceError as error:
            say(f"error: {error}")
            missing += 1
            continue
        with whole_file(path) as beside:
            beside.write_bytes(image.encode_jpeg(sketch(frame.bgr(), camera), JPEG_QUALITY))
        say(f"{path}: {camera.name} as it is now, with its zones and lines")
    return not missing


def _look_at_files(found: Config) -> None:
    """Check what can be seen from here of what the file names. What is missing may be there where it is to run: a warning."""
    from edgecls.classifier import Classifier
    from edgecls.errors import EdgeclsError
    from edgecls.run.config import check_labels
    from edgecls.run.sink import folder_of, place_of
    from edgecls.run.source import recognize

    try:
        labels = Classifier.load(found.model, device="cpu", on_mismatch="ignore").card.labels
    except (EdgeclsError, OSError) as error:
        say(f"warning: {error}")
    else:
        check_labels(found, labels)
    for camera in found.camera:
        kind, target, _ = recognize(camera.source)
        if kind == "video" and not Path(target).exists():
            say(f"warning: camera {camera.name}: there is no file {target}")
    for out in found.outputs:
        folder = folder_of(out)
        if folder is not None and not folder.is_dir():
            say(f"warning: sink {place_of(out)}: there is no folder {folder}")


def _print_schema() -> None:
    from edgecls.run.config import Config
    from edgecls.schema import schema_of

    data(json.dumps(schema_of(Config, title="cameras.toml of edgecls"), indent=1, ensure_ascii=False))
