"""`edgecls learn`: a model from a few pictures, in seconds."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from edgecls.cli.messages import data, say, status, table
from edgecls.errors import ConfigError
from edgecls.files import whole_file
from edgecls.files.advice import of_no_folder
from edgecls.limits import MOST_THREADS
from edgecls.text.strict_json import dumps
from edgecls.text.words import counted

if TYPE_CHECKING:
    from edgecls.learn.accuracy import Share
    from edgecls.learn.learn_model import Learned


def learn(
    pictures: Annotated[str, typer.Argument(metavar="DATA", help="Class folders, a store, a CSV manifest or an npz file.")],
    out: Annotated[str, typer.Option(help="The .onnx file to write.", rich_help_panel="Model")],
    backbone: Annotated[str, typer.Option(help="efficientnet-lite0, or the slower and better -lite1, -lite2.", rich_help_panel="Model")] = "efficientnet-lite0",
    size: Annotated[int | None, typer.Option(metavar="N", help="Input size in pixels, from 64. 96 is five times as fast as 224.  [default: that of the backbone, 224]", rich_help_panel="Model")] = None,
    fit: Annotated[str, typer.Option(help="stretch, letterbox or center-crop.", rich_help_panel="Model")] = "stretch",
    mirror: Annotated[str, typer.Option(metavar="LABEL,LABEL,...|all", help="Classes whose pictures may be mirrored.  [default: none]", rich_help_panel="Model")] = "",
    reject: Annotated[float, typer.Option(min=0, max=99, metavar="PERCENT", help="Share of known pictures that may be classified as unknown, so that foreign ones are; 0: never unknown.", rich_help_panel="Model")] = 2.0,
    labels: Annotated[str, typer.Option(metavar="FILE", help="A file with one label per line, to rename the classes in order.", rich_help_panel="Data")] = "",
    group: Annotated[str, typer.Option(metavar="REGEX", help="Applied to each path: pictures with the same match of its parentheses are held out together.", rich_help_panel="Data")] = "",
    roi: Annotated[bool, typer.Option("--roi", help="Crop to the regions of interest in the manifest.", rich_help_panel="Data")] = False,
    strict: Annotated[bool, typer.Option("--strict", help="Stop at the first broken picture, and at a picture that is in two classes.", rich_help_panel="Data")] = False,
    about: Annotated[str, typer.Option(metavar="TEXT", help="Name and licence of the data, for the card.", rich_help_panel="Data")] = "",
    report: Annotated[str | None, typer.Option("--report", metavar="FILE.html", help="Write a page with confusion matrix, tables and the most confident mistakes.", rich_help_panel="Output")] = None,
    record: Annotated[str | None, typer.Option("--record", metavar="FILE.json", help="Write what --json prints, and what cross-validation says of each picture, for edgecls compare --held-out.", rich_help_panel="Output")] = None,
    progress: Annotated[bool, typer.Option("--progress", help="For programs: lines of JSON on stderr with the stage and the share that is done.", rich_help_panel="Output")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object instead of a table.", rich_help_panel="Output")] = False,
    seed: Annotated[int, typer.Option(help="Seed of the folds of the cross-validation.", rich_help_panel="Model")] = 0,
    threads: Annotated[int | None, typer.Option(min=1, max=MOST_THREADS, metavar="N", help="CPU threads.  [default: all cores]", rich_help_panel="Model")] = None,
) -> None:  # fmt: skip
    """Learn a model from a few pictures in seconds: a head on a pretrained backbone, with an honest accuracy."""
    from edgecls.learn.learn_model import learn_model
    from edgecls.report import check_place

    if record is not None and (fault := of_no_folder(Path(record).parent)):
        raise ConfigError(f"`record={record}`: {fault}")
    place = None if report is None else check_place(report)
    settings: dict[str, Any] = {"path": pictures, "labels": labels, "group": group, "roi": roi, "strict": strict}
    said: list[str] = []

    def say_and_keep(line: str) -> None:
        said.append(line)
        say(line)

    done = learn_model(
        settings, out, backbone=backbone, size=size, fit=fit, mirror=tuple(filter(None, mirror.split(","))),  # type: ignore[arg-type]  # InputSpec checks it
        reject=reject / 100, about=about, seed=seed, threads=threads, say=say_and_keep,
        progress=_say_progress if progress else _show_progress,
    )  # fmt: skip
    if record is not None:
        with whole_file(record) as beside:
            beside.write_text(dumps({**_record(done), "notes": said, **done.held_out.as_record()}), encoding="utf-8")
    data(dumps(_record(done)) if as_json else _text(done))
    for line in done.advice:
        say(line)
    if place is not None and not done.accuracy.overall.scored:
        say(f"{place}: not written, because no picture could be held out to report on")
    elif place is not None:
        from edgecls.learn.report import write_report

        write_report(done, place, pictures)
        say(f"{place}: written")


def _say_progress(stage: str, share: float) -> None:
    say(dumps({"stage": stage, "share": round(share, 3)}))


def _show_progress(stage: str, share: float) -> None:
    status(f"{stage}: {share:.0%}")


def _text(done: Learned) -> str:
    def cells(share: Share) -> list[str]:
        low, high = ("-", "-") if share.interval is None else (f"{value:.1%}" for value in share.interval)
        return [str(share.pictures), "-" if share.value is None else f"{share.value:.1%}", low, high]

    rows = [[share.label, *cells(share)] for share in done.accuracy.classes]
    total = done.accuracy
    measured = (
        f"right in cross-validation {total.overall}, 95 % interval, of {counted(total.overall.scored, 'picture')} in "
        f"{counted(total.groups, 'group')}"
        if total.overall.scored
        else f"written; nothing is known about its accuracy from {counted(total.overall.pictures, 'picture')}"
    )
    lines = [
        table(("class", "pictures", "right", "from", "to"), [*rows, ["all", *cells(total.overall)]]),
        "",
        f"{done.out}: {measured}",
    ]
    return "\n".join(lines)


def _record(done: Learned) -> dict[str, Any]:
    def share(of: Share) -> dict[str, Any]:
        found = {"pictures": of.pictures, "scored": of.scored, "right": of.value}
        low, high = (None, None) if of.interval is None else of.interval
        return {**found, "low": low, "high": high}

    return {
        "out": str(done.out),
        **share(done.accuracy.overall),
        "groups": done.accuracy.groups,
        "folds": done.accuracy.folds,
        "classes": [{"label": of.label, **share(of)} for of in done.accuracy.classes],
        "curve": [
            {"pictures": p.pictures, "accuracy": p.accuracy, "low": p.interval.low, "high": p.interval.high}
            for p in done.curve.points
        ],
        "forecasts": [
            {"pictures": f.pictures, "right": f.accuracy, "low": f.interval.low, "high": f.interval.high}
            for f in done.curve.forecasts
        ],
        "advice": list(done.advice),
        "embedded": done.computed,
    }
