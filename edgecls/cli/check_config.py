"""`edgecls check-config`: check a cameras.toml, and print its JSON Schema for editors."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from edgecls.cli.messages import data, say
from edgecls.text.strict_json import dumps
from edgecls.text.words import counted

if TYPE_CHECKING:
    from edgecls.run.camera import Camera
    from edgecls.run.config import Config
    from edgecls.run.shadow_settings import ShadowSettings

JPEG_QUALITY = 90


def check_config(
    config: Annotated[str | None, typer.Argument(metavar="CAMERAS.toml", help="The file to check.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object instead of text.")] = False,
    pictures: Annotated[str | None, typer.Option("--pictures", metavar="FOLDER", help="Take a picture from each camera and draw its zones and lines on it, as FOLDER/CAMERA.jpg.")] = None,
    schema: Annotated[bool, typer.Option("--schema", help="Print the JSON Schema of cameras.toml, for editors, and exit.")] = False,
) -> None:  # fmt: skip
    """Check a cameras.toml and show what it would run.

    Exits with 1 and names the line if a setting is invalid or something would keep a run from starting: a missing file, folder,
    package, model or label, or a port in use. Opens cameras only with --pictures.
    """
    if schema:
        _print_schema()
        return
    if config is None:
        raise typer.BadParameter("expected a CAMERAS.toml to check, or --schema")
    from edgecls.run.config import read_config

    found = read_config(config)
    starts = _check_start(found)
    _print(found, config, as_json=as_json)
    drawn = pictures is None or _draw(found, Path(pictures))
    if not (starts and drawn):
        raise typer.Exit(1)


def _print(found: Config, config: str, *, as_json: bool) -> None:
    from edgecls.sink import as_text
    from edgecls.text.redaction import hidden, public, shown

    cameras = [
        {
            "name": camera.name,
            "source": shown(str(camera.source), public if as_json else hidden),
            "substream": shown(camera.substream, public if as_json else hidden) or None,
            "when": camera.when,
            "follows": camera.follows,
            "detector": None if camera.detector is None else camera.detector.model,
            "health": not camera.health.off,
            "zones": [zone.name for zone in camera.zone],
            "lines": [gate.name for gate in camera.line],
        }
        for camera in found.camera
    ]
    sinks = [(public if as_json else hidden)(as_text(out)) for out in found.outputs]
    if as_json:
        shadow = None if found.shadow is None else found.shadow.model
        data(dumps({"model": found.model, "device": found.device, "shadow": shadow, "cameras": cameras, "sinks": sinks}))
        return
    if found.bundled is not None:
        data(f"{config}: {found.bundled}{f': {found.bundled.fault}' if found.bundled.fault else ''}")
    data(f"{config}: {counted(len(cameras), 'camera')}, model {found.model or 'none'}, device {found.device}")
    for camera in found.camera:
        views = [f"zone {zone.name}" for zone in camera.zone] + [f"line {gate.name}" for gate in camera.line]
        views += [_objects(camera)] if camera.follows else []
        when = "" if camera.when == "always" else ", while something moves"
        when += ", health checks off" if camera.health.off else ""
        when += f", watched at {shown(camera.substream)}" if camera.substream else ""
        data(f"  {camera.name}: {shown(str(camera.source))}: {', '.join(views) or 'the whole frame'}{when}")
    if found.shadow is not None:
        data(f"  {_shadow(found.shadow)}")
    for sink in sinks:
        data(f"  to {sink}")
    for setting in () if found.bundled is None else found.bundled.kept:
        say(f"note: {found.bundled} sets {setting} too; the value of {config} is kept")


def _shadow(shadow: ShadowSettings) -> str:
    """Return what the shadow model does, in words."""
    rule = "" if shadow.promote is None else ", promoted by a rule"
    store = f", disagreements to {shadow.store}" if shadow.store else ""
    return f"shadow {shadow.model} sees {shadow.share:.0%} of the frames{rule}{store}"


def _objects(camera: Camera) -> str:
    """Return how objects are found at a camera, in words."""
    if camera.detector is None:
        return "moving objects"
    gate = ", while something moves" if camera.detector.gate == "motion" else ""
    return f"objects by {camera.detector.model} at {camera.detector.fps:g} fps{gate}, named by {camera.detector.names}"


def _draw(found: Config, folder: Path) -> bool:
    """Write a picture of each camera with its zones and lines. Returns whether all cameras gave one."""
    from edgecls import image
    from edgecls.draw.zones import grid, sketch
    from edgecls.errors import SinkError, SourceError
    from edgecls.files import whole_file
    from edgecls.run.moment import picture_of

    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise SinkError(f"{folder}: the folder for the pictures cannot be created ({error.strerror})") from error
    missing = 0
    for camera in found.camera:
        path = folder / f"{camera.name}.jpg"
        try:
            picture, time_s = picture_of(camera, say=say)
        except SourceError as error:
            say(f"error: {error}")
            missing += 1
            continue
        with whole_file(path) as beside:
            beside.write_bytes(image.encode_jpeg(sketch(grid(picture), camera), JPEG_QUALITY))
        shown = "current picture" if time_s is None else f"picture at {time_s:.1f} s, in which most moves,"
        say(f"{path}: {shown} of {camera.name} with its zones and lines, on a grid of tenths")
    return not missing


def _check_start(found: Config) -> bool:
    """Check everything that could stop a run before its first frame and print the errors. Returns whether there are none."""
    from edgecls.errors import DeviceError, EdgeclsError
    from edgecls.run.cameras import check_start
    from edgecls.run.detectors import check_detectors
    from edgecls.run.model import labels_in, load_classifier
    from edgecls.run.notes import notes_on
    from edgecls.run.shadow import check_shadow

    errors = []
    try:
        classifier = load_classifier(found, say)
    except (EdgeclsError, OSError) as error:
        setting = "device" if isinstance(error, DeviceError) else "model"
        errors.append(str(found.where.error(setting, f": {error}")))
    else:
        detectors, faults = check_detectors(found, say)
        errors += faults
        try:
            if detectors is not None:
                detectors.check_labels(found, classifier)
        except EdgeclsError as error:
            errors.append(str(error))
        errors += check_shadow(found, classifier, say)
        for note in notes_on(found, labels_in(classifier)):
            say(f"note: {note}")
    errors += check_start(found, say=say)
    for line in errors:
        say(f"error: {line}")
    return not errors


def _print_schema() -> None:
    from edgecls.run.config import Config
    from edgecls.settings.schema import schema_of

    data(dumps(schema_of(Config, title="cameras.toml of edgecls"), indent=1))
