"""`edgecls adopt`: somebody else's classifier to one .onnx file like our own."""

from __future__ import annotations

import dataclasses
import json
from typing import TYPE_CHECKING, Annotated, Any

import typer

from edgecls.cli.talk import data, say, table
from edgecls.errors import ConfigError

if TYPE_CHECKING:
    from edgecls.export.adopt import Adopted


def adopt(
    file: Annotated[str, typer.Argument(help="An .onnx, .keras or Keras 2 .h5 file.")],
    out: Annotated[str, typer.Option(help="The .onnx file to write.")],
    labels: Annotated[str, typer.Option(metavar="FILE", help="One label a line, in the order of the outputs; or the word numbers.")] = "",
    color: Annotated[str, typer.Option(help="What the network was trained on: rgb, bgr or gray.")] = "",
    values: Annotated[str, typer.Option(help="What becomes of the levels 0 to 255: 0..1, 0..255, -1..1 or imagenet.")] = "",
    mean: Annotated[str, typer.Option(metavar="M,M,M", help="Is taken from the values, in the order of the network's channels.")] = "",
    std: Annotated[str, typer.Option(metavar="S,S,S", help="Divides what is left, in the same order.")] = "",
    layout: Annotated[str, typer.Option(help="nchw (channels first) or nhwc, where the input's dimensions do not tell.")] = "",
    size: Annotated[str, typer.Option(metavar="N|WxH", help="Input size in pixels, for a network that takes any.")] = "",
    output: Annotated[str, typer.Option(help="logits or probabilities, where the last operator does not tell.")] = "",
    output_name: Annotated[str, typer.Option(metavar="NAME", help="Which output, where there are several.")] = "",
    fit: Annotated[str, typer.Option(help="stretch, letterbox or center-crop.  [default: stretch]")] = "",
    interpolation: Annotated[str, typer.Option(help="How a picture is shrunk: area or linear.  [default: area]")] = "",
    check: Annotated[str, typer.Option(metavar="DATA", help="Labelled pictures that tell which colour and values fit.")] = "",
    roi: Annotated[bool, typer.Option("--roi", help="Cut the regions of interest that a manifest names.")] = False,
    force: Annotated[bool, typer.Option("--force", help="Keep to what was said where the check finds something better.")] = False,
    scheme: Annotated[str, typer.Option(help="fp32, fp16, int8 or another one that edgecls export knows.")] = "fp32",
    calibration: Annotated[str, typer.Option(metavar="DATA", help="Labelled pictures that tell int8 the range of each value.")] = "",
    max_drop: Annotated[float, typer.Option(min=0, metavar="POINTS", help="The most points of accuracy that the scheme may lose on the check pictures.")] = 0.5,
    about: Annotated[str, typer.Option(metavar="TEXT", help="The data's name and terms, for the card.")] = "",
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object instead of the table.")] = False,
) -> None:  # fmt: skip
    """Make an edgecls model of somebody else's classifier; what the file does not say is asked for."""
    from edgecls.export.adopt import Check, Scheme, Watching
    from edgecls.export.adopt import adopt as make
    from edgecls.export.adopt.feed import Answers

    answers = Answers(labels, _size_hw(size), layout, color, values, _numbers("mean", mean), _numbers("std", std), fit,
                      interpolation, output, output_name)  # fmt: skip
    tried: list[Any] = []

    def show(readings: Any) -> None:
        tried.extend(readings)
        rows = [(str(t.feed), f"{t.top1:.2%}") for t in readings]
        (say if as_json else data)(table(("fed with", "top1"), rows))

    made = make(
        file, out, answers, check=Check(check, roi, force), scheme=Scheme(scheme, calibration, max_drop), about=about,
        watching=Watching(say, show),
    )  # fmt: skip
    if as_json:
        data(json.dumps(_record(made, tried), ensure_ascii=False))
    measured = f"; accuracy {made.card.metrics['top1']:.2%} on {made.card.measured_on}" if made.card.metrics else ""
    kept = f", the same label on {made.agreement:.2%}" if scheme != "fp32" else ""
    say(f"{made.out}: written, {made.card.scheme}, {len(made.card.labels)} labels{measured}; in float its probabilities are those of "
        f"{file} within {made.largest_difference:.2g}{kept}")  # fmt: skip


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
        raise ConfigError(f"--{name} {text}: expected one number, or three with commas between them") from error
