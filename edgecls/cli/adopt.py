"""`edgecls adopt`: turn a classifier or a detector from elsewhere into an edgecls .onnx file."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Annotated, Any

import typer

from edgecls.cli.messages import data, say, table
from edgecls.errors import ConfigError
from edgecls.text.strict_json import dumps

if TYPE_CHECKING:
    from collections.abc import Mapping

    from edgecls.export.adopt import Adopted
    from edgecls.export.known_model import WithKnown

_DETECTORS = "Detectors"


def adopt(
    file: Annotated[str, typer.Argument(help="An .onnx, .keras or Keras 2 .h5 file.")],
    out: Annotated[str, typer.Option(help="The .onnx file to write.")],
    labels: Annotated[str, typer.Option(metavar="FILE", help="A file with one label per line, in the order of the outputs; or the word numbers.")] = "",
    color: Annotated[str, typer.Option(help="Colour order that the network expects: rgb, bgr or gray.")] = "",
    values: Annotated[str, typer.Option(help="Range that the network expects: 0..1, 0..255, -1..1 or imagenet.")] = "",
    mean: Annotated[str, typer.Option(metavar="M,M,M", help="Mean to subtract from the values, in the order of the network's channels.")] = "",
    std: Annotated[str, typer.Option(metavar="S,S,S", help="Standard deviation to divide by, in the same order.")] = "",
    layout: Annotated[str, typer.Option(help="nchw (channels first) or nhwc, if the input's dimensions are ambiguous.")] = "",
    size_hw: Annotated[str, typer.Option("--size", metavar="N|WxH", help="Input size in pixels, for a network that accepts any size.")] = "",
    output: Annotated[str, typer.Option(help="logits or probabilities, if the last operator is ambiguous.")] = "",
    output_name: Annotated[str, typer.Option(metavar="NAME", help="Which output to use, if there are several.")] = "",
    fit: Annotated[str, typer.Option(help="stretch, letterbox or center-crop; for detectors stretch, stretch-warp, letterbox, letterbox-corner, letterbox-exact or letterbox-warp.  [default: stretch; for detectors the maker's]")] = "",
    interpolation: Annotated[str, typer.Option(help="Interpolation when a picture is shrunk: area or linear.  [default: area; for detectors the maker's]")] = "",
    check: Annotated[str, typer.Option(metavar="DATA", help="Labelled pictures that show which colour order and value range are right.")] = "",
    roi: Annotated[bool, typer.Option("--roi", help="Crop to the regions of interest in the manifest.")] = False,
    force: Annotated[bool, typer.Option("--force", help="Use the given options even if the check finds better ones.")] = False,
    scheme: Annotated[str, typer.Option(help="fp32, fp16, int8 or another scheme of edgecls export; auto: the fastest that passes.")] = "fp32",
    calibration: Annotated[str, typer.Option(metavar="DATA", help="Labelled pictures to calibrate int8 with.")] = "",
    known: Annotated[str, typer.Option(metavar="DATA", help="Labelled pictures of its classes, to tell others by: see docs/export.md. FILE may be an edgecls model.")] = "",
    group: Annotated[str, typer.Option(metavar="REGEX", help="With --known: its first group in a picture's path names pictures that belong together.")] = "",
    reject: Annotated[float, typer.Option(min=0.1, max=99, metavar="PERCENT", help="With --known: share of known pictures that may be classified as unknown.")] = 2.0,
    max_drop: Annotated[float, typer.Option(min=0, metavar="POINTS", help="Accuracy in percentage points that the scheme may lose on the check pictures; without those, the percentage of calibration pictures that may change their label.")] = 0.5,
    about: Annotated[str, typer.Option(metavar="TEXT", help="Name and licence of the data, for the card.")] = "",
    detector: Annotated[bool, typer.Option("--detector", help="The file is a detector, which finds objects; see --classes and --kind.", rich_help_panel=_DETECTORS)] = False,
    classes: Annotated[str, typer.Option(metavar="FILE", help="A file with the name of one class per line, in the order of the outputs; or the word numbers.", rich_help_panel=_DETECTORS)] = "",
    kind: Annotated[str, typer.Option(metavar="KIND", help="Which kind of detector it is, if its outputs fit several.", rich_help_panel=_DETECTORS)] = "",
    overlap: Annotated[float | None, typer.Option(min=0, max=1, metavar="IOU", help="The largest overlap of two boxes of a class.  [default: the maker's]", rich_help_panel=_DETECTORS)] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object instead of the table.")] = False,
) -> None:  # fmt: skip
    """Turn a classifier or a detector from elsewhere into an edgecls model. Asks for the option if the file does not contain a value."""
    from edgecls.export.adopt.adopt_model import adopt_model
    from edgecls.export.known_model import add_known, is_edgecls

    only_classifiers = {
        "labels": labels, "layout": layout, "output": output, "output-name": output_name, "check": check, "roi": roi,
        "force": force, "scheme": scheme != "fp32", "calibration": calibration, "known": known,
    }  # fmt: skip
    _refuse_options(
        {"classes": classes, "kind": kind, "overlap": overlap is not None} if not detector else only_classifiers, detector
    )
    if detector:
        from edgecls.export.detector.adopt_detector import adopt_detector

        found = adopt_detector(
            file, out, classes=classes, kind=kind, color=color, values=values, mean=_numbers("mean", mean),
            std=_numbers("std", std), size_hw=_size_hw(size_hw), fit=fit, interpolation=interpolation, overlap=overlap,
            about=about, say=say,
        )  # fmt: skip
        if as_json:
            data(dumps({"out": str(found.out), "same": found.same, **dataclasses.asdict(found.card)}))
        say(f"{found.out}: written, {found.card.kind}, {found.card.scheme}, {len(found.card.classes)} classes; "
            f"{found.same:.0%} of its best boxes are those of {file}")  # fmt: skip
        return

    if known and is_edgecls(file):
        _say_known(add_known(file, out, known, reject=reject / 100, group=group, roi=roi), as_json)
        return

    tried: list[Any] = []

    def show(readings: Any) -> None:
        tried.extend(readings)
        rows = [(str(t.feed), f"{t.top1:.2%}") for t in readings]
        (say if as_json else data)(table(("fed with", "top1"), rows))

    made = adopt_model(
        file, out, labels=labels, color=color, values=values, mean=_numbers("mean", mean), std=_numbers("std", std),
        layout=layout, size_hw=_size_hw(size_hw), output=output, output_name=output_name, fit=fit, interpolation=interpolation,
        check=check, roi=roi, force=force, scheme=scheme, calibration=calibration, max_drop=max_drop, about=about, say=say,
        tried=show,
    )  # fmt: skip
    if known:
        made = dataclasses.replace(made, card=add_known(out, out, known, reject=reject / 100, group=group, roi=roi).card)
    if as_json:
        data(dumps(_record(made, tried)))
    measured = f"; accuracy {made.card.metrics['top1']:.2%} on {made.card.measured_on}" if made.card.metrics else ""
    kept = f", the same label on {made.agreement:.2%}" if made.card.scheme != "fp32" else ""
    say(f"{made.out}: written, {made.card.scheme}, {len(made.card.labels)} labels{measured}; in float its probabilities differ from "
        f"{file} by at most {made.largest_difference:.2g}{kept}")  # fmt: skip


def _say_known(made: WithKnown, as_json: bool) -> None:
    """Print what a model with a novelty keeps."""
    if as_json:
        data(dumps({"out": str(made.out), "pictures": made.pictures, **dataclasses.asdict(made.card)}))
    kept = made.card.novelty.kept if made.card.novelty else 0.0
    say(
        f"{made.out}: written, {made.bytes:,} bytes; {kept:.1%} of {made.pictures} known pictures stay below the limit of novelty"
    )


def _refuse_options(others: Mapping[str, object], detector: bool) -> None:
    """Raise ConfigError for an option that has no meaning here."""
    wrong = next((name for name, given in others.items() if given), "")
    if wrong and detector:
        raise ConfigError(f"--{wrong} is for classifiers; leave it out with --detector")
    if wrong:
        raise ConfigError(f"--{wrong} is for detectors; add --detector, or leave it out")


def _record(made: Adopted, tried: list[Any]) -> dict[str, object]:
    return {
        "out": str(made.out),
        "input": dataclasses.asdict(made.card.input),
        "feed": {k: v for k, v in dataclasses.asdict(made.feed).items() if v},
        "labels": len(made.card.labels),
        "scheme": made.card.scheme,
        "largest_difference": made.largest_difference,
        "agreement": made.agreement,
        "metrics": dict(made.card.metrics),
        "measured_on": made.card.measured_on,
        "tried": [{**{k: v for k, v in dataclasses.asdict(t.feed).items() if v}, "top1": round(t.top1, 5)} for t in tried],
        "made_with": dict(made.card.made_with),
    }


def _size_hw(text: str) -> tuple[int, int] | tuple[()]:
    if not text:
        return ()
    parts = text.lower().split("x")
    if len(parts) > 2 or not all(part.isdecimal() and int(part) > 0 for part in parts):
        raise ConfigError(f"--size {text}: expected a number of pixels such as 224, or WIDTHxHEIGHT such as 48x32")
    return int(parts[-1]), int(parts[0])


def _numbers(name: str, text: str) -> tuple[float, ...]:
    try:
        return tuple(float(part) for part in text.split(",")) if text else ()
    except ValueError as error:
        raise ConfigError(f"--{name} {text}: expected one number, or three separated by commas") from error
